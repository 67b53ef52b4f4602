"""Short cuts for floats with infinity-free sources: float arithmetic, or a constant shift, rounds.

They give what the kernels of fmtemu.kernels.minifloat give, for signed formats with subnormals,
symmetric edges, and the roundings nearest_even and stochastic (variant C), where `eligible` in
fmtemu.kernels.plan says so; sources with an infinity or NaN go through those kernels.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from fmtemu.kernels.words import (
    INFINITY,
    MAGNITUDE,
    ONE,
    TWO_MANTISSA,
    ZERO,
    from_bits,
    maximum,
    minimum,
    round_flat,
    round_units,
    shl,
    shr,
    to_bits,
    where,
    word,
)

#: first, last: exponents (in place) of the format's first binade and of the one past its largest;
#: lift: what makes an exponent that of the pivot; inverse: less a pivot, the bits of 2**bits /
#: unit; drop: source mantissa bits below the format's; spare: random bits beyond them; largest,
#: beyond: greatest finite value or code, and what lies above; floor: -1, or 0 where there is no -0.
QUICK = ("first", "last", "lift", "inverse", "drop", "bits", "spare", "largest", "beyond", "floor", "sign_mask")
Quick = namedtuple("Quick", QUICK)


# -- the pivot: |x| + 2**k - 2**k rounds at the last place of 2**k ----------------------------------


def nearest_units(magnitude: Any, pivot: Any, random: Any, p: Any) -> Any:
    """The magnitude in units of the pivot's last place, ties to even."""
    return word(to_bits(from_bits(magnitude) + from_bits(pivot)) - pivot)


def stochastic_units(magnitude: Any, pivot: Any, random: Any, p: Any) -> Any:
    """The magnitude in units of the pivot's last place, up where k + random >= 2**bits."""
    units = word(to_bits(from_bits(magnitude) + from_bits(pivot)) - pivot)
    above = from_bits(word(pivot + units)) - from_bits(pivot) > from_bits(magnitude)
    units = word(units - where(above, ONE, ZERO))
    rest = from_bits(magnitude) - (from_bits(word(pivot + units)) - from_bits(pivot))
    position = rest * from_bits(word(p.inverse - pivot))
    k = word(to_bits(position + from_bits(TWO_MANTISSA)) - TWO_MANTISSA)
    return word(units + shr(word(k + random), p.bits))


def cast_pivot(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of a finite source."""
    magnitude = word(x & MAGNITUDE)
    exponent = minimum(maximum(word(magnitude & INFINITY), p.first), p.last)
    pivot = word(exponent + p.lift)
    units = round_units(magnitude, pivot, random, p)
    value = to_bits(from_bits(word(pivot + units)) - from_bits(pivot))
    value = where(value > p.largest, p.beyond, value)
    return word(value | where(value > p.floor, word(x ^ magnitude), ZERO))


def encode_pivot(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of a finite source."""
    magnitude = word(x & MAGNITUDE)
    exponent = minimum(maximum(word(magnitude & INFINITY), p.first), p.last)
    units = round_units(magnitude, word(exponent + p.lift), random, p)
    code = word(units + shr(word(exponent - p.first), p.drop))
    code = where(code > p.largest, p.beyond, code)
    return word(code | where((x < ZERO) & (code > p.floor), p.sign_mask, ZERO))


# -- the source's own exponent range: the same shift for all numbers --------------------------------


def nearest_flat(magnitude: Any, random: Any, p: Any) -> Any:
    """The magnitude without its ``drop`` low bits, ties to even."""
    last = word(shr(magnitude, p.drop) & ONE)
    below_half = word(shl(ONE, word(p.drop - ONE)) - ONE)
    return shr(word(word(magnitude + below_half) + last), p.drop)


def stochastic_flat(magnitude: Any, random: Any, p: Any) -> Any:
    """The magnitude without its ``drop`` low bits, up where they and the random bits carry."""
    return shr(word(magnitude + shr(random, p.spare)), p.drop)


def cast_flat(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of a finite source."""
    magnitude = word(x & MAGNITUDE)
    value = shl(round_flat(magnitude, random, p), p.drop)
    value = where(value > p.largest, p.beyond, value)
    return word(value | where(value > p.floor, word(x ^ magnitude), ZERO))


def encode_flat(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of a finite source."""
    code = round_flat(word(x & MAGNITUDE), random, p)
    code = where(code > p.largest, p.beyond, code)
    return word(code | where((x < ZERO) & (code > p.floor), p.sign_mask, ZERO))
