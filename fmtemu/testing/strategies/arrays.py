"""Arrays of numbers on which casts go wrong; for formats with scales, tiles on which scales do."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from fmtemu.formats import Scaled, Scaling, as_format
from fmtemu.testing.number_line import magnitude, magnitude_at
from fmtemu.testing.points import source_dtype, special_points
from fmtemu.testing.strategies.numbers import beside, boundary_values, decisions, one_of_points, signs

Array = NDArray[Any]
Shape = tuple[int, ...]

#: So many different tiles, and different elements of a tile, are drawn; longer ones repeat them.
_DIFFERENT = 4


def arrays(
    fmt: object, shape: int | Shape | st.SearchStrategy[Shape] | None = None, source: str = "float32"
) -> st.SearchStrategy[Array]:
    """Arrays of dtype ``source`` whose elements are boundary_values of a format. For a Scaled, tiles of
    zeros, of numbers at the decisions of a scale and of its elements, with one large number, of
    subnormals, and with NaN or an infinity. Without a ``shape`` small ones of one or two axes, for a
    Scaled those whose last tiles are short. Raises ValueError for a shape that has no such tiles."""
    found, dtype = as_format(fmt), source_dtype(source)
    wanted = (shape,) if isinstance(shape, int) else shape
    if not isinstance(found, Scaled):
        elements = boundary_values(found, source)
        return hnp.arrays(
            dtype, hnp.array_shapes(max_dims=2) if wanted is None else wanted, elements=elements, fill=elements
        )
    if isinstance(wanted, tuple):
        found.scaling.extents(wanted)
    shapes = _shapes(found) if wanted is None else st.just(wanted) if isinstance(wanted, tuple) else wanted
    return _tiled(found, shapes, dtype)


@st.composite
def _shapes(draw: st.DrawFn, fmt: Scaled) -> Shape:
    """Of the fewest axes that the tiles name, or one more; whole tiles and, where allowed, a short one."""
    named = [axis for scaling in (fmt.scaling, fmt.outer) if scaling for axis, _ in scaling.tile]
    fewest = max([axis + 1 if axis >= 0 else -axis for axis in named], default=1)
    rank = draw(st.integers(fewest, fewest + 1))
    sizes = {axis % rank: size for axis, size in fmt.scaling.tile}
    sides = []
    for axis in range(rank):
        size = sizes.get(axis, fmt.scaling.rest) or 1
        short = 0 if fmt.scaling.partial == "error" or size == 1 else draw(st.integers(0, size - 1))
        whole = draw(st.integers(0 if short else 1, 2 if size > 1 else 4))
        sides.append(whole * size + short)
    return tuple(sides)


@st.composite
def _tiled(draw: st.DrawFn, fmt: Scaled, shapes: st.SearchStrategy[Shape], dtype: np.dtype[Any]) -> Array:
    shape = draw(shapes)
    extents = fmt.scaling.extents(shape)
    x = np.zeros(shape, dtype)
    kinds = _tile_kinds(fmt, dtype)
    different = draw(st.lists(_tile(kinds, math.prod(extents)), min_size=1, max_size=_DIFFERENT))
    for place, tile in zip(_tile_slices(shape, extents), itertools.cycle(different), strict=False):
        part = x[place]
        x[place] = tile[: part.size].reshape(part.shape)
    return x


def _tile_slices(shape: Shape, extents: Shape) -> list[tuple[slice, ...]]:
    axes = [
        [slice(start, start + size) for start in range(0, length, size)]
        for length, size in zip(shape, extents, strict=True)
    ]
    return list(itertools.product(*axes))


@st.composite
def _tile(draw: st.DrawFn, kinds: st.SearchStrategy[tuple[Any, ...]], size: int) -> Array:
    """One tile: some elements again and again, and perhaps a large or a special one among them."""
    elements, *others = draw(kinds)
    tile = np.resize(np.array(elements), size)
    for other in others:
        tile[draw(st.integers(0, size - 1))] = other
    return tile


def _tile_kinds(fmt: Scaled, dtype: np.dtype[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """(elements, others ...) of a tile: zeros; elements at decisions times a scale s with one that asks for
    a scale at or beside s, with a far larger one, or with NaN or an infinity; and subnormals."""
    info = np.finfo(dtype)
    zeros = signs(dtype).map(lambda sign: ([sign * dtype.type(0)],))
    multiples = _some(st.integers(-(1 << info.nmant), 1 << info.nmant))
    subnormals = multiples.map(lambda ks: ([info.smallest_subnormal * dtype.type(k) for k in ks],))
    element = fmt.element
    units = st.one_of(decisions(element)).map(lambda number: min(number, element.largest))

    def scaled(code: int) -> st.SearchStrategy[tuple[Any, ...]]:
        s = magnitude(fmt.scaling.numbers, code)
        past = magnitude_at(fmt.scaling.numbers, code, Fraction(1, 2))
        peaks = st.sampled_from((element.largest * s, Fraction(2) ** element.emax * s, element.largest * past))
        large, inside = beside(peaks, dtype), _some(beside(units.map(lambda u: u * s), dtype))
        tiny = element.smallest / element.largest
        return st.one_of(
            st.tuples(inside, large),
            st.tuples(_some(beside(units.map(lambda u: u * s * tiny), dtype)), large),
            st.tuples(inside, large, one_of_points(special_points(dtype.name))),
        )

    return st.one_of(zeros, _scale_codes(fmt.scaling).flatmap(scaled), subnormals)


def _scale_codes(scaling: Scaling) -> st.SearchStrategy[int]:
    """Magnitude codes of the scales that the rule may give; that of 1, or the nearest, is the simplest."""
    numbers = scaling.numbers
    low, one, high = (numbers.locate(number)[0] for number in (scaling.bounds[0], Fraction(1), scaling.bounds[1]))
    one = min(max(one, low), high)
    return st.integers(low - one, high - one).map(lambda steps: one + steps)


def _some(numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(numbers, min_size=1, max_size=_DIFFERENT)
