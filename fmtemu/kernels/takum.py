"""Linear takums: to values and to codes."""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.edges import EDGE, specials
from fmtemu.kernels.posit import vanishes
from fmtemu.kernels.rounding import MODE
from fmtemu.kernels.words import (
    IMPLICIT,
    MAGNITUDE,
    MANTISSA,
    ONE,
    WORD_BITS,
    ZERO,
    from_bits,
    maximum,
    minimum,
    round_shift,
    shl,
    shr,
    to_bits,
    where,
    word,
)

#: one: float bits of 1; pivot: float bits of 2**MANTISSA, in whose steps integers are; kept: the
#: code's bits after the regime; drop: source mantissa bits less those; direction: 8, the direction
#: bit over the regime; least and most: magnitude bits of the smallest and largest takum; mask: the
#: code's bits; vanish_*: see fmtemu.kernels.posit.
TAKUM = ("one", "pivot", "kept", "drop", "direction", "least", "most", "mask", "vanish_pos", "vanish_neg", *MODE, *EDGE)


def takum_string(magnitude: Any, minus: Any, random: Any, p: Any) -> Any:
    """(rounded, deep, string, clipped, field): the last regime bit with the characteristic and
    mantissa bits behind it, rounded after dropping ``deep`` bits, and before; the source within
    the format's range; direction and regime bits as one number.

    The magnitude's bits, counted from those of 1, are the characteristic and the mantissa: c + m.
    """
    clipped = minimum(maximum(magnitude, p.least), p.most)
    logarithm = word(clipped - p.one)
    characteristic = shr(logarithm, MANTISSA)
    negative = shr(characteristic, word(WORD_BITS - ONE))  # all ones or zero
    # The regime r is floor(log2) of c + 1 or -c: the exponent of that integer as a float.
    start = word(word(characteristic ^ negative) + ONE)
    as_float = to_bits(from_bits(word(p.pivot + start)) - from_bits(p.pivot))
    regime = shr(word(as_float - p.one), MANTISSA)
    field = word(word(regime ^ negative) + p.direction)
    behind = shl(IMPLICIT, regime)  # the unit of the regime bits; c + m is -+1 off the bits behind, in its units
    offset = where(negative != ZERO, word(ZERO - IMPLICIT), IMPLICIT)
    string = word(word(word(logarithm + offset) & word(behind - ONE)) | where(word(field & ONE) != ZERO, behind, ZERO))
    deep = word(regime + p.drop)
    return round_shift(string, deep, where(minus, ONE, ZERO), random, p), deep, string, clipped, field


def cast_takum(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of the source."""
    magnitude = word(x & MAGNITUDE)
    minus = x < ZERO
    rounded, deep, string, clipped, _ = takum_string(magnitude, minus, random, p)
    value = word(word(shl(word(rounded | p.jam), deep) - string) + clipped)
    value = word(minimum(maximum(value, p.least), p.most) | word(x & ~MAGNITUDE))
    return specials(magnitude, minus, where(vanishes(magnitude, minus, p), ZERO, value), p)


def encode_takum(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of the source."""
    magnitude = word(x & MAGNITUDE)
    minus = x < ZERO
    rounded, _, _, _, field = takum_string(magnitude, minus, random, p)
    code = minimum(word(word(rounded + shl(word(field & ~ONE), p.kept)) | p.jam), p.limit_pos)
    code = word(where(minus, word(ZERO - code), code) & p.mask)
    return specials(magnitude, minus, where(vanishes(magnitude, minus, p), ZERO, code), p)
