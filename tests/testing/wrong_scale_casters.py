"""Wrong casters to numbers with scales that are no powers of two: NVFP4, rows and groups of integers."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from block_parts import (
    E4M3,
    blocks_of,
    e2m1,
    e4m3,
    finite,
    flat,
    float32,
    int8_rows,
    largest,
    nvfp4,
    outer_scale,
    poisoned,
    scale_e4m3,
    scaled,
    to_fixed,
)
from caster_parts import BRAIN, Array, Wrong, like, on_grid

# -- NVFP4 and elements with other scales -------------------------------------------------------


# torchao #179111: the smallest normal e4m3 counts as the smallest scale.
def least_normal(r: Array) -> Array:
    return np.maximum(scale_e4m3(r), 2.0**-6)


# The scale is rounded up, as MX recipes do.
def scale_rounded_up(r: Array) -> Array:
    return np.clip(on_grid(r, E4M3, np.ceil), 2.0**-9, 448)


# Without the scale of the tensor: large blocks saturate, small ones share the smallest scale (torchao's first NVFP4).
def one_level(x: Array) -> Array:
    blocks = blocks_of(x, 16)
    return flat(scaled(blocks, scale_e4m3(largest(blocks) / 6), e2m1), x)


# Model-Optimizer #1633: a scale beyond 448 is cast to NaN.
def scale_overflows(x: Array) -> Array:
    blocks = blocks_of(x, 16)
    scale = np.maximum(on_grid(largest(blocks) / 6, E4M3), 2.0**-9)
    return flat(scaled(blocks, np.where(scale > 448, np.nan, scale), e2m1), x)


def e4m3_scaled(x: Array, quotient: Any) -> Array:
    """Blocks of 16 e2m1 with an e4m3 scale."""
    blocks = blocks_of(x, 16)
    scale = scale_e4m3(largest(blocks) / 6)
    return flat(poisoned(e2m1(quotient(finite(blocks), scale)) * scale, blocks), x)


# arch-com #905: multiplied by the float32 reciprocal, which moves ties.
def by_reciprocal(x: Array, scale: Array) -> Array:
    return float32(x * float32(1 / scale))


# The quotient is rounded to bfloat16, the dtype of the weights, before it is rounded to an element.
def bfloat16_quotient(x: Array, scale: Array) -> Array:
    return on_grid(x / scale, BRAIN)


# -- integers in groups ------------------------------------------------------------------------


def half_up_sum(q: Array) -> Array:
    return np.floor(q + 0.5)


# torch.round(x / scale): the quotient is a float32.
def rint_of_float32(q: Array) -> Array:
    return np.rint(float32(q))


# TransformerEngine's and vLLM's floor under a scale: rows below it lose all their bits.
def least_scale(x: Array) -> Array:
    scale = np.maximum(float32(largest(x.astype(np.float64)) / 448), 1e-3 / 448)
    return like(e4m3_rows(x, scale), x)


def e4m3_rows(x: Array, scale: Array) -> Array:
    rows = x.astype(np.float64)
    return np.where(np.isnan(rows), np.nan, float32(e4m3(rows / scale) * scale))


# Model-Optimizer #381: the factor 448 / amax is float32, and its inverse another float32.
def factor_and_inverse(x: Array) -> Array:
    rows = x.astype(np.float64)
    amax = np.maximum(largest(rows), 2.0**-100)
    factor = float32(448 / amax)
    return like(np.where(np.isnan(rows), np.nan, float32(e4m3(float32(rows * factor)) * float32(1 / factor))), x)


# torchao #2604: the scale of the tensor is that of its largest element, as if blocks had none of their own.
def outer_without_element(x: Array) -> Array:
    blocks = blocks_of(x, 16)
    amax = largest(blocks)
    t = outer_scale(amax, 448)
    scale = scale_e4m3(amax / (6 * t))
    return flat(poisoned(float32(float32(e2m1(finite(blocks) / (scale * t)) * scale) * t), blocks), x)


# Each row has a second scale of its own, where the tensor has one.
def outer_of_rows(x: Array) -> Array:
    if x.ndim < 2:
        return nvfp4(x)
    return np.stack([outer_of_rows(row) for row in x]) if len(x) else x.copy()


# The float16 scale overflows to infinity, and 0 * infinity is NaN.
def half_scale_overflows(x: Array) -> Array:
    blocks = blocks_of(x, 32)
    with np.errstate(over="ignore", invalid="ignore"):
        scale = (largest(blocks) / 127).astype(np.float16).astype(np.float64)
        scale = np.maximum(scale, 2.0**-24)
        return flat(poisoned(float32(to_fixed(blocks / scale, -128, 127, 1) * scale) + 0.0, blocks), x)


# ggml's Q4_0 as it is: the largest, with its sign, becomes -8, under the name of a scale where it becomes 7.
def ggml_q4_0(x: Array) -> Array:
    blocks = finite(blocks_of(x, 32))
    where = np.argmax(np.abs(blocks), -1)[..., None]
    scale = np.clip(np.take_along_axis(blocks, where, -1) / -8, -65504, 65504).astype(np.float16).astype(np.float64)
    scale = np.where(scale == 0, 2.0**-24, scale)
    return flat(poisoned(to_fixed(blocks / scale, -8, 7, 1) * scale + 0.0, blocks_of(x, 32)), x)


def affine(x: Array, include_zero: bool = True, move_first: bool = False) -> Array:
    """int4_g32: unsigned integers with a float16 scale and a zero point."""
    blocks = blocks_of(x, 32)
    low, high = finite(blocks).min(-1, keepdims=True), finite(blocks).max(-1, keepdims=True)
    if include_zero:
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    scale = np.clip(((high - low) / 15), 2.0**-24, 65504).astype(np.float16).astype(np.float64)
    zero = np.clip(-np.rint(low / scale), 0, 15)
    y = np.rint(blocks / scale + zero) if move_first else np.rint(blocks / scale) + zero
    return flat(poisoned((np.clip(y, 0, 15) - zero) * scale + 0.0, blocks), x)


WRONG = [
    Wrong("nvfp4_one_level", one_level, "nvfp4", "block_scale", ("outer", "tensor", "one level", "second scale")),
    Wrong("nvfp4_scale_overflows", scale_overflows, "nvfp4", "block_scale", ("nan",), ("nan", "overflow")),
    Wrong("nvfp4_least_normal_scale", partial(nvfp4, scale_of=least_normal), "nvfp4", "block_scale",
          ("smallest", "subnormal", "lowest", "bound", "clamp", "small blocks")),
    Wrong("nvfp4_scale_rounded_up", partial(nvfp4, scale_of=scale_rounded_up), "nvfp4", "block_scale",
          ("rceil", "rounded up", "rounds up", "too large")),
    Wrong("block_by_reciprocal", partial(e4m3_scaled, quotient=by_reciprocal), "block<e2m1fn,16,e4m3fn>",
          "double_rounding", ("reciprocal", "twice", "quotient", "float32"), ("nearest", "ties")),
    Wrong("block_bfloat16_quotient", partial(e4m3_scaled, quotient=bfloat16_quotient), "block<e2m1fn,16,e4m3fn>",
          "double_rounding", ("bfloat16", "twice", "quotient"), ("nearest", "ties")),
    # The largest becomes 128 and is cut off, or 127.5, halfway (TensorFlow #14801's ranges).
    Wrong("int8_rows_by_128", partial(int8_rows, divisor=128), "int8_token", "block_scale", ("scale", "128")),
    Wrong("int8_rows_by_range", partial(int8_rows, divisor=127.5, low=-128), "int8_token", "block_scale",
          ("scale", "127.5")),
    # Half up by floor(x + 0.5), as in TensorFlow's fake quantization.
    Wrong("int8_rows_half_up", partial(int8_rows, rounding=half_up_sum), "int8_token", "ties",
          ("ties up", "nearest_up", "half up", "toward plus infinity"), ("sign_symmetric", "nearest")),
    Wrong("int8_rows_float32_quotient", partial(int8_rows, rounding=rint_of_float32), "int8_token", "double_rounding",
          ("float32", "twice", "quotient"), ("nearest", "ties")),
    Wrong("affine_without_zero", partial(affine, include_zero=False), "int4_g32", "block_scale",
          ("zero among", "include zero", "includes zero", "include 0", "without zero", "zero point")),
    # TensorFlow #48580: the zero point is added before rounding, which moves ties.
    Wrong("affine_zero_first", partial(affine, move_first=True), "int4_g32", "ties",
          ("zero point", "ties", "before rounding"), ("nearest", "block_scale")),
    Wrong("fp8_rows_least_scale", least_scale, "fp8_token", "block_scale",
          ("smallest", "small", "lowest", "bound", "clamp", "least")),
    Wrong("fp8_rows_factor_and_inverse", factor_and_inverse, "fp8_token", "block_scale",
          ("reciprocal", "twice", "inverse", "quotient", "float32", "scale"), ("double_rounding", "nearest", "ties")),
    Wrong("nvfp4_outer_without_element", outer_without_element, "nvfp4", "block_scale",
          ("outer", "tensor scale", "scale of the tensor", "factor", "smallest scale")),
    Wrong("nvfp4_outer_of_rows", outer_of_rows, "nvfp4", "block_scale", ("outer", "row", "tensor")),
    Wrong("q8_0_scale_overflows", half_scale_overflows, "q8_0", "block_scale", ("nan", "infinit"),
          ("nan", "infinity", "overflow")),
    Wrong("q4_0_of_ggml", ggml_q4_0, "q4_0", "block_scale", ("-8", "sign", "negative")),
]  # fmt: skip
