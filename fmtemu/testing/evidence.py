"""What a caster did on the decisions of a scalar format: its wrong results, each under the law it breaks."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmtemu.quantizer import Quantizer
from fmtemu.testing.expectation import agree, expected_values, has_subnormals
from fmtemu.testing.place import Place, place

Array = NDArray[Any]

#: Of more wrong results than this, an even sample is looked at one by one.
_MOST_CASES = 2000


class Case(NamedTuple):
    """One wrong result; ``place`` is where x lies."""

    x: float
    expected: float
    got: float
    place: Place


@dataclass
class Evidence:
    """Inputs ``x`` of dtype ``source`` and what became of them, ``got`` and ``expected`` as float64."""

    quantizer: Quantizer
    source: str
    x: Array
    got: Array
    expected: Array

    @cached_property
    def wrong(self) -> Array:
        """The indices of wrong results."""
        return np.flatnonzero(~agree(self.expected, self.got, self.quantizer.format))

    @cached_property
    def cases(self) -> list[Case]:
        """The wrong results, or an even sample of too many, each confirmed by fmtemu.exact."""
        finite_first = self.wrong[np.argsort(np.abs(self.x[self.wrong]), kind="stable")]
        chosen = finite_first[:: max(1, -(-finite_first.size // _MOST_CASES))]
        special = self.wrong[~np.isfinite(self.x[self.wrong]) | (self.x[self.wrong] == 0)]
        chosen = np.unique(np.concatenate([chosen, special]))
        numbers = self.x[chosen].tolist()
        sure = expected_values(numbers, self.quantizer, self.source)
        still_wrong = ~agree(sure, self.got[chosen], self.quantizer.format)
        rows = zip(numbers, sure.tolist(), self.got[chosen].tolist(), still_wrong.tolist(), strict=True)
        return [Case(x, e, g, place(x, self.quantizer)) for x, e, g, wrong in rows if wrong]

    @cached_property
    def top(self) -> float:
        """The largest finite magnitude among the results of finite inputs."""
        finite = np.isfinite(self.got) & np.isfinite(self.x)
        return float(np.max(np.abs(self.got[finite]), initial=0.0))

    @cached_property
    def bottom(self) -> float:
        """The least finite result of finite inputs."""
        finite = np.isfinite(self.got) & np.isfinite(self.x)
        return float(np.min(self.got[finite], initial=0.0))

    @cached_property
    def flushes(self) -> bool:
        """Whether every number that should become subnormal became zero."""
        fmt = self.quantizer.format
        if not has_subnormals(fmt):
            return False
        size = np.abs(self.expected)
        subnormal = (size > 0) & (size < float(2.0**fmt.emin))
        return bool(subnormal.any() and not self.got[subnormal].any())

    def by_law(self) -> dict[str, list[Case]]:
        """The wrong results under the laws they break. A wrong rounding is wrong among the subnormals and
        in the last cell before overflow too: there it is counted as what it is elsewhere."""
        sure: dict[str, list[Case]] = defaultdict(list)
        unsure: list[tuple[str, str, Case]] = []
        for case in self.cases:
            law, perhaps = self._law(case)
            if perhaps:
                unsure.append((law, perhaps, case))
            else:
                sure[law].append(case)
        broken = set(sure)
        for law, perhaps, case in unsure:
            sure[perhaps if perhaps in broken else law].append(case)
        return dict(sure)

    def _law(self, case: Case) -> tuple[str, str]:
        """The law that a case breaks, and the law that it is rather counted under if that is broken elsewhere."""
        where, rounding = case.place, rounding_law(self.quantizer)
        if where.kind in ("nan", "infinity", "negative"):
            return where.kind, ""
        if case.expected == case.got == 0:
            return "signed_zero", ""
        if where.kind == "zero":
            return "signed_zero" if self.quantizer.format.has_zero else "underflow", ""
        if self.flushes and case.got == 0 and 0 < abs(case.expected) < 2.0**self.quantizer.format.emin:
            return "subnormals", ""
        is_end = abs(case.got) == self.top or not math.isfinite(case.got)
        if self.top < abs(case.x) and is_end and self.top < self.quantizer.format.largest:
            return "overflow", ""
        lowest = float(self.quantizer.format.lowest)
        if case.x < self.bottom and case.got == self.bottom > lowest > -math.inf and self.bottom < 0:
            return "overflow", ""
        neighbour = self._is_neighbour(case)
        is_tie = where.d * 2 == 1 and rounding == "nearest"
        if where.upper is None:  # the last cell, and beyond
            if where.kind == "value":
                return "representable", ""
            if is_tie and neighbour:
                return "ties", ""
            return "overflow", rounding if neighbour else ""
        if where.kind == "value":
            return ("subnormals", "representable") if where.subnormal else ("representable", "")
        if is_tie and neighbour:
            return "ties", ""
        if where.below_smallest:
            return "underflow", rounding if neighbour else ""
        if where.subnormal:
            return "subnormals", rounding if neighbour else ""
        return rounding, ""

    def _is_neighbour(self, case: Case) -> bool:
        """Whether the result is one of the two neighbours, or what overflow becomes next to the largest."""
        where, fmt = case.place, self.quantizer.format
        near = [v for v in (where.lower, where.upper) if v is not None]
        if where.upper is None and where.lower is not None:
            outcomes = self.quantizer.outcomes
            near.append(fmt.value(outcomes.overflow[where.negative]))  # type: ignore[arg-type]
        return any(case.got == float(v) or (case.got != case.got and v != v) for v in near)


def rounding_law(quantizer: Quantizer) -> str:
    """The law that speaks of numbers between two neighbours."""
    name = quantizer.rounding.name
    if quantizer.rounding.is_stochastic:
        return "stochastic_neighbours"
    return "nearest" if name.startswith("nearest") else "to_odd" if name in ("to_odd", "jam") else "directed"


def simplest(cases: list[Case]) -> Case:
    """The case whose input is shortest in binary, nearest to 1, and positive."""

    def rank(case: Case) -> tuple[int, float, bool]:
        if not np.isfinite(case.x) or case.x == 0:
            return 0, 0.0, bool(np.signbit(case.x))
        numerator, denominator = case.x.as_integer_ratio()
        significant = (abs(numerator) // (numerator & -numerator)).bit_length()
        return significant, abs(math.log2(abs(numerator)) - math.log2(denominator)), case.x < 0

    return min(cases, key=rank)
