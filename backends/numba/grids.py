"""Where the numbers of an array's tiles stand, for loops over its elements in C order, whatever the tiles' shape.

An array is rows of its last axis. The tiles that a row crosses are a band, which other rows may cross too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fmtemu.backends.numba.compile import compiled_mapped, compiled_tops
from fmtemu.backends.numba.tiles import Extents, adjoining, tile_grid

#: Elements that go together through several loops, and stay in the core's own cache.
PART = 1 << 16
#: Elements of a tile along a row from which it has an inner loop; narrower tiles' numbers are repeated instead.
_WIDE = 8
_FIRST = np.zeros(1, np.int64)


class Place(NamedTuple):
    """Where the elements of rows find the numbers of their tiles: those of row r begin at bands[r] * across, and each
    is that of ``width`` of the row's ``columns``."""

    bands: Any
    columns: int
    width: int
    across: int


class Grid(NamedTuple):
    """The tiles of an array: their place, and how often the number of each stands in a row."""

    place: Place
    repeats: int

    def parts(self) -> Iterator[tuple[slice, Place, int]]:
        """Elements, their place, and the number that it counts from: whole rows, or parts of one."""
        bands, columns, width, across = self.place
        if columns <= PART:
            step = PART // columns
            for row in range(0, bands.size, step):
                part = bands[row : row + step]
                yield slice(row * columns, (row + part.size) * columns), self.place._replace(bands=part), 0
            return
        step = max(PART // width, 1) * width
        for row, band in enumerate(bands.tolist()):
            for column in range(0, columns, step):
                end = min(column + step, columns)
                for first in range(column, end, min(step, PART)):  # pieces of a tile, or all of some
                    size = min(end - first, PART)
                    start, number = row * columns + first, band * across + first // width
                    yield slice(start, start + size), row_of_tiles(size, width), number

    def numbers(self, of_tiles: Any, dtype: Any) -> Any:
        """The numbers of tiles, in C order, as loops take them."""
        numbers = np.ascontiguousarray(of_tiles, dtype).reshape(-1)
        numbers = numbers if numbers.flags.writeable else numbers.copy()
        if self.repeats == 1:
            return numbers
        columns = self.place.columns
        rows = np.repeat(numbers.reshape(-1, -(-columns // self.repeats)), self.repeats, axis=1)
        return np.ascontiguousarray(rows[:, :columns]).reshape(-1)

    def greatest(self, x: Any, what: str) -> Any:
        """Of the tiles of the flat array x the greatest magnitudes, the greatest of the ``highs`` or what the least of
        the ``lows`` is below 0, at least 0; no finite number where one is infinite or NaN."""
        word = np.dtype(f"i{x.itemsize}").type
        sign, nothing = np.array([np.iinfo(word).min], word), np.zeros(1, word)
        flip, mask = sign if what == "lows" else nothing, ~sign if what == "magnitudes" else ~nothing
        tops, loop = np.zeros((int(self.place.bands.max()) + 1) * self.place.across, word), compiled_tops(x.dtype)
        for part, place, first in self.parts():
            loop(x[part], tops[first:], *place, flip, mask)
        if self.repeats > 1:
            starts = np.arange(0, self.place.columns, self.repeats)
            tops = np.ascontiguousarray(np.maximum.reduceat(tops.reshape(-1, self.place.columns), starts, axis=1))
        return tops.reshape(-1).view(x.dtype)


def make_grid(shape: tuple[int, ...], extents: Extents) -> Grid:
    """The grid of an array that is not empty."""
    size = adjoining(shape, extents)
    if size:
        count = int(np.prod(shape, dtype=np.int64))
        return Grid(Place(_FIRST, count, size, count // size), 1)
    bands = np.zeros(1, np.int64)
    for length, extent, tiles in zip(shape[:-1], extents, tile_grid(shape, extents), strict=False):
        bands = (bands[:, None] * tiles + np.arange(length) // extent).ravel()
    columns, width = shape[-1], min(extents[-1], shape[-1])
    if width < _WIDE:
        return Grid(Place(bands, columns, 1, columns), width)
    return Grid(Place(bands, columns, width, -(-columns // width)), 1)


def row_of_tiles(size: int, tile: int) -> Place:
    """The place of ``size`` adjoining elements in tiles that are runs of ``tile``."""
    return Place(_FIRST, size, tile, 0)


def apply(step: str, x: Any, y: Any, place: Place, *numbers: Any) -> None:
    """y = what a step of fmtemu.backends.numba.grid_loops makes of x and the numbers of its tiles."""
    three = (*numbers, *numbers[-1:] * (3 - len(numbers)))
    compiled_mapped(step, x.dtype, y.dtype)(x, y, *three, *place)
