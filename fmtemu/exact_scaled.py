"""The oracle of formats with scales: one tile at a time, by definition, on top of fmtemu.exact."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from fmtemu import exact
from fmtemu.formats import Scaled, Scaling
from fmtemu.formats.base import Value
from fmtemu.formats.scaled import POWER_RULES
from fmtemu.quantizer import Quantizer

_FLOAT32, _SATURATING = Quantizer("float32"), Quantizer("float32", edges="saturate")


class Tile(NamedTuple):
    """What a tile becomes: its scale (a number of the scale format, or NaN), its zero point (0 where
    the scaling is symmetric), and the elements' codes (None for a NaN that has none)."""

    scale: Value
    zero_point: int
    codes: list[int | None]


def outer_scale(values: Sequence[Value], fmt: Scaled) -> Value:
    """t of the outer tile that holds ``values``: a number of the outer scaling's format, or NaN."""
    outer = fmt.outer
    assert outer is not None
    if outer.nonfinite == "nan" and not all(map(is_finite, values)):
        return math.nan
    greatest = _greatest(values)
    if not greatest:
        t = Fraction(1)
    elif outer.rule in POWER_RULES:
        t = fmt.outer_power_scale(greatest)
    else:
        t = _round_scale(greatest / fmt.outer_largest, outer)
    return _within(t, outer)


def encode(
    values: Sequence[Value], quantizer: Quantizer, t: Value = Fraction(1), randoms: Sequence[int] | None = None
) -> Tile:
    """The scale and codes of one tile under a Quantizer of a Scaled; ``t`` is its outer scale. A tile
    that is NaN, by its scale or by t, has the codes 0."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    if quantizer.via is not None:
        values = [exact.cast(x, Quantizer(quantizer.via)) if x == x else x for x in values]  # a NaN keeps its sign
    if fmt.scaling.nonfinite == "nan" and not all(map(is_finite, values)):
        return Tile(math.nan, 0, [0] * len(values))
    if t != t:
        return Tile(fmt.scaling.bounds[0], 0, [0] * len(values))
    t = Fraction(t)
    scale = find_scale(values, fmt, t)
    zero_point = _zero_point(values, fmt, scale) if fmt.scaling.affine else 0
    randoms = randoms or [0] * len(values)
    codes = [
        _encode_element(x, quantizer, scale, t, zero_point, random) for x, random in zip(values, randoms, strict=True)
    ]
    return Tile(scale, zero_point, codes)


def decode(tile: Tile, fmt: Scaled, t: Value = Fraction(1), carrier: str = "float32") -> list[Value]:
    """The values of a tile in a carrier format: RN(RN(element * s) * t)."""
    if t != t:
        return [math.nan] * len(tile.codes)
    t = Fraction(t)
    return [_decode_element(code, tile, fmt, t, Quantizer(carrier)) for code in tile.codes]


def find_scale(values: Sequence[Value], fmt: Scaled, t: Fraction) -> Fraction:
    """The scale of a tile by its rule, clamped to the scaling's bounds."""
    scaling = fmt.scaling
    low, high = _range(values)
    if scaling.affine:
        positive, negative = fmt.element.limits()
        r = (high - low) / (positive + max(negative, 0))
    else:
        r = max(high, -low) / (t * fmt.element.largest)
    if not r:
        return scaling.bounds[0]
    if scaling.rule in POWER_RULES:
        return _within(fmt.power_scale(max(high, -low) / t), scaling)
    return _within(_round_scale(r, scaling), scaling)


def _round_scale(r: Fraction, scaling: Scaling) -> Fraction:
    """The number of the scales' format that the rule nearest or rceil takes for r."""
    rounding = "toward_positive" if scaling.rule == "rceil" else "nearest_even"
    return Fraction(exact.cast(r, Quantizer(scaling.numbers, rounding, "saturate")))


def _within(scale: Fraction, scaling: Scaling) -> Fraction:
    lowest, highest = scaling.bounds
    return min(max(scale, lowest), highest)


def divide(x: Value, fmt: Scaled, scale: Fraction, t: Fraction) -> Value:
    """What an element is rounded from: x / (scale * t), or as ``apply`` says."""
    if not is_finite(x) or x == 0:
        return x
    if fmt.scaling.apply == "reciprocal":
        factor = Fraction(_float32(scale * t))
        reciprocal = exact.cast(1 / factor, _SATURATING) if factor else _SATURATING.format.largest
        return _float32(Fraction(x) * Fraction(reciprocal))
    return Fraction(x) / (scale * t)


def _zero_point(values: Sequence[Value], fmt: Scaled, scale: Fraction) -> int:
    """The integer that stands for 0: lowest - RN(min / s), within the element's range."""
    lowest, largest = int(fmt.element.lowest), int(fmt.element.largest)
    return min(max(lowest - round(_range(values)[0] / scale), lowest), largest)


def _encode_element(
    x: Value, quantizer: Quantizer, scale: Fraction, t: Fraction, zero_point: int, random: int
) -> int | None:
    fmt, element = quantizer.format, quantizer.element
    assert isinstance(fmt, Scaled)
    quotient = divide(x, fmt, scale, t)
    if not fmt.scaling.affine:
        return exact.encode(quotient, element, random)
    if x != x:
        return fmt.element.join(zero_point < 0, abs(zero_point)) if element.edges.nan == "zero" else None
    lowest, largest = int(fmt.element.lowest), int(fmt.element.largest)
    if abs(quotient) == math.inf:
        integer = largest if quotient > 0 else lowest
    else:  # rounded on a grid without ends, moved, and only then cut off
        steps = int(exact.cast(quotient, Quantizer("int64", quantizer.rounding), random))
        integer = min(max(steps + zero_point, lowest), largest)
    return fmt.element.join(integer < 0, abs(integer))


def _decode_element(code: int | None, tile: Tile, fmt: Scaled, t: Fraction, carrier: Quantizer) -> Value:
    if code is None or tile.scale != tile.scale:
        return math.nan
    element = fmt.element.value(code)
    if not is_finite(element):
        return element
    if fmt.scaling.affine:
        return exact.cast((Fraction(element) - tile.zero_point) * Fraction(tile.scale), carrier)
    if element == 0:
        return element
    return _times(_times(element, Fraction(tile.scale), carrier), t, carrier)


def _times(x: Value, factor: Fraction, carrier: Quantizer) -> Value:
    """RN(x * factor), where a product that rounds to zero keeps its sign."""
    return exact.cast(Fraction(x) * factor, carrier) if is_finite(x) and x != 0 else x


def _float32(x: Fraction) -> Value:
    return exact.cast(x, _FLOAT32)


def is_finite(x: Value) -> bool:
    """Whether x is a number, of whatever size."""
    return isinstance(x, Fraction) or math.isfinite(x)


def _range(values: Sequence[Value]) -> tuple[Fraction, Fraction]:
    """The least and the greatest of the finite values and zero."""
    finite = [Fraction(x) for x in values if is_finite(x)]
    return min([*finite, Fraction(0)]), max([*finite, Fraction(0)])


def _greatest(values: Sequence[Value]) -> Fraction:
    low, high = _range(values)
    return max(high, -low)
