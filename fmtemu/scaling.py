"""find_scale: the factor between an array and the numbers of a format."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from fmtemu.cast import cast, decode, encode, load_backend
from fmtemu.encoded import Encoded
from fmtemu.formats import Scaled
from fmtemu.quantizer import Quantizer, as_quantizer
from fmtemu.scale_search import METHODS, Reals, Scales, as_rows, as_scales, check_method, clipping_points, least_squares

__all__ = ["METHODS", "find_scale"]

_ELEMENTS_AT_ONCE = 1 << 19  # small arrays are cast under several scales in one call
#: The factors around a tile's scale that are tried, in octaves.
_AROUND = np.arange(-2, 1.01, 1 / 16)


def find_scale(x: Any, q: object, *, method: str = "absmax", axis: int | None = None, percentile: float = 99.9) -> Any:
    """The float32 scale s that fits float32 ``x`` to Q, for ``cast(x, q, scale=s)``.

    ``method`` is one of METHODS. least_squares tries half octaves from absmax / 256 to twice absmax
    (posits, HiFloat8: twice where max|x| meets 1, near which they are most precise), then around the best
    1/16, then 1/128 octave; it is never worse than absmax. One scale per tensor (shape ()), or per index of
    ``axis`` (x's shape with every other axis 1); of a Scaled one per tile, a number of its scale
    format: its rule's, or near it the one of least squared error. All zeros: 1, or the rule's. Never
    below 2**-126. x may be a torch CPU tensor. Raises TypeError unless x is float32, ValueError for
    NaN, infinity, and an unknown method.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(x, torch.Tensor):
        array = load_backend("fmtemu.backends.torch.tensors").as_array(x, "x")
        return torch.from_numpy(np.asarray(find_scale(array, q, method=method, axis=axis, percentile=percentile)))
    quantizer = as_quantizer(q)
    if quantizer.rounding.is_stochastic:
        raise ValueError(f"find_scale needs a deterministic rounding, got {quantizer.rounding}")
    check_method("find_scale", method, quantizer.element.format, percentile)
    check_array("find_scale", x, axis)
    if isinstance(quantizer.format, Scaled):
        return _of_tiles(x, quantizer, quantizer.format, method, axis)
    rows = as_rows(x, axis)
    magnitudes = np.abs(rows).astype(np.float64)
    points = clipping_points(magnitudes, np.ones(magnitudes.shape), method, quantizer.format, percentile)
    scales = as_scales(points, quantizer.format)
    if method == "least_squares":

        def errors(tried: Scales) -> Reals:
            return _squared_errors(rows, quantizer, tried)

        scales = least_squares(scales, errors, quantizer.format, max(1, _ELEMENTS_AT_ONCE // max(rows.size, 1)))
    shape = () if axis is None else tuple(n if i == axis % x.ndim else 1 for i, n in enumerate(x.shape))
    return scales.reshape(shape)


def check_array(owner: str, x: object, axis: int | None) -> None:
    """Raise unless x is a finite float32 array that has the axis."""
    if not isinstance(x, np.ndarray) or x.dtype != np.float32:
        given = f"{x.dtype} array" if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"{owner}: x must be a float32 NumPy array, got {given}")
    if axis is not None and (isinstance(axis, bool) or not hasattr(axis, "__index__")):
        raise TypeError(f"{owner}: axis must be an int or None, got {axis!r}")
    if axis is not None and not -x.ndim <= axis < x.ndim:
        raise ValueError(f"{owner}: axis {axis} is out of range for an array of {x.ndim} dimensions")
    if not np.isfinite(x).all():
        raise ValueError(f"{owner}: x contains NaN or infinity")


def _squared_errors(rows: Scales, quantizer: Quantizer, scales: Scales) -> Reals:
    """sum (x - cast(x, scale=s))**2 of every row, for several scales of each: scales[k, row]."""
    stacked = np.broadcast_to(rows, (len(scales), *rows.shape))
    error = rows.astype(np.float64) - cast(stacked, quantizer, scale=scales[:, :, np.newaxis])
    return np.asarray(np.einsum("krn,krn->kr", error, error))


# -- formats with scales -----------------------------------------------------------------------


def _of_tiles(x: Scales, quantizer: Quantizer, fmt: Scaled, method: str, axis: int | None) -> Scales:
    """One scale per tile: by the rule, or of those near it the one of least squared error."""
    if axis is not None:
        raise ValueError(f"find_scale: {fmt} says itself which elements share a scale; leave axis out")
    if method not in ("absmax", "least_squares"):
        raise ValueError(f"find_scale: the scales of {fmt} are by its rule (absmax) or least_squares, not {method}")
    scales = _scales_of(encode(x, quantizer), fmt)
    if method == "absmax":
        return scales
    best, least = scales, _tile_errors(x, quantizer, fmt, scales)
    lowest, highest = (float(bound) for bound in fmt.scaling.bounds)
    for factor in np.exp2(_AROUND):
        near = np.clip(cast(scales * np.float64(factor), fmt.scaling.numbers, overflow="saturate"), lowest, highest)
        tried = near.astype(np.float32)
        errors = _tile_errors(x, quantizer, fmt, tried)
        best, least = np.where(errors < least, tried, best), np.minimum(errors, least)
    return best


def _scales_of(encoded: Encoded, fmt: Scaled) -> Scales:
    scales: Scales = encoded.scales if fmt.scaling.scale is None else decode(encoded.scales, fmt.scaling.scale)
    return scales


def _tile_errors(x: Scales, quantizer: Quantizer, fmt: Scaled, scales: Scales) -> Reals:
    """sum (x - cast(x, scale=scales))**2 of every tile."""
    error = np.square(x.astype(np.float64) - cast(x, quantizer, scale=scales))
    for axis, size in enumerate(fmt.scaling.extents(x.shape)):
        if x.size:
            error = np.add.reduceat(error, np.arange(0, x.shape[axis], size), axis=axis)
    return np.asarray(error)
