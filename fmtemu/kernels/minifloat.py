"""Float: to values and to codes."""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.edges import EDGE, settle
from fmtemu.kernels.rounding import MODE
from fmtemu.kernels.words import (
    FRACTION,
    IMPLICIT,
    MAGNITUDE,
    MANTISSA,
    ONE,
    ZERO,
    maximum,
    minimum,
    round_shift,
    shl,
    shr,
    where,
    word,
)

#: drop: source mantissa bits below the format's; first: biased source exponent of the format's
#: first binade; offset: what the magnitude of a normal exceeds its code by, at the source's scale;
#: gap: bits dropped more below that binade (where there are no subnormals); floor: least
#: magnitude bits (where there is no zero); smallest: bits of the smallest positive value.
FLOAT = ("drop", "first", "offset", "gap", "floor", "smallest", *MODE, *EDGE)


def float_code(magnitude: Any, minus: Any, random: Any, p: Any) -> Any:
    """(code, deep, base, below): the rounded magnitude code, the bits that rounding dropped, and
    the bits to which (code << deep) adds to make the value; below is set under the first binade.

    The magnitude's bits, counted from the format's first binade, are the code with the source's
    further mantissa bits behind it; below that binade the significand with its implicit bit is.
    """
    exponent = shr(magnitude, MANTISSA)
    significand = where(exponent > ZERO, word(word(magnitude & FRACTION) | IMPLICIT), magnitude)
    lowest = maximum(exponent, ONE)
    under = maximum(word(p.first - lowest), ZERO)
    below = under > ZERO
    deep = word(word(p.drop + under) + where(below, p.gap, ZERO))
    line = where(below, significand, word(magnitude - p.offset))
    base = where(below, shl(word(lowest - ONE), MANTISSA), p.offset)
    code = round_shift(line, deep, where(minus, ONE, ZERO), random, p)
    return word(code | p.jam), deep, base, below


def cast_float(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of the source."""
    source = word(x & MAGNITUDE)
    minus = word(x & word(p.absolute - ONE)) < ZERO
    magnitude = maximum(source, p.floor)
    code, deep, base, _ = float_code(magnitude, minus, random, p)
    value = word(shl(code, minimum(deep, word(MANTISSA + ONE))) + base)
    value = where(deep > word(MANTISSA + ONE), p.smallest, value)
    value = word(value | where(minus, p.sign_mask, ZERO))
    return settle(source, minus, code, value, p)


def encode_float(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of the source."""
    source = word(x & MAGNITUDE)
    minus = word(x & word(p.absolute - ONE)) < ZERO
    magnitude = maximum(source, p.floor)
    code, _, _, below = float_code(magnitude, minus, random, p)
    code = where(below, shl(code, p.gap), code)
    return settle(source, minus, code, word(code | where(minus, p.sign_mask, ZERO)), p)
