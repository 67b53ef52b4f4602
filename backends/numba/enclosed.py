"""Casts by bounds: what fmtemu.kernels.enclosed leaves open, the definition decides, one number at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from fmtemu import exact
from fmtemu.backends.numba.compile import compiled_drawn, compiled_draws, compiled_enclosed, compiled_singles
from fmtemu.backends.numba.draws import ROOM
from fmtemu.backends.numba.lookup import lookup, value_table
from fmtemu.kernels.plan import Plan
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import Stochastic

#: Elements at a time: all that is held of them stays in the second-level cache.
PIECE = 1 << 14
#: The same where a loop goes by chunks of its own, and only what it leaves open needs this array's room.
SINGLE_PIECE = 1 << 17


def enclosed_values(plan: Plan) -> Any:
    """The fields, where the table begins, and the table; with those of a short cut two arrays."""
    full = np.array([*plan.values, len(plan.values) + 1, *plan.table], np.int64)
    return full if plan.quick is None else (full, np.array(plan.quick_values, np.int32))


@dataclass(frozen=True, eq=False)
class EnclosedLoop:
    """What Route.loop is for a plan of fmtemu.kernels.enclosed: to codes of dtype ``codes``, or of values."""

    quantizer: Quantizer
    family: str
    to_codes: bool
    in_pairs: bool

    def __call__(self, x: Any, y: Any, values: Any, key0: Any = None, key1: Any = None, offset: Any = 0) -> bool:
        """y = codes or values of x; returns whether x has a NaN."""
        rounding, size = self.quantizer.rounding, min(PIECE, x.size)
        loop, draw = compiled_enclosed(self.family, "stochastic" if rounding.is_stochastic else "any"), compiled_draws()
        store = self._pairs if self.in_pairs else self._codes if self.to_codes else self._values(y.dtype)
        source, codes, places = np.empty(size), np.empty(size, np.int64), np.empty(size, np.int64)
        random, first, has_nan = np.zeros(size + ROOM, np.int32), int(offset), False
        for start in range(0, x.size, PIECE):
            size = min(PIECE, x.size - start)
            with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
                source[:size] = x[start : start + size]
            drawn = random
            if isinstance(rounding, Stochastic):
                drawn = random[draw(random, size, np.uint64(first + start), rounding.bits, key0, key1) :]
            count, nan_here = loop(source[:size], drawn, codes, places, values)
            for place in places[:count].tolist():
                codes[place] = self._define(float(source[place]), int(drawn[place]))
            store(codes[:size], y, start)
            if nan_here and not self.to_codes and self.quantizer.outcomes.nan is None:
                y[start : start + size][np.isnan(source[:size])] = np.nan
            has_nan |= nan_here
        return has_nan

    def _define(self, number: float, random: int) -> int:
        """The code by the definition, as a word of 64 bits."""
        code = exact.encode(Fraction(number), self.quantizer, random)
        assert code is not None  # numbers that are finite have one
        return code - (code >> 63 << 64)

    def _codes(self, codes: Any, y: Any, start: int) -> None:
        y[start : start + codes.size] = codes

    def _pairs(self, codes: Any, y: Any, start: int) -> None:
        y[start // 2 : (start + codes.size) // 2] = codes[::2] | codes[1::2] << 4

    def _values(self, dtype: np.dtype[Any]) -> Callable[[Any, Any, int], None]:
        look_up = lookup(self.quantizer.format, dtype)

        def store(codes: Any, y: Any, start: int) -> None:
            look_up(codes, y[start : start + codes.size])

        return store


@dataclass(frozen=True, eq=False)
class DrawnLoop:
    """What Route.loop is for a short cut ``single`` of fmtemu.kernels.drawn_quick."""

    single: str

    def __call__(self, x: Any, y: Any, values: Any, key0: Any, key1: Any, offset: Any) -> bool:
        """y = codes or values of x; returns whether x has a NaN."""
        none = np.empty(0, np.int32)  # is left open
        loop = compiled_drawn(self.single, y.dtype.name)
        return bool(loop(x, y, np.empty(0, y.dtype), none, none, *values, key0, key1, offset)[1])


@dataclass(frozen=True, eq=False)
class SingleLoop(EnclosedLoop):
    """The same for sources that float32 holds, by the kernel ``single`` of fmtemu.kernels.enclosed_single first."""

    single: str

    def __call__(self, x: Any, y: Any, values: Any, key0: Any = 0, key1: Any = 0, offset: Any = 0) -> bool:
        """y = codes or values of x; returns whether x has a NaN."""
        chosen = self.quantizer.rounding
        rounding = (
            "stochastic" if chosen.is_stochastic else "nearest_even" if chosen.name.startswith("nearest") else "any"
        )
        loop = compiled_singles(self.family, self.single, rounding, y.dtype.name)
        results = np.empty(0, y.dtype) if self.to_codes else value_table(self.quantizer.format, y.dtype)
        places, drawn = np.empty((2, min(SINGLE_PIECE, x.size)), np.int32)
        keys, has_nan = (np.uint32(key0), np.uint32(key1)), False
        for start in range(0, x.size, SINGLE_PIECE):
            part = x[start : start + SINGLE_PIECE]
            with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
                source = part.astype(np.float32, copy=False)
            target = np.empty(part.size, y.dtype) if self.in_pairs else y[start : start + part.size]
            first = np.uint64(int(offset) + start)
            count, nan_here = loop(source, target, results, places, drawn, *values, *keys, first)
            for place, random in zip(places[:count].tolist(), drawn[:count].tolist(), strict=True):
                code = self._define(float(source[place]), random)
                target[place] = code if self.to_codes else results[code]
            if self.in_pairs:
                self._pairs(target, y, start)
            if nan_here and not self.to_codes and self.quantizer.outcomes.nan is None:
                target[np.isnan(source)] = np.nan
            has_nan |= nan_here
        return has_nan
