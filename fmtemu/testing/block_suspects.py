"""What a caster with scales seems to do instead: known mistakes, tried one after the other on whole tiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmtemu import exact, exact_scaled
from fmtemu.edges import Edges
from fmtemu.formats import Format, Scaled
from fmtemu.formats.base import Value, floor_log2
from fmtemu.formats.scaled import SCALE_RULES, Scaling
from fmtemu.quantizer import Quantizer
from fmtemu.testing.block_cast import Tile, cast_tile, cast_tile_with, tiles_of
from fmtemu.testing.suspects import ROUNDING_PHRASES

Array = NDArray[Any]


class Suspect(NamedTuple):
    """A mistake: the law it breaks, what it is, and the values it makes of an array (NaN where it says nothing)."""

    law: str
    phrase: str
    cast: Callable[[Array], Array]


def block_suspects(quantizer: Quantizer, source: str) -> Iterator[Suspect]:
    """Known mistakes of a cast to a format with scales, likeliest first."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    whole = partial(_cast_all, source=source)
    yield from _partial(quantizer, source)
    if fmt.outer is not None:
        inner = Quantizer(Scaled(fmt.element, fmt.scaling), quantizer.rounding, quantizer.edges)
        yield Suspect("block_scale", "leaves out the outer scale", partial(whole, quantizer=inner))
    for rule, meaning in SCALE_RULES.items():
        if rule != fmt.scaling.rule:
            for made in _quantizer(quantizer, partial(replace, fmt.scaling, rule=rule)):
                yield Suspect(
                    "block_scale", f"finds scales by rule {rule!r}: {meaning}", partial(whole, quantizer=made)
                )
    if not fmt.scaling.affine:
        yield from _scales(quantizer, source)
    yield from _tiles(quantizer, whole)
    for name, phrase in ROUNDING_PHRASES.items():
        if name not in (quantizer.rounding.name, "jam"):
            law = "ties" if name.startswith("nearest") else "nearest"
            other = Quantizer(fmt, name, quantizer.edges)
            yield Suspect(law, f"{phrase}, in its elements", partial(whole, quantizer=other))
    for overflow in ("infinity", "nan", "wrap", "sat_zero"):
        try:
            other = Quantizer(fmt, quantizer.rounding, Edges(overflow=overflow))
        except ValueError:
            continue
        becomes = {"infinity": "become infinite", "nan": "become NaN", "wrap": "wrap", "sat_zero": "become 0"}[overflow]
        yield Suspect("overflow", f"lets elements that overflow {becomes}", partial(whole, quantizer=other))
    other_apply = "reciprocal" if fmt.scaling.apply == "divide" else "divide"
    for made in _quantizer(quantizer, partial(replace, fmt.scaling, apply=other_apply)):
        phrase = (
            "multiplies by the reciprocal of the scale in float32: elements are rounded twice"
            if other_apply == "reciprocal"
            else "divides exactly, where the format multiplies by the reciprocal"
        )
        yield Suspect("double_rounding", phrase, partial(whole, quantizer=made))
    other_rule = "element" if fmt.scaling.nonfinite == "nan" else "nan"
    for made in _quantizer(quantizer, partial(replace, fmt.scaling, nonfinite=other_rule)):
        yield Suspect(
            "nan", f"treats tiles with NaN or infinities by nonfinite={other_rule!r}", partial(whole, quantizer=made)
        )


def _quantizer(quantizer: Quantizer, make: Callable[[], Scaling]) -> Iterator[Quantizer]:
    """The quantizer with another scaling, if there can be one."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    try:
        yield Quantizer(Scaled(fmt.element, make(), fmt.outer), quantizer.rounding, quantizer.edges, quantizer.via)
    except (ValueError, TypeError):
        return


def _cast_all(x: Array, quantizer: Quantizer, source: str) -> Array:
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    y = np.empty(x.shape)
    for tile in tiles_of(x, fmt):
        y[tile.part] = np.reshape(cast_tile(tile, quantizer, source), y[tile.part].shape)
    return y


def _cast_with(x: Array, quantizer: Quantizer, source: str, find_scale: Callable[..., Fraction]) -> Array:
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    y = np.empty(x.shape)
    for tile in tiles_of(x, fmt):
        y[tile.part] = np.reshape(cast_tile_with(tile, quantizer, source, find_scale), y[tile.part].shape)
    return y


def _partial(quantizer: Quantizer, source: str) -> Iterator[Suspect]:
    """What may become of short tiles only."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)

    def short_only(of: Callable[[Tile], Sequence[float]]) -> Callable[[Array], Array]:
        def run(x: Array) -> Array:
            y = np.empty(x.shape)
            for tile in tiles_of(x, fmt):
                values = of(tile) if tile.short else cast_tile(tile, quantizer, source)
                y[tile.part] = np.reshape(values, y[tile.part].shape)
            return y

        return run

    yield Suspect(
        "partial_block",
        "drops the last, short tile: it becomes zero",
        short_only(lambda tile: [0.0] * len(tile.values)),
    )
    yield Suspect(
        "partial_block",
        "leaves the last, short tile as it is",
        short_only(lambda tile: [float(v) for v in tile.values]),
    )
    unit = partial(cast_tile_with, quantizer=quantizer, source=source, find_scale=lambda values, fmt, t: Fraction(1))
    yield Suspect("partial_block", "gives the last, short tile the scale 1", short_only(unit))


def _scales(quantizer: Quantizer, source: str) -> Iterator[Suspect]:
    """Other ways to find a tile's scale."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    ways: dict[str, Callable[..., Fraction]] = {
        "takes the scale from the largest number, not the largest magnitude": lambda v, f, t: _of(
            [max([*_finite(v), Fraction(0)])], f, t
        ),
        "takes the scale from the first element of a tile": lambda v, f, t: _of(v[:1], f, t),
        "takes the scale from the last element of a tile": lambda v, f, t: _of(v[-1:], f, t),
        "takes the scale from the mean magnitude": lambda v, f, t: _of(
            [sum(map(abs, _finite(v)), Fraction(0)) / len(v)], f, t
        ),
        "takes the exponent of the scale from an inexact (float32) logarithm": _by_log2,
        "rounds its scales toward zero": partial(_rounded_scale, rounding="toward_zero"),
        "rounds its scales to nearest, ties away from zero": partial(_rounded_scale, rounding="nearest_away"),
        "does not round its scales to their format": partial(_rounded_scale, rounding=None),
        "ignores the largest element's exponent in the scale": lambda v, f, t: _times(v, f, t, f.element.emax),
    }
    for k in (1, -1, 2, -2):
        ways[f"has scales 2^{k} times the right ones"] = partial(_times, k=k)
    for phrase, way in ways.items():
        yield Suspect("block_scale", phrase, partial(_cast_with, quantizer=quantizer, source=source, find_scale=way))
    yield Suspect(
        "block_scale", "takes one scale for the whole array", partial(_one_scale, quantizer=quantizer, source=source)
    )


def _tiles(quantizer: Quantizer, whole: Callable[..., Array]) -> Iterator[Suspect]:
    """Other tiles."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    tile = fmt.scaling.tile
    for i, (axis, size) in enumerate(tile):
        sizes = (
            []
            if size is None
            else [s for s in (2 * size, size // 2, size + 1, size - 1, 16, 32, 64) if s > 0 and s != size]
        )
        changed: list[tuple[str, tuple[int, int | None]]] = []
        changed += [(f"has tiles of {s}, not {size}", (axis, s)) for s in dict.fromkeys(sizes)]
        changed += [(f"has tiles along axis {a}, not {axis}", (a, size)) for a in (-2, -1, 0) if a != axis]
        for phrase, pair in changed:
            for made in _quantizer(quantizer, partial(replace, fmt.scaling, tile=(*tile[:i], pair, *tile[i + 1 :]))):
                yield Suspect("block_scale", phrase, partial(whole, quantizer=made))


def _one_scale(x: Array, quantizer: Quantizer, source: str) -> Array:
    finite = [Fraction(v) for v in x[np.isfinite(x)].astype(float).tolist()]
    return _cast_with(x, quantizer, source, lambda v, f, t: _of(finite, f, t))


def _finite(values: Sequence[Value]) -> list[Fraction]:
    return [Fraction(v) for v in values if exact_scaled.is_finite(v)]


def _of(values: Sequence[Value], fmt: Scaled, t: Fraction) -> Fraction:
    return exact_scaled.find_scale(values, fmt, t)


def _times(values: Sequence[Value], fmt: Scaled, t: Fraction, k: int) -> Fraction:
    lowest, highest = fmt.scaling.bounds
    return min(max(_of(values, fmt, t) * Fraction(2) ** k, lowest), highest)


def _by_log2(values: Sequence[Value], fmt: Scaled, t: Fraction) -> Fraction:
    a = max(map(abs, _finite(values)), default=Fraction(0))
    if not a or not fmt.scaling.has_power_scales:
        return _of(values, fmt, t)
    exponent = math.floor(np.log2(np.float32(float(a / t))))
    lowest, highest = fmt.scaling.bounds
    shift = int(exponent) - floor_log2(a / t)
    scale = _of(values, fmt, t) * Fraction(2) ** shift
    return min(max(scale, lowest), highest)


def _rounded_scale(values: Sequence[Value], fmt: Scaled, t: Fraction, rounding: str | None) -> Fraction:
    a = max(map(abs, _finite(values)), default=Fraction(0))
    if not a or fmt.scaling.has_power_scales:
        return _of(values, fmt, t)
    r = a / (t * fmt.element.largest)
    lowest, highest = fmt.scaling.bounds
    numbers: Format = fmt.scaling.numbers
    scale = Fraction(exact.cast(r, Quantizer(numbers, rounding, "saturate"))) if rounding else r
    return min(max(scale, lowest), highest)
