"""Scales that are powers of two, from the bits of a tile's greatest magnitude in float32."""

from __future__ import annotations

from typing import Any, NamedTuple

from fmtemu.formats import Scaled
from fmtemu.formats.base import floor_log2
from fmtemu.kernels.bits import EXPONENT_BIAS, float_bits
from fmtemu.kernels.words import (
    IMPLICIT,
    MANTISSA,
    ONE,
    ZERO,
    from_bits,
    maximum,
    minimum,
    shl,
    shr,
    to_bits,
    where,
    word,
)


class ScaleRule(NamedTuple):
    """How a loop finds scales, and what divides by them: is_power: by the numbers of a PowerScale, which follow; else
    greatest magnitude / largest element is rounded, to nearest or up (is_up), to multiples of its float64's last place
    times 2**lift, or that of the biased float64 exponent ``first`` where it is greater, and is put between least and
    most. largest, least, most: float bits. is_sure: products with inverses in float32 are what elements are
    rounded from, is_reciprocal: because the scaling says so.
    """

    is_power: int
    is_reciprocal: int
    is_sure: int
    largest: int
    least: int
    most: int
    is_up: int = 0
    first: int = 0
    lift: int = 0


class PowerScale(NamedTuple):
    """A scale rule as numbers: the biased exponent of magnitude + add + (its bit ``tie`` & evens), less
    ``emax``, is the scale's, within ``lowest`` and ``highest``. A subnormal magnitude is first
    multiplied by 2**lifted, whose float bits are ``lift``."""

    add: int
    tie: int
    evens: int
    emax: int
    lowest: int
    highest: int
    lift: int
    lifted: int


def power_scale(fmt: Scaled) -> PowerScale:
    """The numbers of a format's rule: floor, ceil, rceil or even; its elements have at most 24 bits."""
    element, rule = fmt.element, fmt.scaling.rule
    lowest, highest = (floor_log2(bound) + EXPONENT_BIAS[32] for bound in fmt.scaling.bounds)
    add = tie = evens = 0
    if rule == "ceil":
        add = (1 << 23) - 1
    elif rule == "rceil":  # up where the mantissa is above that of the largest element
        add = (1 << 23) - 1 - int((element.largest / 2**element.emax - 1) * 2**23)
    elif rule == "even" and element.precision < 24:
        tie, evens = 24 - element.precision, 1
        add = (1 << (tie - 1)) - 1
    return PowerScale(add, tie, evens, element.emax, lowest, highest, float_bits(2.0**64, 32), 64)


def scale_exponent(greatest: Any, p: Any) -> Any:
    """The biased exponent of the scale of a tile with this greatest magnitude, finite, in bits."""
    subnormal = greatest < IMPLICIT
    lifted = to_bits(from_bits(greatest) * from_bits(p.lift))  # exact, and normal
    normal = where(subnormal, lifted, greatest)
    even = word(shr(normal, p.tie) & p.evens)
    exponent = word(shr(word(normal + word(p.add + even)), MANTISSA) - p.emax)
    exponent = where(subnormal, word(exponent - p.lifted), exponent)
    return minimum(maximum(where(greatest > ZERO, exponent, p.lowest), p.lowest), p.highest)


def two_to(exponent: Any) -> Any:
    """2**(exponent - 127) of a biased exponent 0 to 254."""
    return from_bits(where(exponent > ZERO, shl(exponent, MANTISSA), shr(IMPLICIT, ONE)))
