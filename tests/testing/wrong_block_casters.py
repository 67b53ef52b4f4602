"""Wrong casters to blocks that share a scale."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from block_parts import (
    MX,
    MXFP4,
    MXFP8,
    blocks_of,
    finite,
    flat,
    largest,
    mx,
    power_scale,
    scaled,
    to_fixed,
)
from caster_parts import BRAIN, E2M1, E4M3, Array, Wrong, exponent_of, half_away, like, on_grid, saturated


def with_scale(x: Array, kind: MX, scale_of: Any, size: int = 32) -> Array:
    """MX blocks whose scale is found by some other rule."""
    blocks = blocks_of(x, size)
    return flat(scaled(blocks, scale_of(blocks, kind.emax), kind.elements), x)


# The rule itself, for blocks of another size.
def by_definition(blocks: Array, emax: int) -> Array:
    return power_scale(largest(blocks), emax)


# floor(log2(amax)) in float32: just below a power of two the logarithm is the next integer (microxcaling, torchao).
def by_float32_log2(blocks: Array, emax: int) -> Array:
    amax = largest(blocks).astype(np.float32)
    with np.errstate(divide="ignore"):
        exponent = np.floor(np.log2(amax))
    return np.exp2(np.clip(exponent - emax, -127, 127).astype(np.float64))


# mase #321: ceil(log2(amax)) - emax.
def by_ceil(blocks: Array, emax: int) -> Array:
    amax = largest(blocks)
    up = (np.frexp(amax)[0] > 0.5).astype(int)
    return np.ldexp(1.0, np.where(amax > 0, np.clip(exponent_of(amax) + up - emax, -127, 127), -127))


# vllm #43557: the exponent of amax / 6 is not that of amax less that of 6.
def by_quotient(blocks: Array, emax: int) -> Array:
    amax = largest(blocks)
    return np.ldexp(1.0, np.where(amax > 0, np.clip(exponent_of(amax / 6), -127, 127), -127))


# A bfloat16 maximum may have rounded up to the next power of two (SuperNPUBench #111).
def by_bfloat16_maximum(blocks: Array, emax: int) -> Array:
    return power_scale(on_grid(largest(blocks), BRAIN), emax)


# The reduction never looks beyond its first lane.
def by_first_element(blocks: Array, emax: int) -> Array:
    return power_scale(np.abs(finite(blocks)[..., :1]), emax)


# The maximum of the numbers, not of their magnitudes.
def by_signed_maximum(blocks: Array, emax: int) -> Array:
    return power_scale(np.maximum(finite(blocks).max(-1, keepdims=True), 0), emax)


# sglang #8290: the loop over the maximum goes in steps of two.
def by_every_second(blocks: Array, emax: int) -> Array:
    return power_scale(largest(blocks[..., ::2]), emax)


# One maximum of the whole tensor.
def by_tensor(blocks: Array, emax: int) -> Array:
    return power_scale(np.broadcast_to(largest(blocks).max(initial=0), (*blocks.shape[:-1], 1)), emax)


# The mean magnitude instead of the largest.
def by_mean(blocks: Array, emax: int) -> Array:
    return power_scale(np.abs(finite(blocks)).mean(-1, keepdims=True), emax)


# ceil(log2(amax / 448)) in float32: just above a power of two the logarithm is an integer (torchao #4725).
def up_by_float32_log2(blocks: Array, emax: int) -> Array:
    quotient = largest(blocks).astype(np.float32) / np.float32(448)
    with np.errstate(divide="ignore"):
        exponent = np.ceil(np.log2(quotient))
    return np.exp2(np.clip(exponent, -127, 127).astype(np.float64))


# The largest of each half of a block, of which only the second is kept.
def by_second_half(blocks: Array, emax: int) -> Array:
    return power_scale(largest(blocks[..., blocks.shape[-1] // 2 :]), emax)


# The exponent of the scale has no lower bound, as in a simulation by float32 numbers.
def unbounded(blocks: Array, emax: int) -> Array:
    amax = largest(blocks)
    return np.ldexp(1.0, np.where(amax > 0, exponent_of(amax) - emax, -127))


# The bias of the scale's exponent is off by one.
def twice_the_scale(blocks: Array, emax: int) -> Array:
    return power_scale(largest(blocks), emax - 1)


# The last block is processed only if it is whole (axolotl #3747).
def drops_partial_block(x: Array) -> Array:
    whole = x.shape[-1] // 32 * 32
    y = mx(x, MXFP4)
    y[..., whole:] = 0
    return y


# Or it stays as it was.
def skips_partial_block(x: Array) -> Array:
    whole = x.shape[-1] // 32 * 32
    y = mx(x, MXFP4)
    y[..., whole:] = x[..., whole:]
    return y


# bitsandbytes #1884: a short block is filled up from memory that still holds the block before.
def stale_padding(x: Array) -> Array:
    short = -x.shape[-1] % 32
    if not short or x.shape[-1] < 32:
        return mx(x, MXFP8)
    stale = x[..., x.shape[-1] - 32 : x.shape[-1] - 32 + short]
    return np.ascontiguousarray(mx(np.concatenate([x, stale], -1), MXFP8)[..., : x.shape[-1]])


# mase #321: blocks are cut from the flattened tensor and straddle its rows.
def straddles_rows(x: Array) -> Array:
    return mx(x.reshape(1, -1), MXFP8).reshape(x.shape)


# Blocks run along the first axis.
def first_axis(x: Array) -> Array:
    return np.ascontiguousarray(mx(x.T, MXFP8).T)


# The elements are cast by ml_dtypes, whose overflow is NaN (microxcaling #4: 957 needs saturation).
def elements_overflow(q: Array) -> Array:
    y = on_grid(q, E4M3)
    return np.where(np.abs(y) > 448, np.nan, y)


# "nearest" in microxcaling is half away from zero.
def elements_away(q: Array) -> Array:
    return saturated(on_grid(q, E2M1, half_away), E2M1)


# Elements below the smallest normal number are zero.
def elements_flush(q: Array) -> Array:
    y = saturated(on_grid(q, E4M3), E4M3)
    return np.where(np.abs(y) < 2.0**-6, np.copysign(0, y), y)


# The element's range is made symmetric: -2 is lost.
def elements_symmetric(q: Array) -> Array:
    return to_fixed(q, -127, 127, 64)


# A tensor of bfloat16 is made first.
def from_bfloat16(x: Array) -> Array:
    return like(mx(on_grid(x, BRAIN), MXFP4), x)


# TransformerEngine #3550, hipDNN #12362: the maximum ignores NaN, and only the element itself is NaN.
def ignores_nan(x: Array) -> Array:
    blocks = blocks_of(x, 32)
    y = saturated(on_grid(blocks / power_scale(largest(blocks), 8), E4M3), E4M3) * power_scale(largest(blocks), 8)
    return flat(np.where(np.isinf(blocks).any(-1, keepdims=True), np.nan, y), x)


# An infinity takes part in the maximum: the scale is the largest, and all other elements become zero.
def infinite_maximum(x: Array) -> Array:
    blocks = blocks_of(x, 32)
    infinite = np.isinf(blocks).any(-1, keepdims=True) & ~np.isnan(blocks).any(-1, keepdims=True)
    y = np.where(np.isinf(blocks), np.copysign(448 * 2.0**119, blocks), np.copysign(0, blocks))
    return flat(np.where(infinite, y, blocks_of(mx(x, MXFP8), 32)), x)


# Model-Optimizer #381: 0 / 0 in a block of zeros.
def zero_block_to_nan(x: Array) -> Array:
    blocks = blocks_of(x, 32)
    return flat(np.where(largest(blocks) == 0, np.nan, blocks_of(mx(x, MXFP8), 32)), x)


def _mx(
    name: str, rule: Any, diagnosis: tuple[str, ...], kind: MX = MXFP8, format: str = "mxfp8_e4m3", size: int = 32
) -> Wrong:
    return Wrong(name, partial(with_scale, kind=kind, scale_of=rule, size=size), format, "block_scale", diagnosis)


def _elements(
    name: str, elements: Any, emax: int, format: str, law: str, diagnosis: tuple[str, ...], also: tuple[str, ...] = ()
) -> Wrong:
    return Wrong(name, partial(mx, kind=MX(elements, emax)), format, law, diagnosis, also)


WRONG = [
    _mx("block_float32_log2", by_float32_log2, ("log2", "logarithm", "power of two", "powers of two")),
    _mx("block_ceil", by_ceil, ("ceil", "rounded up", "rounds up", "twice", "too large")),
    _mx("block_quotient_exponent", by_quotient, ("too small", "half", "amax / 6", "divid", "quotient"), MXFP4, "mxfp4"),
    _mx("block_bfloat16_maximum", by_bfloat16_maximum,
        ("bfloat16", "power of two", "powers of two", "rule even", "even rule", "rule=even"), MXFP4, "mxfp4"),
    _mx("block_first_element", by_first_element, ("first",)),
    _mx("block_signed_maximum", by_signed_maximum, ("sign", "negative", "absolute")),
    _mx("block_every_second", by_every_second,
        ("second", "every other", "even", "odd", "skip", "not all elements", "ignores")),
    _mx("block_tensor_maximum", by_tensor, ("tensor", "whole", "all blocks", "other blocks", "other elements")),
    _mx("block_mean", by_mean, ("mean", "average", "too small", "not the largest"), MXFP4, "mxfp4"),
    _mx("block_unbounded_scale", unbounded, ("bound", "clamp", "range", "smallest", "lowest", "-127", "limit")),
    _mx("block_twice_the_scale", twice_the_scale, ("twice", "too large", "off by one", "factor", "exponent", "bias")),
    _mx("block_size_16", by_definition, ("16", "block size", "size"), size=16),
    Wrong("block_dropped_partial", drops_partial_block, "mxfp4", "partial_block",
          ("zero", "dropped", "drops", "partial", "last block", "tail"), ("layout", "block_scale")),
    Wrong("block_skipped_partial", skips_partial_block, "mxfp4", "partial_block",
          ("unchanged", "not converted", "partial", "last block", "tail", "as it was"), ("layout", "block_scale",
          "representable")),
    Wrong("block_stale_padding", stale_padding, "mxfp8_e4m3", "partial_block",
          ("partial", "last block", "padding", "short", "tail"), ("block_scale", "layout")),
    Wrong("block_straddles_rows", straddles_rows, "mxfp8_e4m3", "partial_block",
          ("row", "straddle", "flatten", "partial"), ("layout", "block_scale")),
    Wrong("block_first_axis", first_axis, "mxfp8_e4m3", "block_scale", ("axis", "axes", "columns", "transpos"),
          ("layout",)),
    _elements("block_elements_overflow", elements_overflow, 8, "mxfp8_e4m3", "overflow", ("nan",), ("block_scale",)),
    _elements("block_elements_away", elements_away, 2, "mxfp4", "ties",
              ("ties away", "nearest_away", "away from zero")),
    _elements("block_elements_flush", elements_flush, 8, "mxfp8_e4m3", "subnormals", ("flush",)),
    _elements("block_elements_symmetric", elements_symmetric, 0, "mxint8", "overflow",
              ("symmetric", "-2", "-127", "-128", "lowest", "sat_sym"), ("representable",)),
    Wrong("block_ignores_nan", ignores_nan, "mxfp8_e4m3", "nan",
          ("ignore", "only the element", "element", "whole block", "scale")),
    Wrong("block_infinite_maximum", infinite_maximum, "mxfp8_e4m3", "infinity", ("infinit", "zero", "largest"),
          ("nan", "block_scale")),
    Wrong("block_zero_to_nan", zero_block_to_nan, "mxfp8_e4m3", "block_scale", ("nan",),
          ("nan", "signed_zero", "representable")),
    _mx("block_up_by_float32_log2", up_by_float32_log2,
        ("log2", "logarithm", "power of two", "powers of two", "too small"), format="mxfp8_e4m3_rceil"),
    _mx("block_second_half", by_second_half, ("half", "part of", "not all elements", "first", "ignores", "position")),
    Wrong("block_from_bfloat16", from_bfloat16, "mxfp4", "double_rounding", ("bfloat16", "twice"),
          ("nearest", "block_scale", "ties")),
]  # fmt: skip
