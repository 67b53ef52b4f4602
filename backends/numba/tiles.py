"""Tiles of an array: reducing each to a number, and giving each element its tile's number."""

from __future__ import annotations

from typing import Any

import numpy as np

Extents = tuple[int, ...]


def reduce_tiles(reduce: Any, x: Any, extents: Extents) -> Any:
    """``reduce`` (a ufunc such as numpy.maximum) over every tile: one entry per tile, on the same axes."""
    for axis, size in enumerate(extents):
        length = x.shape[axis]
        if size == 1 or length == 0:
            continue
        if size >= length:
            x = reduce.reduce(x, axis=axis, keepdims=True)
        else:
            x = reduce.reduceat(x, np.arange(0, length, size), axis=axis)
    return x


def spread(grid: Any, extents: Extents, shape: tuple[int, ...], rows: slice = slice(None)) -> Any:
    """Each element's entry of ``grid``, for an array of ``shape``, or some of its first axis's rows.

    Axes on which all elements have one entry keep the length 1.
    """
    for axis, (size, length) in enumerate(zip(extents, shape, strict=True)):
        if grid.shape[axis] > 1:
            chosen = np.arange(length)[rows] if axis == 0 else np.arange(length)
            grid = np.take(grid, chosen // size, axis=axis)
    return grid
