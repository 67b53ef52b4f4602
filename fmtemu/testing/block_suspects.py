"""What a caster with scales seems to do instead: known mistakes, tried one after the other on whole tiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmtemu import exact, exact_scaled
from fmtemu.edges import Edges
from fmtemu.formats import Float, Format, Scaled, as_format
from fmtemu.formats.base import Value, floor_log2
from fmtemu.formats.scaled import SCALE_RULES, Scaling
from fmtemu.quantizer import Quantizer
from fmtemu.testing.block_cast import Part, Tile, cast_tile, cast_tile_with, tiles_of
from fmtemu.testing.points import exact_value
from fmtemu.testing.suspects import ROUNDING_PHRASES

Array = NDArray[Any]


#: Overflow option -> what becomes of elements that overflow.
_BECOMES = {
    "infinity": "become infinite",
    "nan": "become NaN",
    "wrap": "wrap",
    "sat_zero": "become 0",
    "sat_sym": "end at a symmetric range, without the lowest number",
}
#: Parts of an array and the values that they become.
Made = Iterable[tuple[Part, Sequence[float]]]


class Suspect(NamedTuple):
    """A mistake: the law it breaks, what it is, and the values it makes of an array, part by part."""

    law: str
    phrase: str
    cast: Callable[[Array], Made]


def block_suspects(quantizer: Quantizer, source: str) -> Iterator[Suspect]:
    """Known mistakes of a cast to a format with scales, likeliest first."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    whole = partial(_cast_all, source=source)
    yield from _partial(quantizer, source)
    if fmt.outer is not None:
        inner = Quantizer(Scaled(fmt.element, fmt.scaling), quantizer.rounding, quantizer.edges)
        yield Suspect("block_scale", "leaves out the outer scale", partial(whole, quantizer=inner))
        for what, tile, rest in (("each row", ((-1, None),), 1), ("the whole tensor", (), None)):
            scaling = replace(fmt.outer, tile=tile, rest=rest)
            if scaling != fmt.outer:
                outer = Quantizer(Scaled(fmt.element, fmt.scaling, scaling), quantizer.rounding, quantizer.edges)
                yield Suspect("block_scale", f"has an outer scale of {what}", partial(whole, quantizer=outer))
        for factor, name in ((fmt.element.largest, "element"), (fmt.scaling.bounds[1], "scale")):
            phrase = f"leaves the largest {name} out of the outer scale"
            yield Suspect(
                "block_scale", phrase, partial(_cast_outer, quantizer=quantizer, source=source, factor=factor)
            )
    for rule, meaning in SCALE_RULES.items():
        if rule != fmt.scaling.rule:
            for made in _quantizer(quantizer, partial(replace, fmt.scaling, rule=rule)):
                yield Suspect(
                    "block_scale", f"finds scales by rule {rule!r}: {meaning}", partial(whole, quantizer=made)
                )
    flat = partial(_cast_flat, quantizer=quantizer, source=source)
    yield Suspect("block_scale", "takes tiles of the flattened array: they straddle its rows", flat)
    if not fmt.scaling.affine:
        yield from _scales(quantizer, source)
    yield from _bounded(quantizer, whole)
    yield from _tiles(quantizer, whole)
    for name, phrase in ROUNDING_PHRASES.items():
        if name not in (quantizer.rounding.name, "jam"):
            law = "ties" if name.startswith("nearest") else "nearest"
            other = Quantizer(fmt, name, quantizer.edges)
            yield Suspect(law, f"{phrase}, in its elements", partial(whole, quantizer=other))
    for via in ("float32", "bfloat16", "float16"):
        if as_format(via).precision <= as_format(source).precision:
            first = partial(_cast_via, quantizer=quantizer, source=source, via=Quantizer(via))
            yield Suspect("double_rounding", f"rounds twice: its input to {via} first", first)
            if not fmt.scaling.affine:
                quotient = partial(_cast_quotient, quantizer=quantizer, source=source, via=Quantizer(via))
                yield Suspect("double_rounding", f"rounds twice: the quotient by the scale to {via} first", quotient)
    with suppress(ValueError):
        flushing = Quantizer(fmt, quantizer.rounding, Edges(subnormals="flush"))
        yield Suspect("subnormals", "flushes subnormal elements to zero", partial(whole, quantizer=flushing))
    for overflow, becomes in _BECOMES.items():
        try:
            other = Quantizer(fmt, quantizer.rounding, Edges(overflow=overflow))
        except ValueError:
            continue
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


def _cast_all(x: Array, quantizer: Quantizer, source: str) -> Made:
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    return ((tile.part, cast_tile(tile, quantizer, source)) for tile in tiles_of(x, fmt))


def _cast_with(x: Array, quantizer: Quantizer, source: str, find_scale: Callable[..., Fraction]) -> Made:
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    return ((tile.part, cast_tile_with(tile, quantizer, source, find_scale)) for tile in tiles_of(x, fmt))


def _cast_outer(x: Array, quantizer: Quantizer, source: str, factor: Fraction) -> Made:
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    assert fmt.outer is not None
    numbers = Quantizer(fmt.outer.numbers, edges="saturate")
    for tile in tiles_of(x, fmt):
        t = tile.t if tile.t == 1 or tile.t != tile.t else exact.cast(Fraction(tile.t) * factor, numbers)
        yield tile.part, cast_tile(tile._replace(t=t), quantizer, source)


def _cast_quotient(x: Array, quantizer: Quantizer, source: str, via: Quantizer) -> Made:
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    return ((tile.part, cast_tile_with(tile, quantizer, source, _of, via)) for tile in tiles_of(x, fmt))


def _cast_flat(x: Array, quantizer: Quantizer, source: str) -> Made:
    y = np.empty(x.size)
    for part, values in _cast_all(x.ravel(), quantizer, source):
        y[part] = values
    yield (slice(None),) * x.ndim, y.tolist()


def _cast_via(x: Array, quantizer: Quantizer, source: str, via: Quantizer) -> Made:
    rounded = np.array([float(exact.cast(exact_value(v), via)) for v in x.ravel().tolist()]).reshape(x.shape)
    return _cast_all(rounded, quantizer, source)


def _partial(quantizer: Quantizer, source: str) -> Iterator[Suspect]:
    """What may become of short tiles only."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)

    def short_only(of: Callable[[Tile], Sequence[float]]) -> Callable[[Array], Made]:
        def run(x: Array) -> Made:
            for tile in tiles_of(x, fmt):
                yield tile.part, of(tile) if tile.short else cast_tile(tile, quantizer, source)

        return run

    yield Suspect(
        "partial_block",
        "drops the last, short tile: it becomes zero",
        short_only(lambda tile: [0.0] * len(tile.values)),
    )
    yield Suspect(
        "partial_block",
        "leaves the last, short tile unchanged",
        short_only(lambda tile: [float(v) for v in tile.values]),
    )
    unit = partial(cast_tile_with, quantizer=quantizer, source=source, find_scale=lambda values, fmt, t: Fraction(1))
    yield Suspect("partial_block", "gives the last, short tile the scale 1", short_only(unit))


def _scales(quantizer: Quantizer, source: str) -> Iterator[Suspect]:
    """Other ways to find a tile's scale."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    ways: dict[str, Callable[..., Fraction]] = {
        "takes the scale from the largest signed number, not from the largest absolute value": lambda v, f, t: _of(
            [max([*_finite(v), Fraction(0)])], f, t
        ),
        "takes the scale from the first element of a tile": lambda v, f, t: _of(v[:1], f, t),
        "takes the scale from the last element of a tile": lambda v, f, t: _of(v[-1:], f, t),
        "takes the scale from the first half of a tile, and ignores the other": lambda v, f, t: _of(
            v[: len(v) // 2], f, t
        ),
        "takes the scale from the second half of a tile, and ignores the other": lambda v, f, t: _of(
            v[len(v) // 2 :], f, t
        ),
        "takes the scale from every second element of a tile, and ignores the others": lambda v, f, t: _of(
            v[::2], f, t
        ),
        "takes the scale from the mean magnitude": lambda v, f, t: _of(
            [sum(map(abs, _finite(v)), Fraction(0)) / len(v)], f, t
        ),
        "takes the exponent of the scale from an inexact (float32) logarithm": _by_log2,
        "takes the exponent of the scale from that of the quotient by the largest element": _by_quotient,
        "takes the largest magnitude in bfloat16, where it may round up to a power of two": _of_bfloat16,
        "rounds its scales toward zero": partial(_rounded_scale, rounding="toward_zero"),
        "rounds its scales to nearest, ties away from zero": partial(_rounded_scale, rounding="nearest_away"),
        "does not round its scales to their format": partial(_rounded_scale, rounding=None),
        "ignores the largest element's exponent in the scale": lambda v, f, t: _times(v, f, t, f.element.emax),
    }
    for k in (1, -1, 2, -2):
        ways[f"has scales that are wrong by the factor 2^{k}"] = partial(_times, k=k)
    for phrase, way in ways.items():
        yield Suspect("block_scale", phrase, partial(_cast_with, quantizer=quantizer, source=source, find_scale=way))
    yield Suspect(
        "block_scale", "takes one scale for the whole array", partial(_one_scale, quantizer=quantizer, source=source)
    )


def _bounded(quantizer: Quantizer, whole: Callable[..., Made]) -> Iterator[Suspect]:
    """Scales that do not go down to the smallest."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    numbers = fmt.scaling.numbers
    bounds = {"1": 1.0}
    if isinstance(numbers, Float) and numbers.smallest_normal is not None:
        bounds["the smallest normal one"] = float(numbers.smallest_normal)
    for name, lowest in bounds.items():
        for made in _quantizer(quantizer, partial(replace, fmt.scaling, lowest=lowest)):
            yield Suspect("block_scale", f"has no scales below {name}", partial(whole, quantizer=made))


def _tiles(quantizer: Quantizer, whole: Callable[..., Made]) -> Iterator[Suspect]:
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


def _one_scale(x: Array, quantizer: Quantizer, source: str) -> Made:
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
    """The scale by the rule, with the exponent from a float32 logarithm."""
    a, scaling = max(map(abs, _finite(values)), default=Fraction(0)), fmt.scaling
    if not a or not scaling.has_power_scales or scaling.rule == "even":
        return _of(values, fmt, t)
    ratio = a / (t * fmt.element.largest) if scaling.rule in ("rceil", "nearest") else a / t
    with np.errstate(all="ignore"):
        logarithm = float(np.log2(np.float32(float(ratio))))
    if not math.isfinite(logarithm):
        return _of(values, fmt, t)
    exponent = math.floor(logarithm) if scaling.rule == "floor" else math.ceil(logarithm)
    shift = 0 if scaling.rule in ("rceil", "nearest") else fmt.element.emax
    lowest, highest = scaling.bounds
    return min(max(Fraction(2) ** (exponent - shift), lowest), highest)


def _by_quotient(values: Sequence[Value], fmt: Scaled, t: Fraction) -> Fraction:
    a, (lowest, highest) = max(map(abs, _finite(values)), default=Fraction(0)), fmt.scaling.bounds
    if not a or not fmt.scaling.has_power_scales:
        return _of(values, fmt, t)
    return min(max(Fraction(2) ** floor_log2(a / (t * fmt.element.largest)), lowest), highest)


def _of_bfloat16(values: Sequence[Value], fmt: Scaled, t: Fraction) -> Fraction:
    a = max(map(abs, _finite(values)), default=Fraction(0))
    return _of([exact.cast(a, Quantizer("bfloat16", edges="saturate"))], fmt, t)


def _rounded_scale(values: Sequence[Value], fmt: Scaled, t: Fraction, rounding: str | None) -> Fraction:
    a = max(map(abs, _finite(values)), default=Fraction(0))
    if not a or fmt.scaling.has_power_scales:
        return _of(values, fmt, t)
    r = a / (t * fmt.element.largest)
    lowest, highest = fmt.scaling.bounds
    numbers: Format = fmt.scaling.numbers
    scale = Fraction(exact.cast(r, Quantizer(numbers, rounding, "saturate"))) if rounding else r
    return min(max(scale, lowest), highest)
