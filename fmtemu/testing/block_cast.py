"""Casting arrays to formats with scales by definition, tile by tile; also with a part of it exchanged."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from numpy.typing import NDArray

from fmtemu import exact, exact_scaled
from fmtemu.formats import Scaled
from fmtemu.formats.base import Value
from fmtemu.quantizer import Quantizer
from fmtemu.testing.points import exact_value

Array = NDArray[Any]
Part = tuple[slice, ...]
#: Gives a tile's scale from its values, the format and the outer scale.
FindScale = Callable[[Sequence[Value], Scaled, Fraction], Fraction]


class Tile(NamedTuple):
    """A tile of an array: where it lies, whether it is short, its numbers and its outer scale t."""

    part: Part
    short: bool
    values: list[Value]
    t: Value


def tiles_of(x: Array, fmt: Scaled) -> list[Tile]:
    """The tiles of an array, in the C order of their grid."""
    extents = fmt.scaling.extents(x.shape)
    outer: dict[tuple[int, ...], Value] = {}
    large = fmt.outer.extents(x.shape) if fmt.outer is not None else x.shape
    if fmt.outer is not None:
        for part in _parts(x.shape, large):
            outer[tuple(s.start for s in part)] = exact_scaled.outer_scale(_numbers(x[part]), fmt)
    tiles = []
    for part in _parts(x.shape, extents):
        corner = tuple(s.start - s.start % size for s, size in zip(part, large, strict=True))
        short = x[part].shape != extents
        tiles.append(Tile(part, short, _numbers(x[part]), outer.get(corner, Fraction(1))))
    return tiles


def _parts(shape: tuple[int, ...], extents: tuple[int, ...]) -> list[Part]:
    axes = [
        [slice(start, min(start + size, length)) for start in range(0, length, size)]
        for length, size in zip(shape, extents, strict=True)
    ]
    return list(itertools.product(*axes))


def _numbers(x: Array) -> list[Value]:
    return [exact_value(v) for v in x.astype(float).ravel().tolist()]


def cast_tile(tile: Tile, quantizer: Quantizer, source: str, random: int = 0) -> list[float]:
    """The values of a tile after the cast, by fmtemu.exact_scaled."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    encoded = exact_scaled.encode(tile.values, quantizer, tile.t, [random] * len(tile.values))
    return [float(v) for v in exact_scaled.decode(encoded, fmt, tile.t, source)]


def cast_tile_with(
    tile: Tile, quantizer: Quantizer, source: str, find_scale: FindScale, via: Quantizer | None = None
) -> list[float]:
    """As cast_tile, with a scale found in another way, or quotients that are rounded ``via`` another format
    first; for symmetric scalings."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    is_wild = fmt.scaling.nonfinite == "nan" and not all(map(exact_scaled.is_finite, tile.values))
    if is_wild or tile.t != tile.t:
        return [math.nan] * len(tile.values)
    t = Fraction(tile.t)
    scale = find_scale(tile.values, fmt, t)
    quotients = [exact_scaled.divide(v, fmt, scale, t) for v in tile.values]
    if via is not None:
        quotients = [exact.cast(q, via) if exact_scaled.is_finite(q) else q for q in quotients]
    codes = [exact.encode(q, quantizer.element) for q in quotients]
    decoded = exact_scaled.decode(exact_scaled.Tile(scale, 0, codes), fmt, t, source)
    return [float(v) for v in decoded]
