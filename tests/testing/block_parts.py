"""Blocks along the last axis, in float64, and the choices that make up a caster to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from caster_parts import E2M1, E4M3, E5M2, Array, Grid, exponent_of, like, on_grid, saturated

Elements = Callable[[Array], Array]


def blocks_of(x: Array, size: int) -> Array:
    """x with its last axis cut into blocks, the last one filled up with zeros."""
    short = -x.shape[-1] % size
    padded = np.pad(x.astype(np.float64), [(0, 0)] * (x.ndim - 1) + [(0, short)])
    return padded.reshape(*x.shape[:-1], -1, size)


def flat(blocks: Array, x: Array) -> Array:
    """Blocks put together again, in the shape and dtype of x."""
    return like(blocks.reshape(*x.shape[:-1], -1)[..., : x.shape[-1]], x)


def largest(blocks: Array) -> Array:
    """The largest finite magnitude of each block."""
    return np.where(np.isfinite(blocks), np.abs(blocks), 0).max(-1, keepdims=True)


def power_scale(amax: Array, emax: int) -> Array:
    """2**(floor(log2(amax)) - emax) within the range of e8m0."""
    return np.ldexp(1.0, np.where(amax > 0, np.clip(exponent_of(amax) - emax, -127, 127), -127))


def poisoned(values: Array, blocks: Array) -> Array:
    """A block with NaN or an infinity is NaN everywhere."""
    return np.where(np.isfinite(blocks).all(-1, keepdims=True), values, np.nan)


def to_float(q: Array, grid: Grid) -> Array:
    return saturated(on_grid(q, grid), grid)


def to_fixed(q: Array, low: int, high: int, per_unit: int) -> Array:
    return np.clip(np.rint(q * per_unit), low, high) / per_unit + 0.0


class MX(NamedTuple):
    """An MX format: the function to elements, and the exponent of the largest."""

    elements: Any
    emax: int


def e4m3(q: Array) -> Array:
    return to_float(q, E4M3)


def e5m2(q: Array) -> Array:
    return to_float(q, E5M2)


def e2m1(q: Array) -> Array:
    return to_float(q, E2M1)


def sixty_fourths(q: Array) -> Array:
    return to_fixed(q, -128, 127, 64)


MXFP8 = MX(e4m3, 8)
MXFP8_E5M2 = MX(e5m2, 15)
MXFP4 = MX(e2m1, 2)
MXINT8 = MX(sixty_fourths, 0)


def scaled(blocks: Array, scale: Array, elements: Elements) -> Array:
    """Elements of the quotients, times the scale; NaN where the block has what is not finite."""
    finite = np.where(np.isfinite(blocks), blocks, 0)
    return poisoned(elements(finite / scale) * scale, blocks)


def mx(x: Array, kind: MX, size: int = 32) -> Array:
    """The definition of OCP MX."""
    blocks = blocks_of(x, size)
    return flat(scaled(blocks, power_scale(largest(blocks), kind.emax), kind.elements), x)


def scale_e4m3(r: Array) -> Array:
    """The positive e4m3fn nearest to r, at least the smallest."""
    return np.maximum(to_float(r, E4M3), 2.0**-9)


def float32(x: Array) -> Array:
    """Rounded to float32, in float64."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(x, np.float64).astype(np.float32).astype(np.float64)


def finite(blocks: Array) -> Array:
    return np.where(np.isfinite(blocks), blocks, 0)


def outer_scale(amax: Array, divisor: float) -> float:
    """The float32 nearest to the largest of all / divisor, and not zero; 1 for zeros."""
    top = float(amax.max(initial=0))
    return max(float(float32(top / divisor)), 2.0**-149) if top else 1.0


def nvfp4(x: Array, scale_of: Any = scale_e4m3, quotient: Any = np.divide) -> Array:
    """NVFP4 with ways to go wrong: how the scale is rounded, and how elements are divided."""
    blocks = blocks_of(x, 16)
    amax = largest(blocks)
    t = outer_scale(amax, 6 * 448)
    scale = scale_of(amax / (6 * t))
    y = e2m1(quotient(finite(blocks), scale * t))
    return flat(poisoned(float32(float32(y * scale) * t), blocks), x)


def int8_rows(x: Array, divisor: float = 127, low: int = -127, rounding: Any = np.rint) -> Array:
    """Symmetric int8 with a float32 scale for each row; ``divisor`` says what the largest becomes."""
    rows = x.astype(np.float64)
    amax = largest(rows)
    scale = np.maximum(float32(amax / divisor), 2.0**-149)
    y = np.clip(rounding(rows / scale), low, 127)
    return like(float32(y * scale) + 0.0, x)
