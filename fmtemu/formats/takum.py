"""Takums, linear and logarithmic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from fmtemu.formats.base import floor_log2
from fmtemu.formats.natural import exp_floor, ln_bounds
from fmtemu.formats.tapered import Tapered

#: Bits of a position that decide every rounding: those of the longest random integer, and one for halves.
_DECIDING_BITS = 31


@dataclass(frozen=True, repr=False)
class Takum(Tapered):
    """Takums of ``bits`` bits: (1 + m) * 2**c, or sqrt(e)**(c + m) if ``logarithmic``.

    A sign, a direction bit D, 3 regime bits, and r bits of the characteristic c in -255..254; the
    rest is the mantissa m in [0, 1). r is the regime and c = 2**r - 1 + the r bits where D = 1,
    r is 7 - the regime and c = 1 - 2**(r + 1) + the r bits where D = 0. Short codes are read as if
    zeros followed. Source: Hunhold, Beating Posits at Their Own Game: Takum Arithmetic, 2024 (linear
    ones: Design and Implementation of a Takum Arithmetic Hardware Codec in VHDL, 2024).
    The values of logarithmic takums are irrational and given to 53 significant bits, the nearest
    (to bits - 3 above 56 bits); a number no further from the true value counts as it.
    """

    bits: int
    logarithmic: bool = False

    family = "takum"

    def __post_init__(self) -> None:
        self._check_count("bits", 2, 64)
        self._check_flags("logarithmic")

    def steps(self, code: int) -> int:
        """c + m of a magnitude code, in units of 2**-(the code's bits after the regime)."""
        behind = max(self.bits - 5, 0)
        one = 1 << behind
        away = (code - (1 << (self.bits - 2))) << (behind + 5 - self.bits)  # from the code of 1
        regime = abs(away) >> behind
        distance = ((abs(away) % one + one) << regime) - one
        return distance if away > 0 else -distance

    def logarithm(self, code: int) -> Fraction:
        """c + m of a magnitude code."""
        return Fraction(self.steps(code), 1 << max(self.bits - 5, 0))

    def magnitude(self, code: int) -> Fraction:
        logarithm = self.logarithm(code)
        if self.logarithmic:
            significand, exponent = exp_floor(logarithm / 2, self.precision + 1)
            return ((significand + 1) >> 1) * Fraction(2) ** (exponent + 1)  # never a tie
        characteristic = math.floor(logarithm)
        return (1 + logarithm - characteristic) * Fraction(2) ** characteristic

    def position(self, magnitude: Fraction) -> Fraction:
        if self.logarithmic:
            return self._logarithmic_position(magnitude)
        scale = floor_log2(magnitude)
        return self._position(scale + magnitude / Fraction(2) ** scale - 1)

    def _position(self, logarithm: Fraction) -> Fraction:
        """Where c + m lies among the magnitude codes."""
        start = 1 + abs(logarithm)
        regime = floor_log2(start)
        regimes = regime + start / (1 << regime) - 1
        return (1 << (self.bits - 2)) + (regimes if logarithm > 0 else -regimes) * Fraction(2) ** (self.bits - 5)

    def _logarithmic_position(self, magnitude: Fraction) -> Fraction:
        """The position as far as any rounding asks: on the right side of every k / 2**31."""
        if magnitude == 1:
            return Fraction(1 << (self.bits - 2))
        digits = self.bits // 3 + 16
        while True:  # ends, as ln x is irrational for every other x
            ends = (self._position(2 * end) for end in ln_bounds(magnitude, digits))
            low, high = (math.floor(end * 2**_DECIDING_BITS) for end in ends)
            if low == high:
                break
            digits *= 2
        position = Fraction(2 * low + 1, 2 << _DECIDING_BITS)
        code = round(position)
        reach = Fraction(2) ** (self.bits - 4 - self.precision) + Fraction(1, 1 << _DECIDING_BITS)
        if abs(position - code) <= reach and 1 <= code <= self.limits()[0]:
            value = self.magnitude(code)
            if (magnitude >= value and position < code) or (magnitude <= value and position > code):
                return Fraction(code)  # between the true value and the given one
        return position

    def spelling(self) -> str:
        return f"takum{'log' if self.logarithmic else ''}<{self.bits}>"

    @property
    def precision(self) -> int:
        return max(53, self.bits - 3) if self.logarithmic else max(self.bits - 4, 1)

    @property
    def lsb_exponent(self) -> int:
        below = self.precision - 1 if self.logarithmic else max(self.bits - 12, 0)
        return floor_log2(self.smallest) - below
