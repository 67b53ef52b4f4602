"""All values of a logarithmic takum, each a known factor from the one before."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from fmtemu.formats.natural import exp_floors
from fmtemu.formats.takum import Takum


def logarithmic_magnitudes(fmt: Takum) -> tuple[list[float], list[float]]:
    """The float64 nearest to each magnitude code's value, from code 1 on; and the least float64 above
    the number in the middle, in the encoding, of each code and the next."""
    longer = replace(fmt, bits=fmt.bits + 1)  # whose even codes are the values, odd ones the middles
    codes = range(2, 2 * fmt.limits()[0] + 2)
    unit = Fraction(1, 2 << max(longer.bits - 5, 0))
    powers = list(exp_floors(map(longer.steps, codes), unit, 54))
    values = [math.ldexp((significand + 1) >> 1, exponent + 1) for significand, exponent in powers[::2]]
    middles = [math.ldexp((significand >> 1) + 1, exponent + 1) for significand, exponent in powers[1::2]]
    return values, middles
