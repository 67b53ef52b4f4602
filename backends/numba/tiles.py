"""Tiles of an array: reducing each to a number, and giving each element its tile's number."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmtemu.backends.numba.compile import compiled_greatest
from fmtemu.backends.numba.run import run_parts

Extents = tuple[int, ...]

#: Sizes of adjoining tiles that the compiler knows, so that its vectors fill them.
_USUAL_SIZES = (16, 32)


def usual_size(size: int) -> int:
    """The size that a loop is compiled for, or 0."""
    return size if size in _USUAL_SIZES else 0


def adjoining(shape: tuple[int, ...], extents: Extents) -> int:
    """The elements of a tile where every tile is whole, and a run of adjoining elements in C order; else 0."""
    run, whole = 1, True
    for length, size in zip(reversed(shape), reversed(extents), strict=True):
        if length == 0 or length % min(size, length) or (not whole and size > 1 and length > 1):
            return 0
        run *= min(size, length)
        whole = whole and size >= length
    return run


def tile_grid(shape: tuple[int, ...], extents: Extents) -> tuple[int, ...]:
    """How many tiles there are along every axis."""
    return tuple(-(-length // size) for length, size in zip(shape, extents, strict=True))


def find_greatest(x: Any, size: int) -> tuple[Any, Any]:
    """The greatest finite magnitudes of the adjoining tiles of the flat float32 array x, and which tiles have NaN or
    infinities; None if none has."""
    bits = np.empty(x.size // size, np.int32)
    loop = compiled_greatest(usual_size(size))

    def part(start: int, stop: int) -> bool:
        return bool(loop(x[start:stop], bits[start // size : stop // size], size))

    tops = bits.view(np.float32)
    if not run_parts(part, x.size, size):
        return tops, None
    wild = ~np.isfinite(tops)
    tiles = x.reshape(-1, size)[wild]
    tops[wild] = np.where(np.isfinite(tiles), np.abs(tiles), 0).max(axis=1)
    return tops, wild


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


def spread(grid: Any, extents: Extents, shape: tuple[int, ...]) -> Any:
    """Each element's entry of ``grid``, for an array of ``shape``; axes on which all have one keep the length 1."""
    for axis, (size, length) in enumerate(zip(extents, shape, strict=True)):
        if grid.shape[axis] > 1 and size > 1:
            grid = np.take(grid, np.arange(length) // size, axis=axis)
    return grid
