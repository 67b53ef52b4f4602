"""Posit: to values and to codes."""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.edges import EDGE, specials
from fmtemu.kernels.rounding import MODE
from fmtemu.kernels.words import (
    IMPLICIT,
    MAGNITUDE,
    ONE,
    WORD_BITS,
    ZERO,
    maximum,
    minimum,
    round_shift,
    shl,
    shr,
    where,
    word,
)

#: tail: exponent and fraction bits of the source (es + its mantissa bits); drop: tail + 2 less
#: the code's bits after the sign; zeroth: the biased scale of regime 0, over 2**es; bound: the
#: longest run of equal regime bits, less 2; least and most: magnitude bits of the smallest and
#: largest posit; mask: the code's bits.
POSIT = ("tail", "drop", "zeroth", "bound", "least", "most", "mask", *MODE, *EDGE)


def posit_string(magnitude: Any, minus: Any, random: Any, p: Any) -> Any:
    """(rounded, deep, string, scaled, regime): the code's bits from the regime's last on, rounded
    after dropping ``deep`` bits, and before; the source's exponent and fraction with an even bias.
    """
    clipped = minimum(maximum(magnitude, p.least), p.most)
    scaled = word(clipped + IMPLICIT)  # makes the exponent's bias a multiple of 2**es
    regime = word(shr(scaled, p.tail) - p.zeroth)
    negative = shr(regime, word(WORD_BITS - ONE))  # all ones or zero
    length = word(regime ^ negative)  # of the regime, less 2
    bounded = minimum(length, p.bound)
    deep = word(bounded + p.drop)
    # The last bit ends the run and is 1 where the regime is negative; at the bound it goes on with the run.
    last = word(negative ^ word(bounded - length))
    end = shl(ONE, p.tail)
    string = word(word(scaled & word(end - ONE)) | word(end & last))
    return round_shift(string, deep, where(minus, ONE, ZERO), random, p), deep, string, scaled, regime


def cast_posit(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of the source."""
    magnitude = word(x & MAGNITUDE)
    minus = x < ZERO
    rounded, deep, string, scaled, _ = posit_string(magnitude, minus, random, p)
    value = word(word(shl(word(rounded | p.jam), deep) - string) + word(scaled - IMPLICIT))
    value = word(minimum(maximum(value, p.least), p.most) | word(x & ~MAGNITUDE))
    return specials(magnitude, minus, where(magnitude == ZERO, ZERO, value), p)


def encode_posit(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of the source."""
    magnitude = word(x & MAGNITUDE)
    minus = x < ZERO
    rounded, deep, _, _, regime = posit_string(magnitude, minus, random, p)
    ones = word(shl(ONE, maximum(word(minimum(regime, p.bound) + ONE), ZERO)) - ONE)
    ones = shl(ones, maximum(word(word(ONE + p.tail) - deep), ZERO))
    code = minimum(word(word(rounded + ones) | p.jam), p.limit_pos)
    code = word(where(minus, word(ZERO - code), code) & p.mask)
    return specials(magnitude, minus, where(magnitude == ZERO, ZERO, code), p)
