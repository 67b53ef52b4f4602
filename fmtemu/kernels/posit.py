"""Posit: to values and to codes."""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.edges import EDGE, specials
from fmtemu.kernels.rounding import MODE
from fmtemu.kernels.words import (
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
#: the code's bits after the sign; origin: magnitude bits of 1; bound: the longest run of equal
#: regime bits, less 2; least and most: magnitude bits of the smallest and largest posit; mask: the
#: code's bits; vanish_*: magnitude bits from which on a source of a sign is not rounded to zero.
POSIT = ("tail", "drop", "origin", "bound", "least", "most", "mask", "vanish_pos", "vanish_neg", *MODE, *EDGE)


def posit_string(magnitude: Any, minus: Any, random: Any, p: Any) -> Any:
    """(rounded, deep, string, clipped, ones): the code's bits from the regime's last on, rounded
    after dropping ``deep`` bits, and before; the source within the format's range; how many ones
    the regime has before its last bit.
    """
    clipped = minimum(maximum(magnitude, p.least), p.most)
    scaled = word(clipped - p.origin)
    regime = shr(scaled, p.tail)
    negative = shr(regime, word(WORD_BITS - ONE))  # all ones or zero
    length = minimum(word(regime ^ negative), p.bound)  # of the regime, less 2
    deep = word(length + p.drop)
    # The regime's last bit is what the scale exceeds the bits before it by: it ends their run, or
    # at the bound goes on with it.
    string = word(scaled - shl(word(word(length ^ negative) + negative), p.tail))
    ones = word(word(length + ONE) & ~negative)
    return round_shift(string, deep, where(minus, ONE, ZERO), random, p), deep, string, clipped, ones


def vanishes(magnitude: Any, minus: Any, p: Any) -> Any:
    """Whether the result is zero."""
    return magnitude < where(minus, p.vanish_neg, p.vanish_pos)


def cast_posit(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of the source."""
    magnitude = word(x & MAGNITUDE)
    minus = x < ZERO
    rounded, deep, string, clipped, _ = posit_string(magnitude, minus, random, p)
    value = word(word(shl(word(rounded | p.jam), deep) - string) + clipped)
    value = word(minimum(maximum(value, p.least), p.most) | word(x & ~MAGNITUDE))
    return specials(magnitude, minus, where(vanishes(magnitude, minus, p), ZERO, value), p)


def encode_posit(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of the source."""
    magnitude = word(x & MAGNITUDE)
    minus = x < ZERO
    rounded, deep, _, _, count = posit_string(magnitude, minus, random, p)
    ones = shl(word(shl(ONE, count) - ONE), maximum(word(word(ONE + p.tail) - deep), ZERO))
    code = minimum(word(word(rounded + ones) | p.jam), p.limit_pos)
    code = word(where(minus, word(ZERO - code), code) & p.mask)
    return specials(magnitude, minus, where(vanishes(magnitude, minus, p), ZERO, code), p)
