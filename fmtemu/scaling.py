"""find_scale: the factor between an array and the numbers of a format."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fmtemu.cast import cast
from fmtemu.formats import Format
from fmtemu.quantizer import Quantizer, as_quantizer

Scales = NDArray[np.float32]

#: The names of the methods, with what each does.
METHODS = {
    "absmax": "the largest magnitude lands on the format's largest value",
    "least_squares": "the squared error of the cast is smallest",
}

_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)  # a subnormal scale would itself be imprecise
_OCTAVES_OF_CLIPPING = 8
_ELEMENTS_AT_ONCE = 1 << 19  # small arrays are cast under several scales in one call
_REFINEMENTS = (1 / 16, 1 / 128)  # the step of each, in octaves; the grid before them has 1/2


def find_scale(x: Scales, q: object, *, method: str = "absmax", axis: int | None = None) -> Scales:
    """The float32 scale s that fits float32 ``x`` to Q, for ``cast(x, q, scale=s)``.

    ``absmax``: max|x| / largest. ``least_squares``: minimises sum (x - cast(x, q, scale=s))**2 over
    half octaves from absmax / 256 to twice absmax (posits: twice where max|x| meets 1, near which
    they are most precise), then around the best by 1/16, then 1/128 octave. absmax is a candidate, so
    it is never worse. One scale per tensor (shape ()), or per index of ``axis`` (x's shape with every
    other axis 1). All zeros: 1. Never below 2**-126.
    Raises TypeError unless x is float32, ValueError for NaN, infinity, and an unknown method.
    """
    quantizer = as_quantizer(q)
    if quantizer.rounding.is_stochastic:
        raise ValueError(f"find_scale needs a deterministic rounding, got {quantizer.rounding}")
    _check(x, method, axis)
    rows = x.reshape(1, -1) if axis is None else np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)
    magnitude = np.max(np.abs(rows), axis=1, initial=0).astype(np.float64)
    scales = _as_scales(np.where(magnitude > 0, magnitude / _as_float(quantizer.format.largest), 1), quantizer)
    if method == "least_squares":
        scales = _least_squares(rows, quantizer, scales)
    shape = () if axis is None else tuple(n if i == axis % x.ndim else 1 for i, n in enumerate(x.shape))
    return scales.reshape(shape)


def _least_squares(rows: Scales, quantizer: Quantizer, absmax: Scales) -> Scales:
    """Of each row the scale of least squared error; ``absmax`` are the scales to start from."""
    best, least = absmax, _squared_errors(rows, quantizer, absmax[np.newaxis])[0]

    def search(octaves: NDArray[np.float64]) -> None:
        nonlocal best, least
        around = best
        at_once = max(1, _ELEMENTS_AT_ONCE // max(rows.size, 1))
        for start in range(0, len(octaves), at_once):
            factors = np.exp2(octaves[start : start + at_once, np.newaxis])
            scales = _as_scales(around * factors, quantizer)
            errors = _squared_errors(rows, quantizer, scales)
            winner = np.argmin(errors, axis=0)[np.newaxis]
            scale, error = (np.take_along_axis(a, winner, axis=0)[0] for a in (scales, errors))
            best, least = np.where(error < least, scale, best), np.minimum(error, least)

    search(np.arange(-_OCTAVES_OF_CLIPPING, _octaves_above(quantizer.format) + 0.5, 0.5))
    reach = 0.5
    for step in _REFINEMENTS:
        search(np.arange(-reach + step, reach, step))
        reach = step
    return best


def _squared_errors(rows: Scales, quantizer: Quantizer, scales: Scales) -> NDArray[np.float64]:
    """sum (x - cast(x, scale=s))**2 of every row, for several scales of each: scales[k, row]."""
    stacked = np.broadcast_to(rows, (len(scales), *rows.shape))
    error = rows.astype(np.float64) - cast(stacked, quantizer, scale=scales[:, :, np.newaxis])
    return np.asarray(np.einsum("krn,krn->kr", error, error))


def _octaves_above(fmt: Format) -> int:
    """How far above absmax the best scale can lie."""
    return 1 + (fmt.emax if fmt.family == "posit" else 0)


def _as_scales(scales: NDArray[np.float64] | Scales, quantizer: Quantizer) -> Scales:
    rounded = np.maximum(scales, _SMALLEST_SCALE)
    if np.max(rounded, initial=0) > np.finfo(np.float32).max:
        raise ValueError(f"x is too large for {quantizer.format}: its scale would exceed float32")
    return np.asarray(rounded, dtype=np.float32)


def _as_float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")  # the scale then is the smallest one


def _check(x: object, method: str, axis: int | None) -> None:
    if not isinstance(x, np.ndarray) or x.dtype != np.float32:
        given = f"{x.dtype} array" if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"find_scale: x must be a float32 NumPy array, got {given}")
    if method not in METHODS:
        raise ValueError(f"find_scale: unknown method {method!r}; allowed: {', '.join(METHODS)}")
    if axis is not None and (not isinstance(axis, int) or isinstance(axis, bool)):
        raise TypeError(f"find_scale: axis must be an int or None, got {axis!r}")
    if axis is not None and not -x.ndim <= axis < x.ndim:
        raise ValueError(f"find_scale: axis {axis} is out of range for an array of {x.ndim} dimensions")
    if not np.isfinite(x).all():
        raise ValueError("find_scale: x contains NaN or infinity")
