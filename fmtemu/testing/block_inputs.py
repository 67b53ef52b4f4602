"""Arrays on which casts to formats with scales go wrong: tiles whose scale or elements are hard."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmtemu.formats import Scaled
from fmtemu.testing.number_line import decision_magnitudes

Array = NDArray[Any]
_Random = np.random.Generator

#: The most elements along an axis whose tiles extend over all of it.
_WHOLE_AXIS = 24


def block_inputs(fmt: Scaled, source: str) -> list[Array]:
    """Arrays of hard tiles: for formats whose tiles stay within a row one of many rows, else an array for
    each thing that is special. The last tile of an axis is short, where the format allows it."""
    makers = _makers(fmt, np.finfo(source)).values()
    random, shape = np.random.default_rng(fmt.bits), _shape(fmt)
    if stays_in_row(fmt):
        rows = [np.resize(make(random, shape[-1]), shape[-1]) for make in makers for _ in range(2)]
        return [np.array(rows).astype(source)]
    size = math.prod(shape)
    return [np.resize(make(random, size), size).reshape(shape).astype(source) for make in makers]


def stays_in_row(fmt: Scaled) -> bool:
    """Whether every tile lies within one row of the last axis, and rows do not share an outer scale."""
    tile = dict(fmt.scaling.tile)
    return fmt.outer is None and fmt.scaling.rest == 1 and set(tile) <= {-1}


def _shape(fmt: Scaled) -> tuple[int, ...]:
    """A shape of at least two axes that every tile, and a short one, fits into."""
    axes = [axis for scaling in (fmt.scaling, fmt.outer) if scaling is not None for axis, _ in scaling.tile]
    dimensions = max([2, *(axis + 1 if axis >= 0 else -axis for axis in axes)])
    shape = [3] * (dimensions - 1) + [_WHOLE_AXIS]
    for scaling in (fmt.outer, fmt.scaling):
        for axis, size in scaling.tile if scaling is not None else ():
            short = size // 2 + 1 if size is not None and size > 1 and fmt.scaling.partial != "error" else 0
            shape[axis] = _WHOLE_AXIS if size is None else max(2 * size + short, 3)
    return tuple(shape)


def _makers(fmt: Scaled, source: np.finfo[Any]) -> dict[str, Callable[[_Random, int], Array]]:
    """Rows of numbers by what is special about them."""
    element = fmt.element
    values, middles = decision_magnitudes(element, 1 << 10)
    decisions = np.array([float(v) for v in (*values, *middles) if 0 < v <= element.largest])
    largest, half_ulp = float(element.largest), float(source.eps) / 2
    mantissa = largest / 2.0**element.emax
    span = min(source.maxexp, 120)

    def spread(random: _Random, count: int) -> Array:
        return random.standard_normal(count) * np.exp2(random.integers(-6, 3, count))

    def on_decisions(random: _Random, count: int) -> Array:
        beside = 1 + random.integers(-1, 2, count) * 4 * half_ulp
        x = random.choice(decisions, count) * random.choice([-1, 1], count) * beside
        x[:: max(1, min(count, fmt.scaling.size or count) // 2)] = largest
        scaled: Array = np.ldexp(x, int(random.integers(-20, 20)))
        return scaled

    def top(factor: float) -> Callable[[_Random, int], Array]:
        def make(random: _Random, count: int) -> Array:
            x = random.uniform(-1, 1, count) * 0.9 * np.exp2(-random.integers(0, 20, count))
            x[random.integers(0, count)] = 1.0
            x[:: max(1, min(count, fmt.scaling.size or count))] = factor
            scaled: Array = np.ldexp(x, int(random.integers(-span // 3, span // 3)))
            return scaled

        return make

    def signed(random: _Random, count: int) -> Array:
        x = np.abs(random.standard_normal(count)) * 0.1
        x[random.integers(0, count, max(1, count // 8))] *= -37
        return x

    def rising(random: _Random, count: int) -> Array:
        x: Array = np.exp2(np.linspace(-8, 4, count)) * random.choice([-1, 1], count)
        return x

    def with_one(number: float) -> Callable[[_Random, int], Array]:
        def make(random: _Random, count: int) -> Array:
            x = random.standard_normal(count)
            x[random.integers(0, count)] = number
            return x

        return make

    def at(exponent: int) -> Callable[[_Random, int], Array]:
        def make(random: _Random, count: int) -> Array:
            return np.ldexp(random.uniform(-1, 1, count), exponent)

        return make

    return {
        "ordinary numbers": spread,
        "the element's decisions": on_decisions,
        "more of the element's decisions": on_decisions,
        "a power of two as the largest": top(1.0),
        "a largest number just below a power of two": top(2 - 2 * float(source.eps)),
        "a largest number just above a power of two": top(1 + float(source.eps)),
        "a largest number between the element's largest and the next power of two": top(1.9),
        "a largest number that rounds up": top(1.97),
        "a largest number that rounds up in bfloat16": top(2 - 2.0**-9),
        "the element's largest number times a power of two": top(mantissa),
        "just above that": top(mantissa * (1 + float(source.eps))),
        "just below that": top(mantissa * (1 - half_ulp)),
        "a largest number of 1.3 times a power of two": top(1.3),
        "a negative number as the largest": signed,
        "rising numbers": rising,
        "numbers of one sign, far from zero": lambda random, count: random.uniform(5, 6, count),
        "zeros": lambda random, count: np.zeros(count),
        "one number and zeros": lambda random, count: np.eye(1, count, count // 3)[0] * 3.7,
        "an outlier": with_one(1000.0),
        "a NaN": with_one(math.nan),
        "an infinity": with_one(-math.inf),
        "minus zero": with_one(-0.0),
        "numbers near the smallest": at(source.minexp - source.nmant + 9),
        "numbers near the smallest normal": at(source.minexp + 3),
        "numbers near the largest": at(source.maxexp),
    }
