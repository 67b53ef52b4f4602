"""find_scale: the factor between an array and the numbers of a format."""

from __future__ import annotations

from collections.abc import Callable
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
_REFINEMENTS = (1 / 16, 1 / 128)  # the step of each, in octaves; the grid before them has 1/2


def find_scale(x: Scales, q: object, *, method: str = "absmax", axis: int | None = None) -> Scales:
    """The float32 scale s that fits float32 ``x`` to Q, for ``cast(x, q, scale=s)``.

    ``absmax``: max|x| / largest. ``least_squares``: minimises sum (x - cast(x, q, scale=s))**2 over
    half octaves from absmax / 256 to twice where max|x| meets 1 (tapered formats are most precise
    there), then within half an octave of the best by steps of 1/16, then 1/128 octave; absmax itself
    is a candidate, so it is never worse. One scale per tensor (shape ()), or per index of ``axis``
    (x's shape with every other axis 1). All zeros: 1. Never below 2**-126.
    Raises TypeError unless x is float32, ValueError for NaN, infinity, and an unknown method.
    """
    quantizer = as_quantizer(q)
    _check(x, method, axis)
    other_axes = None if axis is None else tuple(i for i in range(x.ndim) if i != axis % x.ndim)

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.sum(values, axis=other_axes, keepdims=axis is not None))

    magnitude = np.max(np.abs(x), axis=other_axes, keepdims=axis is not None, initial=0).astype(np.float64)
    absmax = _as_scales(np.where(magnitude > 0, magnitude / _as_float(quantizer.format.largest), 1), quantizer)
    return absmax if method == "absmax" else _least_squares(x, quantizer, absmax, total)


def _least_squares(
    x: Scales, quantizer: Quantizer, absmax: Scales, total: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> Scales:
    best = absmax
    least = _squared_error(x, quantizer, best, total)

    def search(around: Scales, octaves: NDArray[np.float64]) -> None:
        nonlocal best, least
        for factor in np.exp2(octaves):
            scale = _as_scales(around * factor, quantizer)
            error = _squared_error(x, quantizer, scale, total)
            better = error < least
            best, least = np.where(better, scale, best), np.where(better, error, least)

    search(absmax, np.arange(-_OCTAVES_OF_CLIPPING, _octaves_above(quantizer.format) + 0.5, 0.5))
    reach = 0.5
    for step in _REFINEMENTS:
        search(best, np.arange(-reach + step, reach, step))
        reach = step
    return best


def _octaves_above(fmt: Format) -> int:
    """How far above absmax the best scale can lie: for formats with values above 1, that many octaves."""
    tapered = fmt.family == "posit"
    return 1 + (max(fmt.emax, 0) if tapered else 0)


def _squared_error(
    x: Scales, quantizer: Quantizer, scale: Scales, total: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    error = x.astype(np.float64) - cast(x, quantizer, scale=scale)
    return total(error * error)


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
