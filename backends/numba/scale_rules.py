"""The rules of scales as numbers, for the loop that finds them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fmtemu.formats import Scaled
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.minifloat import Float
from fmtemu.kernels.bits import EXPONENT_BIAS, float_bits
from fmtemu.kernels.power_scale import ScaleRule, power_scale

#: Powers of two from this on have inverses in float32.
_LEAST_POWER = 2.0**-127
_LARGEST = float(np.finfo(np.float32).max)


class Facts(NamedTuple):
    """What scales are made with, as floats: the element's largest and lowest number, the bounds of scales, and the
    largest element times the largest scale."""

    largest: float
    lowest: float
    least: float
    most: float
    outer: float


@lru_cache(maxsize=1024)
def facts_of(fmt: Scaled) -> Facts:
    """These facts of a format."""
    element, (least, most) = fmt.element, fmt.scaling.bounds
    largest = element.largest
    return Facts(float(largest), float(element.lowest), float(least), float(most), float(fmt.outer_largest))


@lru_cache(maxsize=1024)
def scale_rule(fmt: Scaled) -> Any:
    """The numbers of a ScaleRule and what follows them; None where no loop finds the scales."""
    scaling, numbers, facts = fmt.scaling, fmt.scaling.numbers, facts_of(fmt)
    if scaling.has_power_scales and facts.least < _LEAST_POWER:  # the loop inverts its scales
        return None
    is_power = scaling.has_power_scales and fmt.outer is None
    ends = facts.largest, facts.least, facts.most
    if any(end > _LARGEST or end != float(np.float32(end)) for end in ends):
        return None
    largest, least, most = (float_bits(end, 32) for end in ends)
    is_reciprocal = scaling.apply == "reciprocal"
    rule = ScaleRule(0, int(is_reciprocal), int(is_power or is_reciprocal), largest, least, most)
    if is_power and scaling.rule != "nearest":
        return as_words([*rule._replace(is_power=1), *power_scale(fmt)])
    # Ties go by the last place here, and by the code in the contract.
    is_plain = isinstance(numbers, Float) and numbers.mantissa_bits > 0 and numbers.subnormals
    if not (is_plain or isinstance(numbers, FixedPoint)):
        return None
    first = numbers.emin if isinstance(numbers, Float) else numbers.emax
    lift = 52 - (first - numbers.lsb_exponent)
    is_up = int(scaling.rule == "rceil")
    return as_words(rule._replace(is_up=is_up, first=first + EXPONENT_BIAS[64], lift=lift))


@lru_cache(maxsize=1024)
def find_lost(fmt: Scaled) -> float | None:
    """What nonzero quotients become that underflow in float32, where products with float32 inverses are what elements
    are rounded from: the smallest number, if they are exact but for that, or 0, if the scaling says so; else None."""
    scaling = fmt.scaling
    if scaling.apply == "reciprocal":
        return 0.0
    least, most = scaling.bounds
    if fmt.outer is not None:
        least, most = least * fmt.outer.bounds[0], most * fmt.outer.bounds[1]
    is_exact = fmt.has_power_factors and least >= _LEAST_POWER and most <= 1 / _LEAST_POWER
    return float(np.finfo(np.float32).smallest_subnormal) if is_exact else None


def as_words(numbers: Any) -> Any:
    """Integers as words of 32 bits."""
    return np.array([n % (1 << 32) for n in numbers], np.uint32).view(np.int32)
