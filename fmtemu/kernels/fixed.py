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
#: magnitude bits from which on everything overflows; unit: float bits of one step; mask: the code's
#: bits; sign_bit: its sign's; wraps: 1 where overflow keeps its low bits. over_* and zero_* of the
#: edges are integers here, inf_* and nan_* are results.
FIXED = ("anchor", "huge", "unit", "mask", "sign_bit", "wraps", *MODE, *EDGE)
#: What overflows keeps its bits in ``kept`` behind those of over_*, which is chosen by the sign, or
#: by the bit that a shift by ``side`` makes the sign; they are complemented where that changes bit ``fold``.
FOLDED = ("kept", "fold", "side", *FIXED)


def rounded_integer(x: Any, random: Any, p: Any) -> Any:
    """(integer, minus, beyond): the value in units of the last place, rounded, as a signed word; the
    source's sign; whether the integer (of which its low bits are left) overflows."""
    magnitude = word(x & MAGNITUDE)
    minus = word(x & word(p.absolute - ONE)) < ZERO
    exponent = shr(magnitude, MANTISSA)
    significand = where(exponent > ZERO, word(word(magnitude & FRACTION) | IMPLICIT), magnitude)
    deep = word(p.anchor - maximum(exponent, ONE))
    rounded = round_shift(significand, maximum(deep, ZERO), where(minus, ONE, ZERO), random, p)
    lift = minimum(maximum(word(ZERO - deep), ZERO), word(WORD_BITS - ONE))
    rounded = shl(rounded, lift)
    integer = word(where(minus, word(ZERO - rounded), rounded) | p.jam)
    beyond = (magnitude >= p.huge) | (integer > p.limit_pos) | (integer < word(ZERO - p.limit_neg))
    return integer, minus, beyond


def fixed_integer(x: Any, random: Any, p: Any) -> Any:
    """The rounded integer after overflow that replaces it, or keeps its low bits."""
    integer, minus, beyond = rounded_integer(x, random, p)
    wrapped = word(word(word(integer & p.mask) ^ p.sign_bit) - p.sign_bit)
    bounded = where(beyond, where(minus, p.over_neg, p.over_pos), integer)
    return where(p.wraps != ZERO, wrapped, bounded)


def folded_integer(x: Any, random: Any, p: Any) -> Any:
    """The rounded integer after overflow that mixes its bits with others."""
    integer, minus, beyond = rounded_integer(x, random, p)
    outward = where(p.side != ZERO, shl(integer, p.side) < ZERO, minus)
    head = where(outward, p.over_neg, p.over_pos)
    turned = where(word(word(integer ^ head) & p.fold) != ZERO, p.kept, ZERO)
    return where(beyond, word(word(word(integer ^ turned) & p.kept) | head), integer)


def fixed_value(x: Any, integer: Any, p: Any) -> Any:
    """Bits of the value of an integer that the source x became."""
    minus = word(x & word(p.absolute - ONE)) < ZERO
    value = to_bits(to_float(integer) * from_bits(p.unit))
    return specials(word(x & MAGNITUDE), minus, value, p)


def fixed_code(x: Any, integer: Any, p: Any) -> Any:
    """The raw code of an integer that the source x became."""
    minus = word(x & word(p.absolute - ONE)) < ZERO
    return specials(word(x & MAGNITUDE), minus, word(integer & p.mask), p)


def cast_fixed(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of the source."""
    return fixed_value(x, fixed_integer(x, random, p), p)


def encode_fixed(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of the source."""
    return fixed_code(x, fixed_integer(x, random, p), p)


def cast_folded(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of the source."""
    return fixed_value(x, folded_integer(x, random, p), p)


def encode_folded(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of the source."""
    return fixed_code(x, folded_integer(x, random, p), p)
