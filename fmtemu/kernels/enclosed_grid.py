"""The tables and numbers that fmtemu.kernels.enclosed runs with."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

from fmtemu.formats import Format
from fmtemu.formats.lns import LNS
from fmtemu.formats.logarithm import floor_log2, is_power_of_two
from fmtemu.formats.natural import ln_bounds
from fmtemu.formats.takum import Takum
from fmtemu.kernels.bits import EXPONENT_BIAS, float_bits
from fmtemu.kernels.log2 import CELL_BITS, LOG2_ERROR, PLACES
from fmtemu.rounding import Rounding, Stochastic

_EXPONENTS, _MANTISSA, _LEAST_EXPONENT = 1 << 11, 52, -1022
#: The natural logarithm of 2, to more digits than any word has.
LN_2 = ln_bounds(Fraction(2), 60)[0]


def is_enclosed(fmt: Format) -> bool:
    """Whether the kernels are made for a format that float64 holds."""
    if isinstance(fmt, LNS):  # subnormal sources are no different from the smallest normal one
        return fmt.coordinate == "log" and fmt.least_exponent * fmt.log_step >= _LEAST_EXPONENT
    return isinstance(fmt, Takum) and fmt.logarithmic


def enclosed_grid(fmt: Format, rounding: Rounding) -> tuple[str, dict[str, int], tuple[int, ...]]:
    """(family, fields, table) of the kernel, the fields without its mode and its edges."""
    positive, negative = fmt.limits()
    reach = {
        "most": min(positive, negative) if fmt.has_negative else positive,
        "unsigned": int(not fmt.has_negative),
        "next_to_zero": int(fmt.has_zero),
    }
    if isinstance(fmt, LNS):
        rate = 1 / fmt.log_step
        precision = 24 if fmt.precision == 24 else 53  # powers of two are as exact with more bits
        fields, table = _logarithm(rate, 0, precision)
        own = {"least": fmt.least_exponent, "flip": -int(fmt.exponent == "falling"), "mask": fmt.field_mask}
        ends = {"first": int(fmt.has_zero), "last": 1 << 62}
        quick = _quick_log(rate, fmt.least_exponent, precision)
        return "enclosed_log", {**fields, **own, **reach, **ends, **quick, **drawing_fields(quick, rounding)}, table
    assert isinstance(fmt, Takum)
    behind, one = fmt.bits - 5, 1 << (fmt.bits - 2)
    kept, cut = max(behind, 0), max(-behind, 0)
    fields, table = _logarithm(2 * LN_2, kept, 53)
    own = {"cut": cut, "behind": kept, "one": one, "mask": (1 << fmt.bits) - 1}
    own["width"] = (fields["error"] + 1) << kept
    ends = {"first": 1, "last": fmt.limits()[0]}
    quick = _quick_takum(behind, one)
    return "enclosed_takum", {**fields, **own, **reach, **ends, **quick, **drawing_fields(quick, rounding)}, table


def _quick_log(rate: Fraction, least: int, precision: int) -> dict[str, int]:
    """The fields of fmtemu.kernels.enclosed_quick for an LNS: positions of all sources, and the code of
    1 besides, have at most 51 bits."""
    greatest = 1100 * rate + abs(least)
    deep = max(51 - math.ceil(greatest).bit_length(), 1)
    unit = Fraction(1, 1 << deep)
    reach = (rate / 2**45 + greatest / 2**50) / unit + 1
    reading = rate / LN_2 / 2**precision / unit + 1  # a value and its reading are no further apart
    return quick_fields(rate / unit, deep, -least << deep, reach, reading, 64)


def _quick_takum(behind: int, one: int) -> dict[str, int]:
    deep = _MANTISSA - behind
    return quick_fields(2 * LN_2, deep, one << deep, Fraction(1 << 9), Fraction(4), 64)


def quick_fields(
    factor: Fraction, deep: int, start: int, reach: Fraction, reading: Fraction, bits: int
) -> dict[str, int]:
    """The fields for words of so many bits; what counts as a value is less than ``reading`` away from it."""
    return {
        "root": float_bits(math.sqrt(0.5), bits),
        "factor": float_bits(float(factor), bits),
        "deep": deep,
        "start": start,
        # What is added to a position is less than two units from where it belongs; at most all are left open.
        "reach": min(math.ceil(reach + reading) + 2, 1 << (deep - 1)),
    }


def drawing_fields(quick: dict[str, int], rounding: Rounding) -> dict[str, int]:
    """Those that say what of random integers is added to positions."""
    if not isinstance(rounding, Stochastic):
        return {"lower": 0, "lift": 0, "half_k": 0}
    if rounding.variant == "equal":  # the first bit decides
        return {"lower": rounding.bits - 1, "lift": quick["deep"], "half_k": 0}
    lift = quick["deep"] - rounding.bits
    half = 1 << lift >> 1 if lift > 0 and rounding.variant in "BC" else 0
    return {"lower": max(-lift, 0), "lift": max(lift, 0), "half_k": half}


def _logarithm(rate: Fraction, behind: int, precision: int) -> tuple[dict[str, int], tuple[int, ...]]:
    """What depends on the rate, on the bits that a position has beyond a logarithm's, and on those that
    values are read with."""
    shift = min(PLACES, PLACES - math.floor(rate).bit_length() + 1)
    scaled = round(rate * 2**shift)
    error = Fraction(LOG2_ERROR, 1 << (63 - PLACES)) * rate + 2  # and the floors of product and table
    error += 0 if scaled == rate * 2**shift else Fraction(1, 2) * 2 ** (PLACES - shift)
    cells = _cells()
    whole, part = _products(rate)
    ulp = LN_2 / rate / 2**PLACES
    fields = {
        "places": PLACES,
        "log2_e": round(2**62 / LN_2),
        "rate": scaled,
        "shift": shift,
        "whole": len(cells),
        "part": len(cells) + len(whole),
        "floor": 1 << _MANTISSA,
        "error": math.ceil(error),
        "ulp": _float(ulp / 2**behind),
        "error_ulps": _float(ulp * 2 ** (_MANTISSA + 1) * Fraction(1001, 1000)),
    }
    return fields | _readings(precision), (*cells, *whole, *part)


def _readings(precision: int) -> dict[str, int]:
    """The fields that say what counts as a value, where values are read with so many bits."""
    beyond = _MANTISSA + 1 - precision
    # Besides rounding in float64, x * distance**2 / 2 is neglected, of a gap of half a last place.
    slack = Fraction(4**beyond, 4 << _MANTISSA) + Fraction(1, 1 << 20)
    return {"short": (1 << beyond) - 1, "half_ulp": _float(Fraction(2**beyond, 2)), "slack": _float(slack)}


def _float(x: Fraction) -> int:
    return float_bits(float(x), 64)


def _products(rate: Fraction) -> tuple[list[int], list[int]]:
    """The floors of rate * exponent for every exponent field, and what is left, in units of 2**-PLACES: of
    what does not end there an odd number, which compares with all shorter ones as the true one does."""
    bits = [
        divmod((field - EXPONENT_BIAS[64]) * rate.numerator << PLACES, rate.denominator) for field in range(_EXPONENTS)
    ]
    products = [product | (rest > 0) for product, rest in bits]
    return [product >> PLACES for product in products], [product & ((1 << PLACES) - 1) for product in products]


@lru_cache(maxsize=1)
def _cells() -> tuple[int, ...]:
    """The factor of each cell, near 2**10 over its numbers, and log2 of factor / 2**10."""
    count = 1 << CELL_BITS
    inside = (round(Fraction(2048 * count, 2 * (count + j) + 1)) for j in range(1, count - 1))
    factors = [1024, *inside, 512]  # logarithms are near nothing at 1, and relatively exact
    logarithms = []
    for factor in factors:
        c = Fraction(factor, 1024)
        doubled = round(math.log2(c)) * 2**64 if is_power_of_two(c) else floor_log2(c, Fraction(2**64))
        logarithms.append((doubled + 1) >> 1)
    return (*factors, *logarithms)
