"""What became of the values of a cast: counts and the ratio of signal to noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Tally:
    """Values before and after a cast: how many there are, changed, and are finite no more; the sums of squares
    of those that stay finite and of their errors; and the bytes they take afterwards."""

    values: int = 0
    changed: int = 0
    lost: int = 0
    signal: float = 0.0
    noise: float = 0.0
    bytes: int = 0

    def add(self, before: Any, after: Any) -> None:
        """Count values of two equal shapes. A NaN that stays one is not changed, nor is a zero of another sign."""
        x, y = before.astype(np.float64).reshape(-1), after.astype(np.float64).reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            errors = x - y
            signal, noise = _sum_of_squares(x), _sum_of_squares(errors)
            if math.isfinite(signal) and math.isfinite(noise):  # no infinity, no NaN
                changed = np.count_nonzero(errors)
            else:
                changed = np.count_nonzero((x != y) & ~(np.isnan(x) & np.isnan(y)))
                kept = np.isfinite(errors)
                self.lost += int(np.count_nonzero(np.isfinite(x) & ~kept))
                x, errors = x[kept], errors[kept]
                signal, noise = _sum_of_squares(x), _sum_of_squares(errors)
        self.values += before.size
        self.changed += int(changed)
        self.signal += signal
        self.noise += noise

    def __iadd__(self, other: Tally) -> Tally:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self

    @property
    def sqnr(self) -> float:
        """The ratio of signal to quantization noise in dB, 10 log10(sum x**2 / sum (x - y)**2); infinite without
        noise, NaN where a sum is beyond float64."""
        if not (math.isfinite(self.signal) and math.isfinite(self.noise)):
            return math.nan
        if self.noise == 0:
            return math.inf
        return 10 * math.log10(self.signal / self.noise) if self.signal else -math.inf


def _sum_of_squares(x: Any) -> float:
    return float(np.einsum("i,i->", x, x))  # by one thread: a piece is too small for those of BLAS
