"""What every number format can tell about itself."""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any

#: The value of a code: exact for numbers; ``nan``, ``inf``, ``-inf`` and ``-0.0`` as float.
Value = Fraction | float


def floor_log2(x: Fraction) -> int:
    """floor(log2(x)) of a positive x, exactly."""
    e = x.numerator.bit_length() - x.denominator.bit_length()
    return e if Fraction(2) ** e <= x else e - 1


def check_count(owner: str, name: str, given: Any, lowest: int, highest: int) -> int:
    """``given`` as an int; raises unless it is an integer (NumPy's too) with lowest <= given <= highest."""
    if isinstance(given, bool) or not hasattr(given, "__index__"):
        raise TypeError(f"{owner}: {name} must be an integer, got {given!r}")
    count = operator.index(given)
    if not lowest <= count <= highest:
        raise ValueError(f"{owner}: {name} must be {lowest}..{highest}, got {count}")
    return count


@dataclass(frozen=True, repr=False)
class Format(ABC):
    """A set of numbers and the codes that stand for them; no arrays, no rounding.

    A number is a sign and a *magnitude code*: consecutive magnitude codes are adjacent
    magnitudes, counted on as if the format had no largest value. ``locate`` says where a real
    number falls between them and ``join`` makes the raw code; all rounding is built on the two.
    Only a codebook, where the neighbours of a number may differ in sign, rounds by its ``neighbours``.
    """

    family = ""

    # -- the family defines ------------------------------------------------------------------
    if TYPE_CHECKING:  # a field in some families, computed in others

        @property
        def bits(self) -> int:
            """Bits of a code."""

    @abstractmethod
    def value(self, code: int) -> Value:
        """The number that ``code`` stands for."""

    @abstractmethod
    def locate(self, magnitude: Fraction) -> tuple[int, int, Fraction]:
        """(lower, upper, d): the adjacent magnitude codes with lower <= magnitude < upper and the
        exact position d in [0, 1) between them, in the format's rounding coordinate."""

    @abstractmethod
    def join(self, negative: bool, magnitude_code: int) -> int:
        """The raw code of a sign and a magnitude code within the format's limits."""

    @abstractmethod
    def limits(self) -> tuple[int, int]:
        """The largest magnitude codes of a (positive, negative) number; -1 where there is none."""

    @abstractmethod
    def spelling(self) -> str:
        """The format spelt out, as ``as_format`` reads it back."""

    @property
    @abstractmethod
    def precision(self) -> int:
        """Significand bits that hold every value, the leading one counted."""

    @property
    @abstractmethod
    def lsb_exponent(self) -> int:
        """The exponent of the lowest bit any value needs: every value is a multiple of 2**it."""

    @property
    def nan_code(self) -> int | None:
        """The canonical code of NaN, or None."""
        return None

    @property
    def infinity_code(self) -> int | None:
        """The code of plus infinity, or None."""
        return None

    @property
    def negative_infinity_code(self) -> int | None:
        """The code of minus infinity, or None."""
        return None

    @property
    def is_carrier_rounded(self) -> bool:
        """Whether values are irrational, and each carrier holds its own nearest: see ``value_in``."""
        return False

    @property
    def has_zero(self) -> bool:
        """Whether zero is one of the values."""
        return True

    @property
    def has_negative_zero(self) -> bool:
        """Whether -0 has a code of its own."""
        return False

    @property
    def has_negative(self) -> bool:
        """Whether any value is below zero."""
        return self.limits()[1] > 0

    def value_in(self, code: int, precision: int) -> Value:
        """``value`` as a float of so many significant bits holds it: the value itself, but where
        values are irrational the nearest, rounded once."""
        return self.value(code)

    # -- everything else follows -------------------------------------------------------------
    @property
    def largest(self) -> Fraction:
        """The largest finite value."""
        return self._finite(self.join(False, self.limits()[0]))

    @property
    def lowest(self) -> Fraction:
        """The most negative finite value (0 or the smallest value of an unsigned format)."""
        limit = self.limits()[1]
        return self._finite(self.join(limit > 0, max(limit, 0)))

    @property
    def smallest(self) -> Fraction:
        """The smallest positive value, subnormals included."""
        return self._finite(self.join(False, 1 if self.has_zero else 0))

    @property
    def emax(self) -> int:
        """floor(log2(largest))."""
        return floor_log2(self.largest)

    @property
    def emin(self) -> int:
        """floor(log2) of the smallest positive value that has the format's normal precision."""
        return floor_log2(self.smallest)

    @property
    def eps(self) -> Fraction | None:
        """The distance from 1 to the next larger value; None where 1 or that value is missing."""
        _, upper, d = self.locate(Fraction(1))
        if d or upper > self.limits()[0]:
            return None
        return self._finite(self.join(False, upper)) - 1

    @property
    def count(self) -> int:
        """How many different finite values there are; +0 and -0 are one."""
        positive, negative = self.limits()
        return max(positive, 0) + max(negative, 0) + 1

    def codes(self) -> Iterator[int]:
        """Every code that has a meaning, in ascending order."""
        return iter(range(1 << self.bits))

    def values(self) -> list[Fraction]:
        """All different finite values, ascending; for formats of at most 16 bits."""
        if self.bits > 16:
            raise ValueError(f"{self} has {self.count} values: list those of at most 16 bits")
        found = {Fraction(v) for v in map(self.value, self.codes()) if math.isfinite(v)}
        return sorted(found)

    def _finite(self, code: int) -> Fraction:
        return Fraction(self.value(code))

    def __str__(self) -> str:
        """The shortest name or spelling that ``as_format`` reads back."""
        return CATALOG_NAMES.get(self) or self.spelling()

    def __repr__(self) -> str:
        """The shortest constructor call that makes this format."""
        shown = []
        for f in fields(self):
            value = getattr(self, f.name)
            if f.default is MISSING:
                shown.append(repr(value))
            elif value != self._default(f.name, f.default):
                shown.append(f"{f.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def _check_count(self, name: str, lowest: int, highest: int) -> None:
        """Hold the field as an int within bounds, or raise."""
        count = check_count(type(self).__name__, name, getattr(self, name), lowest, highest)
        object.__setattr__(self, name, count)

    def _check_flags(self, *names: str) -> None:
        for name in names:
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{type(self).__name__}: {name} must be True or False, got {getattr(self, name)!r}")

    def _default(self, name: str, default: object) -> object:
        return default


#: Format -> its name in the catalog, which enters them.
CATALOG_NAMES: dict[Format, str] = {}
