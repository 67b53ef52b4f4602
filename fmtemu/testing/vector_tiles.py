"""Golden vectors of formats with scales: tiles at the decisions of their scale and of their elements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmtemu import exact, exact_scaled
from fmtemu.formats import Format, Scaled
from fmtemu.formats.base import Value
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import Stochastic
from fmtemu.testing.number_line import decision_magnitudes, magnitude, magnitude_at
from fmtemu.testing.points import exact_value, special_points, with_neighbours
from fmtemu.testing.vector_columns import Column
from fmtemu.testing.vector_inputs import turning_randoms

Array = NDArray[Any]

#: Elements of a tile that extends along whole axes.
_WHOLE = 16
#: Outer scales in turn: 1, and significands of many bits.
_OUTER = (Fraction(1), Fraction(0x800001, 1 << 30), Fraction(0xFFFFFF, 1 << 22))


def tile_size(fmt: Scaled) -> int:
    """How many elements a tile of the vectors has."""
    return fmt.scaling.size or _WHOLE


def tile_columns(quantizer: Quantizer, dtype: np.dtype[Any]) -> list[Column]:
    """The columns of a row, which is one tile."""
    fmt, rounding = quantizer.format, quantizer.rounding
    assert isinstance(fmt, Scaled)
    size, numbers = tile_size(fmt), fmt.scaling.numbers
    columns = [Column("input", 8 * dtype.itemsize, size, "input", f"the bits of a {dtype.name}")]
    if fmt.outer is not None:
        outer = fmt.outer.numbers
        columns.append(Column("outer_scale", outer.bits, 1, "input", f"the code of the outer scale t, {outer}"))
    if isinstance(rounding, Stochastic):
        columns.append(Column("random", rounding.bits, size, "input", "the random integer R"))
    columns.append(Column("scale", numbers.bits, 1, "expected", f"the code of the scale s, {numbers}"))
    if fmt.scaling.affine:
        columns.append(Column("zero_point", fmt.bits, 1, "expected", f"the code of the zero point, {fmt.element}"))
    return [*columns, Column("code", fmt.bits, size, "expected", f"the code of {fmt.element}")]


def tile_rows(quantizer: Quantizer, dtype: np.dtype[Any], most: int) -> tuple[dict[str, list[Any]], bool]:
    """At most so many tiles and what they become, and whether every scale is asked for."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    codes, every = _scale_codes(fmt, (most - _SPECIAL_TILES) // _TILES_PER_SCALE)
    if not codes:
        raise ValueError(f"most must be at least {_SPECIAL_TILES + _TILES_PER_SCALE} tiles for {fmt}, got {most}")
    tiles = [*_special_tiles(fmt, dtype), *_tiles_at_scales(fmt, dtype, codes)]
    data: dict[str, list[Any]] = {
        name: [] for name in ("input", "outer_scale", "random", "scale", "zero_point", "code")
    }
    for tile, t in tiles:
        row = _row(tile, t, quantizer)
        if None not in row["code"]:  # a NaN of an element that has none
            for name, given in row.items():
                data[name].append(given)
    return data, every


def decoded_tiles(data: Mapping[str, Array], fmt: Scaled, source: str) -> Array:
    """The values of the tiles that columns describe, in float64."""
    carrier, element = ("float64" if source == "float64" else "float32"), fmt.element
    rows = []
    for index, codes in enumerate(data["code"].reshape(len(data["scale"]), -1).tolist()):
        scale = fmt.scaling.numbers.value(int(data["scale"][index]))
        zero_point = int(Fraction(element.value(int(data["zero_point"][index])))) if "zero_point" in data else 0
        t = fmt.outer.numbers.value(int(data["outer_scale"][index])) if fmt.outer is not None else Fraction(1)
        tile = exact_scaled.Tile(scale, zero_point, codes)
        rows.append([float(value) for value in exact_scaled.decode(tile, fmt, t, carrier)])
    return np.array(rows, np.float64).reshape(data["code"].shape)


def _row(tile: Array, t: Fraction, quantizer: Quantizer) -> dict[str, Any]:
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    values = [exact_value(x) for x in tile.tolist()]
    randoms = [0] * len(values)
    if quantizer.rounding.is_stochastic:
        scale = exact_scaled.encode(values, quantizer, t, randoms).scale
        randoms = [_random(x, index, quantizer, scale, t) for index, x in enumerate(values)]
    made = exact_scaled.encode(values, quantizer, t, randoms)
    return {
        "input": tile.view(f"u{tile.itemsize}").tolist(),
        "outer_scale": _code(t, fmt.outer.numbers) if fmt.outer is not None else 0,
        "random": randoms,
        "scale": _code(made.scale, fmt.scaling.numbers),
        "zero_point": fmt.element.join(made.zero_point < 0, abs(made.zero_point)) if fmt.scaling.affine else 0,
        "code": made.codes,
    }


def _random(x: Value, index: int, quantizer: Quantizer, scale: Value, t: Fraction) -> int:
    """A random integer on which an element turns: the least that takes it away from zero, or the one below."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    if scale != scale:
        return 0
    if quantizer.via is not None and x == x:
        x = exact.cast(x, Quantizer(quantizer.via))
    quotient = exact_scaled.divide(x, fmt, Fraction(scale), t)
    rounded = Quantizer("int64", quantizer.rounding) if fmt.scaling.affine else quantizer.element
    randoms = turning_randoms(quotient, rounded)
    return randoms[index % len(randoms)]


def _code(number: Value, fmt: Format) -> int:
    code = fmt.nan_code if number != number else exact.encode(number, Quantizer(fmt))
    assert code is not None
    return code


# -- tiles -------------------------------------------------------------------------------------


def _scale_codes(fmt: Scaled, most: int) -> tuple[list[int], bool]:
    """Magnitude codes of the scales that the rule may give: all, or the ends and an even spread."""
    numbers = fmt.scaling.numbers
    low, high = (numbers.locate(bound)[0] for bound in fmt.scaling.bounds)
    if high - low < most:
        return list(range(low, high + 1)), True
    return [low + (high - low) * k // max(most - 1, 1) for k in range(most)], False


def _tiles_at_scales(fmt: Scaled, dtype: np.dtype[Any], codes: list[int]) -> Iterator[tuple[Array, Fraction]]:
    """Tiles whose largest element is where a scale begins or ends, and beside it, at every place in turn; the
    others lie at the decisions of an element times the scale, and beside them, in turn."""
    numbers, element, size = fmt.scaling.numbers, fmt.element, tile_size(fmt)
    values, middles = decision_magnitudes(element, 1 << 8)
    units = cycle([(u, step) for step in range(3) for u in sorted({*values, *middles}) if u <= element.largest])
    outer = cycle(_outer_scales(fmt))
    row = 0
    for code in codes:
        t = next(outer)
        s = magnitude(numbers, code)
        past = magnitude_at(numbers, code, Fraction(1, 2))
        for peak in (element.largest * s, element.largest * past, Fraction(2) ** element.emax * s):
            for large in with_neighbours([peak * t], dtype):
                chosen = [next(units) for _ in range(size)]
                beside = with_neighbours([unit * s * t for unit, _ in chosen], dtype).reshape(3, size)
                tile = beside[[step for _, step in chosen], np.arange(size)]
                tile[row // 2 % 2 :: 2] *= -1
                tile[row % size] = -large if row % 3 == 1 else large
                row += 1
                yield tile, t


def _outer_scales(fmt: Scaled) -> list[Fraction]:
    """Outer scales to take in turn, as numbers of their format."""
    if fmt.outer is None:
        return [Fraction(1)]
    return [Fraction(exact.cast(t, Quantizer(fmt.outer.numbers, edges="saturate"))) for t in _OUTER]


def _special_tiles(fmt: Scaled, dtype: np.dtype[Any]) -> list[tuple[Array, Fraction]]:
    """Zeros of both signs, subnormals, the source's largest number alone and with others, NaN and infinities."""
    info, size = np.finfo(dtype), tile_size(fmt)
    ramp = (np.arange(size) - size // 2).astype(dtype)
    tiles = [
        np.zeros(size, dtype),
        -np.zeros(size, dtype),
        ramp * info.smallest_subnormal,
        ramp,
        np.sign(ramp) * info.max,
    ]
    for number in (info.max, *special_points(dtype.name)):
        for background in (np.zeros(size, dtype), ramp):
            tile = background.copy()
            tile[min(size - 1, 3)] = number
            tiles.append(tile)
    return [(tile, Fraction(1)) for tile in tiles]


_SPECIAL_TILES, _TILES_PER_SCALE = 5 + 2 * (1 + special_points("float32").size), 9
