"""Powers of two with fractional exponents in bulk: correctly rounded, or left open where bounds do not decide."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from fmtemu.formats.logarithm import floor_exp2
from fmtemu.formats.natural import ln_bounds
from fmtemu.kernels.words import high_product

#: Bits after the point of an exponent, of a power, and of a power's distance from its cell's first.
_EXPONENT_BITS, _POWER_BITS, _DISTANCE_BITS = 63, 62, 70
#: Exponents fall into 2**_CELL_BITS cells.
_CELL_BITS = 8
#: Units of 2**-_POWER_BITS by which a power may be off besides what its exponent is: one each is lost by
#: rounding the table down and by the last shift, and all else is below a half.
_ERROR = 3
_LN_2 = ln_bounds(Fraction(2), 40)[0]


def rounded_exp2(fraction: Any, error: Any, precision: int) -> tuple[Any, Any]:
    """(powers, is_open): 2**(fraction / 2**63) of int64 from 0 on, rounded to so many significant bits, in
    float64; and whether that is not certain, as a fraction may be off by less than ``error`` units.

    A power is its cell's first times 1 + q with ln(1 + q) = r * ln(2) below 2**-8; the first term of q is
    computed in integers, the others in float64.
    """
    below = np.int64((1 << (_EXPONENT_BITS - _CELL_BITS)) - 1)
    first = _cells()[fraction >> np.int64(_EXPONENT_BITS - _CELL_BITS)]
    rest = fraction & below
    linear = high_product(rest << np.int64(_CELL_BITS), np.int64(round(_LN_2 * 2**_EXPONENT_BITS)))
    t = rest.astype(np.float64) * (float(_LN_2) * 2.0**-_EXPONENT_BITS)
    tail = t * t * (1 / 2 + t * (1 / 6 + t * (1 / 24 + t * (1 / 120 + t * (1 / 720)))))
    distance = linear + np.rint(tail * 2.0**_DISTANCE_BITS).astype(np.int64)
    power = first + (high_product(first, distance) >> np.int64(6))
    drop = _POWER_BITS + 1 - precision
    doubled = power >> np.int64(drop - 1)  # as power + half of its last place may not fit
    rounded = np.ldexp(((doubled + np.int64(1)) >> np.int64(1)).astype(np.float64), 1 - precision)
    from_middle = np.abs((power & np.int64((1 << drop) - 1)) - np.int64(1 << (drop - 1)))
    return rounded, from_middle <= error + _ERROR


@lru_cache(maxsize=1)
def _cells() -> Any:
    """2**(j / 2**_CELL_BITS) for every cell, rounded down."""
    return np.array([floor_exp2(Fraction(j, 1 << _CELL_BITS) + _POWER_BITS) for j in range(1 << _CELL_BITS)], np.int64)


def binary_fraction(numerator: Any, denominator: int) -> Any:
    """floor(numerator / denominator * 2**63), for int64 0 <= numerator < denominator <= 2**51."""
    result, rest, step = np.zeros_like(numerator), numerator, 9
    for _ in range(0, _EXPONENT_BITS, step):
        digit, rest = np.divmod(rest << np.int64(step), np.int64(denominator))
        result = (result << np.int64(step)) | digit
    return result


def scaled_fraction(numerator: Any, bits: int, factor: Fraction) -> tuple[Any, Any, Any]:
    """(whole, fraction, error) of numerator / 2**bits * factor, for int64 below 2**60 and 2**(bits + 20), 1 <= bits
    and a factor below 1: fraction / 2**63 is what is left of a floor, off by less than ``error`` units."""
    scaled = np.int64(round(factor * 2**63))
    lost = float(factor * 2**63 - int(scaled))
    high, low = high_product(numerator, scaled), (numerator * scaled).view(np.uint64)
    whole = high >> np.int64(bits - 1)
    top = (high << np.int64(63 - bits)) << np.int64(1)
    fraction = (top | (low >> np.uint64(bits)).view(np.int64)) & np.int64((1 << 63) - 1)
    far = np.int64(1 << 20)  # more than is lost
    inside = (fraction > far) & (fraction < np.int64((1 << 63) - 1) - far)
    correction = np.rint(numerator.astype(np.float64) * (lost * 2.0**-bits)).astype(np.int64)
    return whole, np.where(inside, fraction + correction, fraction), np.where(inside, 2, far)
