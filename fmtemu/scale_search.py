"""How a scale is searched for: clipping points from magnitudes, and least squares by trial."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmtemu.formats import Format
from fmtemu.formats.fixed import FixedPoint

Scales = NDArray[np.float32]
Reals = NDArray[np.float64]

#: The names of the methods, with what each does.
METHODS = {
    "absmax": "the largest magnitude lands on the format's largest value",
    "percentile": "the magnitude that so many percent of the numbers do not exceed lands there; larger ones saturate",
    "least_squares": "of many scales that are tried, the one of which the cast has the smallest squared error",
    "octav": "of evenly spaced formats: Newton's iteration for the clipping point of least expected squared error",
}

_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)  # a subnormal scale would itself be imprecise
_OCTAVES_OF_CLIPPING = 8
_REFINEMENTS = (1 / 16, 1 / 128)  # the step of each, in octaves; the grid before them has 1/2
_NEWTON_STEPS = 100


def as_rows(x: Any, axis: int | None) -> Any:
    """x as a matrix: a row per index of the axis, or all of it in one row."""
    moved = x[np.newaxis] if axis is None else np.moveaxis(x, axis, 0)
    return moved.reshape(len(moved), math.prod(moved.shape[1:]))


def clipping_points(magnitudes: Reals, counts: Reals, method: str, fmt: Format, percentile: float) -> Reals:
    """What is to land on the largest value, for every row of magnitudes that occur ``counts`` times each; 0 for a
    row of zeros. least_squares starts from absmax."""
    if method == "percentile":
        return _percentiles(magnitudes, counts, percentile)
    if method == "octav":
        return _octav(magnitudes, counts, fmt)
    return np.asarray(np.max(magnitudes, axis=1, initial=0))


def as_scales(points: Reals, fmt: Format) -> Scales:
    """The float32 scales that put the points on the format's largest value; 1 for 0."""
    return checked(np.where(points > 0, points / _as_float(fmt.largest), 1), fmt)


def least_squares(start: Scales, errors: Callable[[Scales], Reals], fmt: Format, at_once: int) -> Scales:
    """Of each row the scale of least squared error near ``start``; errors(scales[k, row]) tells those of k
    scales of every row, and is asked for ``at_once`` of them at a time."""
    best, least = start, errors(start[np.newaxis])[0]

    def search(octaves: Reals) -> None:
        nonlocal best, least
        around = best
        for first in range(0, len(octaves), at_once):
            factors = np.exp2(octaves[first : first + at_once, np.newaxis])
            scales = checked(around * factors, fmt)
            found = errors(scales)
            winner = np.argmin(found, axis=0)[np.newaxis]
            scale, error = (np.take_along_axis(a, winner, axis=0)[0] for a in (scales, found))
            best, least = np.where(error < least, scale, best), np.minimum(error, least)

    search(np.arange(-_OCTAVES_OF_CLIPPING, _octaves_above(fmt) + 0.5, 0.5))
    reach = 0.5
    for step in _REFINEMENTS:
        search(np.arange(-reach + step, reach, step))
        reach = step
    return best


def checked(scales: Reals | Scales, fmt: Format) -> Scales:
    """The scales in float32, at least 2**-126; raises where float32 has none so large."""
    rounded = np.maximum(scales, _SMALLEST_SCALE)
    if np.max(rounded, initial=0) > np.finfo(np.float32).max:
        raise ValueError(f"x is too large for {fmt}: its scale would exceed float32")
    return np.asarray(rounded, dtype=np.float32)


def check_method(owner: str, method: str, fmt: Format, percentile: float = 99.9) -> None:
    """Raise unless the method is known, and can be used for the format."""
    if method not in METHODS:
        raise ValueError(f"{owner}: unknown method {method!r}; allowed: {', '.join(METHODS)}")
    if fmt.largest <= 0:
        raise ValueError(f"{owner}: {fmt} has no positive number for the largest magnitude to land on")
    if method == "octav" and not isinstance(fmt, FixedPoint):
        raise ValueError(f"{owner}: method='octav' is for evenly spaced formats, not {fmt}; use least_squares")
    if isinstance(percentile, bool) or not isinstance(percentile, (int, float)) or not 0 < percentile <= 100:
        raise ValueError(f"{owner}: percentile must be above 0 and at most 100, got {percentile!r}")


def _percentiles(magnitudes: Reals, counts: Reals, percentile: float) -> Reals:
    """The smallest magnitude of a row that at least ``percentile`` of 100 of its numbers do not exceed."""
    if not magnitudes.shape[1]:
        return np.zeros(len(magnitudes))
    order = np.argsort(magnitudes, axis=1, kind="stable")
    reached = np.cumsum(np.take_along_axis(counts, order, axis=1), axis=1)
    # Counts are integers; the ceiling is that of an exact product, but for the last bits of percentile / 100.
    wanted = np.ceil(np.round(reached[:, -1:] * (percentile / 100), 6))
    first = np.argmax(reached >= wanted, axis=1)[:, np.newaxis]
    return np.asarray(np.take_along_axis(np.take_along_axis(magnitudes, order, axis=1), first, axis=1)[:, 0])


def _octav(magnitudes: Reals, counts: Reals, fmt: Format) -> Reals:
    """The clipping point c of least expected error c**2 * noise * P(0 < |x| <= c) + E[(|x| - c)**2; |x| > c], with
    noise = step**2 / 12 for c = 1, by c <- E[|x|; |x| > c] / (noise * P(0 < |x| <= c) + P(|x| > c)).

    Source: Sakr et al., Optimal Clipping and Magnitude-aware Differentiation for Improved
    Quantization-aware Training, ICML 2022, equation 6, with the step c / largest that the scale has here.
    """
    noise = 1 / (12 * fmt.limits()[0] ** 2)
    weights = counts * (magnitudes > 0)
    total = np.maximum(weights.sum(axis=1), 1)
    points = (weights * magnitudes).sum(axis=1) / total
    for _ in range(_NEWTON_STEPS):
        above = weights * (magnitudes > points[:, np.newaxis])
        beyond = above.sum(axis=1)
        divisor = noise * (total - beyond) + beyond
        after = np.where(divisor > 0, (above * magnitudes).sum(axis=1) / np.where(divisor > 0, divisor, 1), points)
        if np.array_equal(after, points):
            break
        points = after
    return np.asarray(np.minimum(points, np.max(magnitudes, axis=1, initial=0)))


def _octaves_above(fmt: Format) -> int:
    """How far above absmax the best scale can lie."""
    return 1 + (fmt.emax if fmt.family in ("posit", "takum", "hifloat") else 0)


def _as_float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")  # the scale then is the smallest one
