"""Codebooks: any sorted table of numbers."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any

from fmtemu.formats.base import Format, Value, floor_log2

_MOST_ENTRIES = 1 << 16


@dataclass(frozen=True, repr=False)
class Codebook(Format):
    """The numbers of a sorted table: code i stands for ``entries[i]``.

    ``entries`` are 2 to 65536 different finite floats, ascending. They need not be symmetric,
    contain zero, have both signs, or be a power of two in number: codes past the last are unused
    and read as NaN. The table is used as given; scale the numbers that are cast to it.

    A number is rounded in value, between the two entries around it. A tie goes by the parity of
    the code. Beyond both ends it saturates, in every rounding. Zero is a number like all others,
    and positive where its sign matters.
    """

    entries: tuple[float, ...]

    family = "codebook"

    def __post_init__(self) -> None:
        if not isinstance(self.entries, Iterable) or isinstance(self.entries, str):
            raise TypeError(f"Codebook: entries must be a table of numbers, got {self.entries!r}")
        entries = tuple(map(_exact_float, self.entries))
        if not 2 <= len(entries) <= _MOST_ENTRIES:
            raise ValueError(f"Codebook: there must be 2..{_MOST_ENTRIES} entries, got {len(entries)}")
        for low, high in pairwise(entries):
            if not low < high:
                raise ValueError(f"Codebook: entries must ascend, got {low!r} before {high!r}; sort them")
        object.__setattr__(self, "entries", tuple(entry or 0.0 for entry in entries))  # -0 is 0

    @cached_property
    def _hash(self) -> int:
        return hash((Codebook, self.entries))

    def __hash__(self) -> int:
        return self._hash

    @property
    def bits(self) -> int:
        return (len(self.entries) - 1).bit_length()

    def codes(self) -> Iterator[int]:
        return iter(range(len(self.entries)))

    def value(self, code: int) -> Value:
        return Fraction(self.entries[code]) if code < len(self.entries) else math.nan

    # -- rounding ----------------------------------------------------------------------------
    def neighbours(self, x: Fraction) -> tuple[int, int, Fraction]:
        """(lower, upper, d): the codes of the two entries around x, the one of smaller magnitude
        first (of equal magnitudes the one with the sign of x), and the exact position d in [0, 1)
        of x from the first to the second; the code of the end twice where x is beyond it."""
        below = bisect_right(self.entries, x) - 1
        if below >= 0 and self.entries[below] == x:
            return below, below, Fraction(0)
        if below < 0 or below + 1 == len(self.entries):
            end = max(below, 0)
            return end, end, Fraction(0)
        return self.between(below, x)

    def between(self, below: int, x: Fraction) -> tuple[int, int, Fraction]:
        """What ``neighbours`` gives for a number strictly between the entries ``below`` and below + 1."""
        low, high = (Fraction(entry) for entry in self.entries[below : below + 2])
        if abs(low) < abs(high) or (abs(low) == abs(high) and x < 0):
            return below, below + 1, (x - low) / (high - low)
        return below + 1, below, (high - x) / (high - low)

    # -- the numbers of each sign, counted from zero outward ---------------------------------
    @cached_property
    def _first(self) -> int:
        """The code of the first number that is not negative."""
        return bisect_right(self.entries, -math.ulp(0.0))

    def limits(self) -> tuple[int, int]:
        return len(self.entries) - 1 - self._first, self._first - int(not self.has_zero)

    def join(self, negative: bool, magnitude_code: int) -> int:
        if negative:
            return self._first - magnitude_code - int(not self.has_zero)
        return self._first + magnitude_code

    def locate(self, magnitude: Fraction) -> tuple[int, int, Fraction]:
        """Among the numbers that are not negative; ``neighbours`` looks at all."""
        code = bisect_right(self.entries, magnitude, lo=self._first) - 1
        if code + 1 == len(self.entries) or code < self._first:
            lower = max(code - self._first, 0)
            return lower, lower + 1, Fraction(0)
        low, high = (Fraction(entry) for entry in self.entries[code : code + 2])
        return code - self._first, code - self._first + 1, (magnitude - low) / (high - low)

    # -- facts -------------------------------------------------------------------------------
    @property
    def has_zero(self) -> bool:
        return self._first < len(self.entries) and self.entries[self._first] == 0

    @property
    def has_negative(self) -> bool:
        return self.entries[0] < 0

    @property
    def largest(self) -> Fraction:
        return Fraction(self.entries[-1])

    @property
    def lowest(self) -> Fraction:
        return Fraction(self.entries[0])

    @property
    def smallest(self) -> Fraction:
        """The smallest positive value; of a table without one the smallest magnitude."""
        positive = [entry for entry in self.entries[self._first :] if entry > 0]
        return Fraction(positive[0] if positive else min(-entry for entry in self.entries if entry))

    @property
    def emax(self) -> int:
        """floor(log2(largest)); of a table without positive values that of the largest magnitude."""
        return floor_log2(self.largest if self.largest > 0 else -self.lowest)

    @property
    def eps(self) -> Fraction | None:
        if 1.0 not in self.entries[:-1]:
            return None
        return Fraction(self.entries[self.entries.index(1.0) + 1]) - 1

    @property
    def count(self) -> int:
        return len(self.entries)

    @cached_property
    def precision(self) -> int:
        return max(_significant_bits(Fraction(entry)) for entry in self.entries)

    @cached_property
    def middle_bits(self) -> int:
        """Significand bits that hold the middle of any two neighbours."""
        return max(_significant_bits(Fraction(low) + Fraction(high)) for low, high in pairwise(self.entries))

    @cached_property
    def lsb_exponent(self) -> int:
        return min(_last_bit(Fraction(entry)) for entry in self.entries if entry)

    def spelling(self) -> str:
        return f"codebook<{','.join(repr(entry).removesuffix('.0') for entry in self.entries)}>"


def _exact_float(entry: Any) -> float:
    try:
        number = float(entry)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or number != entry:
        raise ValueError(f"Codebook: entries must be finite numbers that float64 holds exactly, got {entry!r}")
    return number


def _last_bit(x: Fraction) -> int:
    """The exponent of the lowest bit of a number that is a multiple of a power of two, and not 0."""
    return (x.numerator & -x.numerator).bit_length() - x.denominator.bit_length()


def _significant_bits(x: Fraction) -> int:
    return floor_log2(abs(x)) - _last_bit(x) + 1 if x else 0
