"""Casts by bounds: what fmtemu.kernels.enclosed leaves open, the definition decides, one number at a time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from fmtemu import exact
from fmtemu.backends.numba.compile import compiled_draws, compiled_enclosed
from fmtemu.backends.numba.lookup import look_up
from fmtemu.kernels.plan import Plan
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import Stochastic

#: Elements at a time: all that is held of them stays in the second-level cache.
PIECE = 1 << 13


def enclosed_values(plan: Plan) -> Any:
    """The fields, where the table begins, and the table."""
    return np.array([*plan.values, len(plan.values) + 1, *plan.table], np.int64)


@dataclass(frozen=True, eq=False)
class EnclosedLoop:
    """What Route.loop is for a plan of fmtemu.kernels.enclosed: to codes of dtype ``codes``, or of values."""

    quantizer: Quantizer
    family: str
    to_codes: bool
    in_pairs: bool

    def __call__(self, x: Any, y: Any, values: Any, key0: Any = None, key1: Any = None, offset: Any = 0) -> bool:
        """y = codes or values of x; returns whether x has a NaN."""
        rounding = self.quantizer.rounding
        loop = compiled_enclosed(self.family, "stochastic" if rounding.is_stochastic else "any")
        size = min(PIECE, x.size)
        source, random = np.empty(size), np.zeros(size + 128, np.int64)
        codes, places, has_nan = np.empty(size, np.int64), np.empty(size + 1, np.int64), False
        for start in range(0, x.size, PIECE):
            part = slice(start, min(start + PIECE, x.size))
            size = part.stop - start
            with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
                source[:size] = x[part]
            drawn = random
            if isinstance(rounding, Stochastic):
                first = int(offset) + start
                lead = first % 64
                groups = random[: -(-(lead + size) // 64) * 64]
                compiled_draws()(groups, rounding.bits, np.uint64(first - lead), key0, key1)
                drawn = random[lead:]
            count, nan_here = loop(source[:size], drawn, codes, places, values)
            for place in places[:count].tolist():
                codes[place] = self._define(float(source[place]), int(drawn[place]))
            has_nan |= nan_here
            self._store(codes[:size], y, part)
            if nan_here and not self.to_codes and self.quantizer.outcomes.nan is None:
                y[part][np.isnan(source[:size])] = np.nan
        return has_nan

    def _define(self, number: float, random: int) -> int:
        """The code by the definition, as a word of 64 bits."""
        code = exact.encode(Fraction(number), self.quantizer, random)
        assert code is not None  # numbers that are finite have one
        return code - (code >> 63 << 64)

    def _store(self, codes: Any, y: Any, part: slice) -> None:
        if self.in_pairs:
            y[part.start // 2 : (part.stop + 1) // 2] = codes[::2] | codes[1::2] << 4
        elif self.to_codes:
            y[part] = codes
        else:
            look_up(codes, self.quantizer.format, y[part])
