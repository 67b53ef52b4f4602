"""Posit: to values and to codes."""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.edges import EDGE, settle
from fmtemu.kernels.rounding import MODE
from fmtemu.kernels.words import (
    IMPLICIT,
    MAGNITUDE,
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

#: tail: exponent and fraction bits of the source (es + its mantissa bits); drop: tail less the
#: code's bits after the sign; zeroth: the biased scale of regime 0, over 2**es; least and most:
#: magnitude bits of the smallest and largest posit; mask: the code's bits.
POSIT = ("tail", "drop", "zeroth", "least", "most", "mask", *MODE, *EDGE)


def posit_string(magnitude: Any, minus: Any, random: Any, p: Any) -> Any:
    """(rounded, deep, scaled, body, regime): the bits from the regime's last (k < 0: its 1; k >= 0:
    none) on, rounded after dropping ``deep``; the source's scale and fraction with an even bias;
    its part below the regime.
    """
    clipped = minimum(maximum(magnitude, p.least), p.most)
    scaled = word(clipped + IMPLICIT)  # makes the exponent's bias a multiple of 2**es
    regime = word(shr(scaled, p.tail) - p.zeroth)
    length = where(regime < ZERO, word(ONE - regime), word(regime + word(ONE + ONE)))
    deep = word(length + p.drop)
    terminator = shl(ONE, p.tail)
    body = word(scaled & word(terminator - ONE))
    string = where(regime < ZERO, word(body | terminator), body)
    return round_shift(string, deep, where(minus, ONE, ZERO), random, p), deep, scaled, body, regime


def cast_posit(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of the source."""
    magnitude = word(x & MAGNITUDE)
    minus = x < ZERO
    rounded, deep, scaled, body, regime = posit_string(magnitude, minus, random, p)
    rounded = word(rounded | p.jam)
    below = word(shl(rounded, deep) - where(regime < ZERO, shl(ONE, p.tail), ZERO))
    value = word(word(word(scaled - body) + below) - IMPLICIT)
    value = minimum(maximum(value, p.least), p.most)
    value = word(value | where(minus, p.sign_mask, ZERO))
    return settle(magnitude, minus, ONE, value, p)


def encode_posit(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of the source."""
    magnitude = word(x & MAGNITUDE)
    minus = x < ZERO
    rounded, deep, scaled, body, regime = posit_string(magnitude, minus, random, p)
    ones = word(shl(ONE, word(maximum(regime, ZERO) + ONE)) - ONE)
    ones = shl(ones, maximum(word(word(ONE + p.tail) - deep), ZERO))
    code = word(rounded + where(regime < ZERO, ZERO, ones))
    code = minimum(word(code | p.jam), p.limit_pos)
    return settle(magnitude, minus, code, word(where(minus, word(ZERO - code), code) & p.mask), p)
