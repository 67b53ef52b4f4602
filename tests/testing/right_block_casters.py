"""Correct casters to blocks, in NumPy."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial

import numpy as np
from block_parts import (
    MXFP4,
    MXFP8,
    MXFP8_E5M2,
    MXINT8,
    blocks_of,
    e4m3,
    finite,
    flat,
    float32,
    int8_rows,
    largest,
    mx,
    nvfp4,
    poisoned,
    power_scale,
    scaled,
    to_fixed,
)
from caster_parts import Array, Right, exponent_of, like
from number_parts import NF4


def q8_0(x: Array) -> Array:
    """ggml's layout: 32 elements share the float16 nearest to a / 127."""
    blocks = blocks_of(x, 32)
    scale = np.clip(largest(blocks) / 127, 2.0**-24, 65504).astype(np.float16).astype(np.float64)
    values = float32(np.clip(np.rint(blocks / scale), -128, 127) * scale) + 0.0
    return flat(poisoned(values, blocks), x)


def int4_g32(x: Array) -> Array:
    """Zero points; the span of a block is exact in fractions before it is rounded to float16."""
    blocks = blocks_of(x, 32)
    low = np.minimum(finite(blocks).min(-1, keepdims=True), 0)
    high = np.maximum(finite(blocks).max(-1, keepdims=True), 0)
    spans = [half_of((Fraction(h) - Fraction(n)) / 15) for h, n in zip(high.ravel(), low.ravel(), strict=True)]
    scale = np.array(spans).reshape(low.shape)
    zero = np.clip(-np.rint(low / scale), 0, 15)
    steps = np.rint(np.clip(blocks / scale, -100, 100))
    return flat(poisoned((np.clip(steps + zero, 0, 15) - zero) * scale, blocks), x)


def half_of(x: Fraction) -> float:
    """The float16 nearest to a fraction, at least the smallest and at most the largest."""
    if x >= 65504:
        return 65504.0
    step = Fraction(2) ** (max(math.frexp(float(x))[1], -13) - 11)
    return float(max(round(x / step), 1) * step)  # round is to even


def never_saturating(x: Array) -> Array:
    """mxfp8 whose scale is rounded up: the smallest power of two that is at least a / 448."""
    blocks = blocks_of(x, 32)
    amax = largest(blocks)
    exponent = exponent_of(amax) - 8
    exponent = exponent + (amax > 448 * np.exp2(exponent))
    scale = np.ldexp(1.0, np.where(amax > 0, np.clip(exponent, -127, 127), -127))
    return flat(scaled(blocks, scale, e4m3), x)


def shared_exponents(x: Array) -> Array:
    """msfp12: 16 integers of four bits, symmetric, share the exponent of the largest."""
    blocks = blocks_of(x, 16)
    return flat(scaled(blocks, power_scale(largest(blocks), 2), sevens), x)


def sevens(q: Array) -> Array:
    return to_fixed(q, -7, 7, 1)


def fp8_rows(x: Array) -> Array:
    """e4m3fn with a float32 scale for each row."""
    rows = x.astype(np.float64)
    scale = np.maximum(float32(largest(rows) / 448), 2.0**-149)
    return like(np.where(np.isnan(rows), np.nan, float32(e4m3(rows / scale) * scale)), x)


def nf4_blocks(x: Array) -> Array:
    """QLoRA's blocks of 64 with the float32 absolute maximum."""
    blocks = blocks_of(x, 64)
    scale = np.maximum(largest(blocks), 2.0**-149)
    middles = (NF4[1:] + NF4[:-1]) / 2
    quotient = np.where(np.isnan(blocks), 0, blocks) / scale
    lower = np.searchsorted(middles, quotient, side="left")
    tie = np.isin(quotient, middles)
    values = float32(NF4[lower + (tie & (lower % 2 == 1))] * scale)
    return flat(np.where(np.isnan(blocks), np.nan, values + 0.0), x)


def per_tensor(x: Array) -> Array:
    """int8 with one float32 scale."""
    return int8_rows(x.reshape(1, -1)).reshape(x.shape)


def per_channel(x: Array) -> Array:
    """int8 with a float32 scale for each index of the first axis."""
    return np.stack([int8_rows(row.reshape(1, -1)).reshape(row.shape) for row in x]) if len(x) else like(x, x)


_FLOAT32 = ("float32",)

RIGHT = [
    Right("mxfp8_e4m3_numpy", partial(mx, kind=MXFP8), "mxfp8_e4m3"),
    Right("mxfp8_e5m2_numpy", partial(mx, kind=MXFP8_E5M2), "mxfp8_e5m2"),
    Right("mxfp4_numpy", partial(mx, kind=MXFP4), "mxfp4"),
    Right("mxfp4_b16_numpy", partial(mx, kind=MXFP4, size=16), "mxfp4_b16"),
    Right("mxfp8_e4m3_rceil_numpy", never_saturating, "mxfp8_e4m3_rceil"),
    Right("msfp12_numpy", shared_exponents, "msfp12"),
    Right("fp8_token_numpy", fp8_rows, "fp8_token", sources=_FLOAT32),
    Right("mxint8_numpy", partial(mx, kind=MXINT8), "mxint8"),
    Right("nvfp4_numpy", nvfp4, "nvfp4", sources=_FLOAT32),
    Right("q8_0_numpy", q8_0, "q8_0", sources=_FLOAT32),
    Right("int4_g32_numpy", int4_g32, "int4_g32", sources=_FLOAT32),
    Right("nf4_b64_numpy", nf4_blocks, "nf4_b64", sources=_FLOAT32),
    Right("int8_token_numpy", int8_rows, "int8_token", sources=_FLOAT32),
    Right("int8_tensor_numpy", per_tensor, "int8_tensor", sources=_FLOAT32),
    Right("int8_channel_numpy", per_channel, "int8_channel", sources=_FLOAT32),
]
