"""Logarithmic numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from fmtemu.formats.base import Format, Value
from fmtemu.formats.logarithm import floor_exp2, floor_log2, is_power_of_two

#: How the exponent field below the sign counts.
EXPONENTS = {
    "signed": "two's complement: -2**(n-1) .. 2**(n-1) - 1 for n bits",
    "rising": "0, 1, 2 .. 2**n - 1",
    "falling": "0, -1, -2 .. 1 - 2**n",
}
#: What the code of the least exponent means.
LNS_SPECIALS = {
    "nan": "zero, and with the sign bit NaN",
    "zero": "zero, and with the sign bit -0",
    "none": "a number like all others: there is no zero",
}
#: Where rounding is to the nearest.
COORDINATES = ("log", "linear")

_LARGEST_LOGARITHM = 1 << 16


@dataclass(frozen=True, repr=False)
class LNS(Format):
    """A sign and the exponent L of the magnitude 2**(L * step / 2**frac_bits).

    ``exponent`` says how L is coded below the sign (EXPONENTS), ``specials`` what its least code
    means (LNS_SPECIALS; by default "nan", or "zero" without a sign). Rounding is in the logarithm,
    which goes on below the smallest value: a number half a step under it in log2 rounds to zero.
    With coordinate="linear" the values are first rounded to 24 bits and numbers between them in
    value. Irrational values are read as their float64; what lies between a value and its float32
    or float64 counts as the value. Swartzlander and Alexopoulos, The Sign/Logarithm Number System, 1975.
    """

    bits: int
    frac_bits: int
    signed: bool = True
    specials: str | None = None
    exponent: str = "signed"
    step: Fraction = Fraction(1)
    coordinate: str = "log"

    family = "lns"

    def __post_init__(self) -> None:
        self._check_flags("signed")
        self._check_count("bits", 1 + self.signed, 63 + self.signed)
        self._check_count("frac_bits", 0, 64)
        if self.specials is None:
            object.__setattr__(self, "specials", self._default("specials", None))
        for name, allowed in (("specials", LNS_SPECIALS), ("exponent", EXPONENTS), ("coordinate", COORDINATES)):
            if getattr(self, name) not in tuple(allowed):
                raise ValueError(f"LNS: {name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if self.specials == "nan" and not self.signed:
            raise ValueError("LNS: specials='nan' is for signed formats: NaN is the zero with a sign; use zero or none")
        if isinstance(self.step, bool) or not isinstance(self.step, int | Fraction):
            raise TypeError(f"LNS: step must be an integer or a Fraction, got {self.step!r}")
        if self.step <= 0:
            raise ValueError(f"LNS: step must be positive, got {self.step}")
        object.__setattr__(self, "step", Fraction(self.step))
        if max(map(abs, self._exponents)) * self.log_step > _LARGEST_LOGARITHM:
            raise ValueError(f"LNS: values must stay within 2**+-{_LARGEST_LOGARITHM}: use fewer bits or a finer step")
        carrier, finest = ("float32", 22) if self.coordinate == "linear" else ("float64", 51)
        if self.log_step.denominator > 1 << finest:
            raise ValueError(
                f"LNS: {carrier} must tell neighbouring values apart: the denominator of "
                f"step / 2**frac_bits must be at most 2**{finest}, got {self.log_step}"
            )

    def _default(self, name: str, default: object) -> object:
        return ("nan" if self.signed else "zero") if name == "specials" else default

    # -- layout ------------------------------------------------------------------------------
    @property
    def log_step(self) -> Fraction:
        """The distance of neighbouring values in log2: step / 2**frac_bits."""
        return self.step / (1 << self.frac_bits)

    @property
    def sign_bit(self) -> int:
        """The sign's place in a code, or 0 without a sign."""
        return 1 << (self.bits - 1) if self.signed else 0

    @property
    def field_mask(self) -> int:
        """The ones of the exponent field."""
        return (1 << (self.bits - self.signed)) - 1

    @property
    def _exponents(self) -> tuple[int, int]:
        """The least and the greatest L, the least being that of zero if there is one."""
        half = (self.field_mask + 1) >> 1
        return {"signed": (-half, half - 1), "rising": (0, self.field_mask), "falling": (-self.field_mask, 0)}[
            self.exponent
        ]

    @property
    def least_exponent(self) -> int:
        """The L of magnitude code 0."""
        return self._exponents[0]

    def limits(self) -> tuple[int, int]:
        return self.field_mask, self.field_mask if self.signed else 0 if self.has_zero else -1

    def join(self, negative: bool, magnitude_code: int) -> int:
        exponent = magnitude_code + self.least_exponent
        field = (-exponent if self.exponent == "falling" else exponent) & self.field_mask
        signed = negative and (magnitude_code or not self.has_zero or self.has_negative_zero)
        return field | self.sign_bit if signed else field

    @property
    def has_zero(self) -> bool:
        return self.specials != "none"

    @property
    def has_negative_zero(self) -> bool:
        return self.signed and self.specials == "zero"

    @property
    def nan_code(self) -> int | None:
        return self.join(False, 0) | self.sign_bit if self.specials == "nan" else None

    # -- values ------------------------------------------------------------------------------
    def value(self, code: int) -> Value:
        return self.value_in(code, 53)

    def value_in(self, code: int, precision: int) -> Value:
        if code == self.nan_code:
            return float("nan")
        field = code & self.field_mask
        exponent = -field if self.exponent == "falling" else field
        if self.exponent == "signed" and field > self.field_mask >> 1:
            exponent -= self.field_mask + 1
        negative, magnitude = bool(code & self.sign_bit), self.magnitude(exponent - self.least_exponent, precision)
        if negative and not magnitude:
            return -0.0
        return -magnitude if negative else magnitude

    def magnitude(self, magnitude_code: int, precision: int = 53) -> Fraction:
        """The value of a magnitude code, rounded to nearest in so many significant bits and read
        as a number even beyond the largest."""
        if magnitude_code == 0 and self.has_zero:
            return Fraction(0)
        return self.power((magnitude_code + self.least_exponent) * self.log_step, precision)

    def power(self, exponent: Fraction, precision: int) -> Fraction:
        """2**exponent as a value of this format: rounded to ``precision`` significant bits, or to
        the 24 of the linear coordinate."""
        return _rounded_exp2(exponent, 24 if self.coordinate == "linear" else precision)

    def locate(self, magnitude: Fraction) -> tuple[int, int, Fraction]:
        code, d = self._place(magnitude)
        if self.coordinate == "linear":
            return self._locate_in_value(magnitude, max(code, 0))
        first = int(self.has_zero)
        if code >= first and (d == 0 or magnitude <= max(self._readings(code))):
            return code, code + 1, Fraction(0)
        if code + 1 >= first and magnitude >= min(self._readings(code + 1)):
            return code + 1, code + 2, Fraction(0)
        if code < 0 or (code == 0 and d == 0):  # a step or more below the smallest value
            return 0, 1, _LEAST_POSITION if self.has_zero else Fraction(0)
        return code, code + 1, d

    def _place(self, magnitude: Fraction) -> tuple[int, Fraction]:
        """The magnitude code next below in the logarithm, which may be negative, and the position
        after it: exact where it is rational, else the middle of the interval between multiples of
        2**-64 that it lies in, so that it compares with all of these as the true position does."""
        rate = 1 / self.log_step
        if is_power_of_two(magnitude):
            position = (magnitude.numerator.bit_length() - magnitude.denominator.bit_length()) * rate
        else:
            position = Fraction(2 * floor_log2(magnitude, rate * 2**64) + 1, 2**65)
        lower = position.numerator // position.denominator
        return lower - self.least_exponent, position - lower

    def _readings(self, code: int) -> list[Fraction]:
        """A value as the carriers hold it that tell all values apart."""
        return [self.magnitude(code, precision) for precision in ((53,) if self.precision == 53 else (24, 53))]

    def _locate_in_value(self, magnitude: Fraction, code: int) -> tuple[int, int, Fraction]:
        """As ``locate``; ``code`` is next to the lower one, as values are rounded."""
        if magnitude < self.magnitude(code):
            if code == 0:
                return 0, 1, Fraction(0)
            code -= 1
        elif magnitude >= self.magnitude(code + 1):
            code += 1
        low, high = self.magnitude(code), self.magnitude(code + 1)
        return code, code + 1, (magnitude - low) / (high - low)

    def spelling(self) -> str:
        options = [] if self.signed else ["unsigned"]
        options += [] if self.exponent == "signed" else [self.exponent]
        options += [] if self.specials == self._default("specials", None) else [str(self.specials)]
        options += [] if self.step == 1 else [f"step={self.step}"]
        options += [] if self.coordinate == "log" else [self.coordinate]
        return f"lns<{','.join([str(self.bits), str(self.frac_bits), *options])}>"

    # -- facts -------------------------------------------------------------------------------
    @property
    def count(self) -> int:
        return (1 + self.signed) * (self.field_mask + (not self.has_zero)) + self.has_zero

    @property
    def is_carrier_rounded(self) -> bool:
        return self.log_step.denominator > 1 and self.coordinate == "log"

    @property
    def precision(self) -> int:
        """1 for powers of two; else the 24 bits of float32 where these tell all values apart, or
        the 53 of float64: irrational values need all they get."""
        if self.log_step.denominator == 1:
            return 1
        low, high = self._ends
        float32 = self.log_step * (1 << 22) >= 1 and low >= -126 and high <= 127
        return 24 if float32 or self.coordinate == "linear" else 53

    @property
    def lsb_exponent(self) -> int:
        return self._ends[0] + 1 - self.precision

    @property
    def _ends(self) -> tuple[int, int]:
        """floor(log2) of the smallest and the largest value."""
        least, greatest = self._exponents
        return math.floor((least + self.has_zero) * self.log_step), math.floor(greatest * self.log_step)


#: The position of numbers too small to have one: next to zero, and yet no zero.
_LEAST_POSITION = Fraction(1, 2**65)


@lru_cache(maxsize=1 << 16)
def _rounded_exp2(exponent: Fraction, precision: int) -> Fraction:
    """2**exponent, rounded to nearest in so many significant bits."""
    whole = exponent.numerator // exponent.denominator
    if exponent.denominator == 1:
        return Fraction(2) ** whole
    doubled = floor_exp2(exponent - whole + precision)  # one bit more; an irrational number is no tie
    return ((doubled + 1) >> 1) * Fraction(2) ** (whole + 1 - precision)
