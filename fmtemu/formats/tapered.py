"""Tapered formats: more digits near 1, fewer toward both ends of the range."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from fractions import Fraction

from fmtemu.formats.base import Format, Value

#: Of a positive number below every takum, of however many bits: it decides as all positions near zero do.
_LEAST_POSITION = Fraction(1, 1 << 64)


@dataclass(frozen=True, repr=False)
class Tapered(Format):
    """What posits and takums share: codes of either sign ordered as two's complement integers.

    A negative number is the two's complement of its magnitude's code; 0...0 is zero and 10...0 is
    NaR ("not a real"), read as NaN. Rounding is in the encoding, as if its bits went on without
    end; by default nothing becomes zero (see Edges), and nothing NaR.
    """

    @abstractmethod
    def magnitude(self, code: int) -> Fraction:
        """The value of a magnitude code from 1 up to the largest."""

    @abstractmethod
    def position(self, magnitude: Fraction) -> Fraction:
        """Where a positive number lies among the magnitude codes, if their bits went on without end."""

    @property
    def nan_code(self) -> int:
        return 1 << (self.bits - 1)

    def limits(self) -> tuple[int, int]:
        largest = (1 << (self.bits - 1)) - 1
        return largest, largest

    def value(self, code: int) -> Value:
        if code == self.nan_code:
            return float("nan")
        if code == 0:
            return Fraction(0)
        return -self.magnitude(self.join(True, code)) if code > self.nan_code else self.magnitude(code)

    def locate(self, magnitude: Fraction) -> tuple[int, int, Fraction]:
        position, largest = self.position(magnitude), self.limits()[0]
        if position <= 0:
            return 0, 1, _LEAST_POSITION
        lower = position.numerator // position.denominator
        if lower < largest:
            return lower, lower + 1, position - lower
        return largest, largest + 1, Fraction(0)

    def join(self, negative: bool, magnitude_code: int) -> int:
        return -magnitude_code & ((1 << self.bits) - 1) if negative else magnitude_code
