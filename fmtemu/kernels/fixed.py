"""Int and Fixed: to values and to codes."""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.edges import EDGE, specials
from fmtemu.kernels.rounding import MODE
from fmtemu.kernels.words import (
    FRACTION,
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
    to_float,
    where,
    word,
)

#: anchor: the biased source exponent at which a significand counts units of the format; huge:
#: magnitude bits from which on everything overflows; wraps: 1 where overflow keeps the low bits;
#: unused: word bits above the code's; signed: 1 for two's complement; mask: the code's bits;
#: unit: float bits of one step. over_* and zero_* of the edges are integers here, inf_* and nan_*
#: are results.
FIXED = ("anchor", "huge", "wraps", "unused", "signed", "mask", "unit", *MODE, *EDGE)


def fixed_integer(x: Any, random: Any, p: Any) -> Any:
    """The rounded value in units of the last place, after overflow, as a signed word."""
    magnitude = word(x & MAGNITUDE)
    minus = word(x & word(p.absolute - ONE)) < ZERO
    exponent = shr(magnitude, MANTISSA)
    significand = where(exponent > ZERO, word(word(magnitude & FRACTION) | IMPLICIT), magnitude)
    deep = word(p.anchor - maximum(exponent, ONE))
    rounded = round_shift(significand, maximum(deep, ZERO), where(minus, ONE, ZERO), random, p)
    lift = minimum(maximum(word(ZERO - deep), ZERO), word(WORD_BITS - ONE))
    rounded = shl(rounded, lift)
    integer = word(where(minus, word(ZERO - rounded), rounded) | p.jam)
    low = shr(shl(integer, p.unused), p.unused)
    wrapped = where(p.signed != ZERO, low, word(integer & p.mask))
    huge = magnitude >= p.huge
    above = (integer > p.limit_pos) | (huge & (x >= ZERO)) | (huge & (p.absolute != ZERO))
    beneath = (integer < word(ZERO - p.limit_neg)) | (huge & minus)
    bounded = where(minus & beneath, p.over_neg, where((minus == False) & above, p.over_pos, integer))  # noqa: E712
    return where(p.wraps != ZERO, wrapped, bounded)


def cast_fixed(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of the source."""
    minus = word(x & word(p.absolute - ONE)) < ZERO
    value = to_bits(to_float(fixed_integer(x, random, p)) * from_bits(p.unit))
    return specials(word(x & MAGNITUDE), minus, value, p)


def encode_fixed(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of the source."""
    minus = word(x & word(p.absolute - ONE)) < ZERO
    return specials(word(x & MAGNITUDE), minus, word(fixed_integer(x, random, p) & p.mask), p)
