"""Tiles of an array: reducing each to a number, and giving each element its tile's number."""

from __future__ import annotations

from typing import Any

import numpy as np

Extents = tuple[int, ...]


def adjoining(shape: tuple[int, ...], extents: Extents) -> int:
    """The elements of a tile where every tile is whole, and a run of adjoining elements in C order; else 0."""
    run, whole = 1, True
    for length, size in zip(reversed(shape), reversed(extents), strict=True):
        if length == 0 or length % min(size, length) or (not whole and size > 1 and length > 1):
            return 0
        run *= min(size, length)
        whole = whole and size >= length
    return run


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
        if grid.shape[axis] > 1 and size == 1 and axis == 0:
            grid = grid[rows]
        elif grid.shape[axis] > 1 and size > 1:
            chosen = np.arange(length)[rows] if axis == 0 else np.arange(length)
            grid = np.take(grid, chosen // size, axis=axis)
    return grid
