"""Observer: the scale of a stream of batches, found without keeping them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmtemu.cast import cast
from fmtemu.formats import Scaled
from fmtemu.quantizer import as_quantizer
from fmtemu.scale_search import Reals, Scales, as_rows, as_scales, check_method, clipping_points, least_squares
from fmtemu.scaling import check_array

#: Low mantissa bits of float32 that a bin does not tell apart: bins are 2**-10 wide, relative to their numbers.
_DROPPED = 13
_BIN_BITS = 32 - _DROPPED


class Observer:
    """Accumulates batches, and tells the scale that find_scale would find for all of them together.

    ``update(x)`` takes a float32 array of any shape (with ``axis``: of one length along it), ``scale()`` gives
    the scale, of the shape that find_scale gives for the last batch. absmax is exact; the other methods see
    numbers in bins 2**-10 wide, relative to their magnitude, each with its count, sum and sum of
    squares: memory grows with the range of the numbers, not with how many there are.
    """

    def __init__(self, q: object, *, method: str = "absmax", axis: int | None = None, percentile: float = 99.9) -> None:
        self.quantizer, self.method, self.axis, self.percentile = as_quantizer(q), method, axis, percentile
        if isinstance(self.quantizer.format, Scaled):
            raise ValueError(f"Observer: {self.quantizer.format} finds its scales in every array; observe its element")
        if self.quantizer.rounding.is_stochastic:
            raise ValueError(f"Observer needs a deterministic rounding, got {self.quantizer.rounding}")
        check_method("Observer", method, self.quantizer.format, percentile)
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.count = 0
        self._shape: tuple[int, ...] = ()
        self._largest: Any = None
        self._bins = np.zeros(0, np.int64)  # index along the axis, sign, exponent and first mantissa bits
        self._sums = np.zeros((3, 0))  # of 1, x and x**2 over a bin

    def update(self, x: Any) -> None:
        """Take a batch. Raises TypeError unless it is float32, ValueError for NaN or infinity."""
        check_array("Observer", x, self.axis)
        rows = as_rows(x, self.axis)
        if self._largest is not None and len(rows) != len(self._largest):
            raise ValueError(
                f"Observer: x has {len(rows)} indices along axis {self.axis}, the first had {len(self._largest)}"
            )
        largest = np.max(np.abs(rows), axis=1, initial=0).astype(np.float64)
        self._largest = largest if self._largest is None else np.maximum(self._largest, largest)
        self._shape = (
            () if self.axis is None else tuple(n if i == self.axis % x.ndim else 1 for i, n in enumerate(x.shape))
        )
        self.count += x.size
        if self.method != "absmax":
            numbers = rows.ravel()
            bins = np.ascontiguousarray(numbers).view(np.uint32).astype(np.int64) >> _DROPPED
            bins += np.repeat(np.arange(len(rows), dtype=np.int64), rows.shape[1]) << _BIN_BITS
            exact = numbers.astype(np.float64)
            self._merge(bins, np.stack([np.ones(exact.size), exact, exact**2]))

    def scale(self) -> Scales:
        """The float32 scale for all batches; raises ValueError before the first."""
        if self._largest is None:
            raise ValueError("Observer: no batch has been seen; call update(x) first")
        fmt = self.quantizer.format
        if self.method == "absmax":
            return as_scales(self._largest, fmt).reshape(self._shape)
        scales = [self._scale_of(row) for row in range(len(self._largest))]
        return np.asarray(scales, np.float32).reshape(self._shape)

    def _merge(self, bins: Any, sums: Reals) -> None:
        every = np.concatenate([self._bins, bins])
        self._bins, place = np.unique(every, return_inverse=True)
        sums = np.concatenate([self._sums, sums], axis=1)
        self._sums = np.stack([np.bincount(place, weights=part, minlength=len(self._bins)) for part in sums])

    def _scale_of(self, row: int) -> Any:
        """The scale of one index along the axis."""
        fmt = self.quantizer.format
        start, stop = np.searchsorted(self._bins, [row << _BIN_BITS, (row + 1) << _BIN_BITS])
        count, total, squares = self._sums[:, start:stop]
        mean = total / count
        points = clipping_points(np.abs(mean)[np.newaxis], count[np.newaxis], self.method, fmt, self.percentile)
        if self.method != "least_squares":
            return as_scales(points, fmt)[0]

        def errors(tried: Scales) -> Reals:
            means = np.broadcast_to(mean.astype(np.float32), (len(tried), mean.size))
            values = cast(means, self.quantizer, scale=tried).astype(np.float64)
            return np.asarray(np.sum(squares - 2 * values * total + values**2 * count, axis=1, keepdims=True))

        return least_squares(as_scales(self._largest[row : row + 1], fmt), errors, fmt, 8)[0]
