"""Casters to floating point that round wrongly."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from caster_parts import (
    BRAIN,
    E3M2,
    E4M3,
    E5M2,
    FNUZ,
    HALF,
    Array,
    Grid,
    Round,
    Wrong,
    away,
    bits32,
    exponent_of,
    half_away,
    half_down,
    half_odd,
    half_to_zero,
    half_up,
    like,
    on_grid,
    overflowing,
    saturated,
    to_odd,
)


def saturating(x: Array, grid: Grid, rounding: Round) -> Array:
    return like(saturated(on_grid(x, grid, rounding), grid), x)


def to_infinity(x: Array, grid: Grid, rounding: Round) -> Array:
    return like(overflowing(on_grid(x, grid, rounding), grid), x)


# Truncating the pattern of a float32, as the first conversions to bfloat16 in TensorFlow.
def chopped_bits(x: Array) -> Array:
    return np.where(np.isnan(x), x, like((bits32(x) & 0xFFFF0000).view(np.float32), x))


# One bit below the last decides, as where a shifter drops the rest (rounding in SoftPosit.jl #55).
def guard_bit_only(x: Array) -> Array:
    bits = x.astype(np.float64).view(np.uint64)
    kept = ((bits + (1 << 49)) >> 50 << 50).view(np.float64)  # carries into the exponent, as it should
    y = np.where(np.abs(x) < 2.0**-14, on_grid(x, E5M2, half_away), kept)
    return like(np.where(np.isfinite(x), overflowing(y, E5M2), x), x)


# Of the bits below the guard bit only three are looked at (tt-metal #51971: no sticky bit).
def short_sticky(x: Array, rounding: Round) -> Array:
    def rounded(q: Array) -> Array:
        return rounding(np.trunc(q * 16) / 16)

    return saturating(x, E4M3, rounded)


# A significand that rounds up to 2.0 does not increment the exponent (cva6 #242, half of all first encoders).
def lost_carry(x: Array) -> Array:
    y = on_grid(x, E4M3)
    finite = np.where(np.isfinite(x), x, 0).astype(np.float64)
    carried = (exponent_of(y) > exponent_of(finite)) & (np.abs(finite) >= 2.0**-6) & (np.abs(finite) <= 448)
    return like(saturated(np.where(carried, y / 2, y), E4M3), x)


# floor(log2(x)) in float32 is one too large just below a power of two (microxcaling, torchao before its fix).
def float_log2(x: Array) -> Array:
    finite = np.where(np.isfinite(x) & (x != 0), np.abs(x), 1)
    with np.errstate(over="ignore", divide="ignore"):
        logarithm = np.floor(np.log2(finite.astype(np.float32)))
    step = np.ldexp(1.0, np.clip(logarithm, -6, 9).astype(int) - 3)
    y = np.trunc(np.clip(x.astype(np.float64), -500, 500) / step) * step
    return like(saturated(np.where(np.isfinite(x), y, x), E4M3), x)


# int(log2(x)) goes toward zero, not down (bitstring #334): numbers below one get too high an exponent.
def truncated_log2(x: Array) -> Array:
    finite = np.where(np.isfinite(x), x, 0).astype(np.float64)
    exponent = exponent_of(finite)
    fraction = np.abs(finite) != np.ldexp(1.0, exponent)
    exponent = np.where((exponent < 0) & fraction, exponent + 1, exponent)
    step = np.ldexp(1.0, np.maximum(exponent, -6) - 3)
    return like(saturated(np.where(np.isfinite(x), np.rint(saturated(finite, E4M3) / step) * step, x), E4M3), x)


# The halves of a tie are told by magnitude, but negative numbers are shifted right arithmetically (bsc #489).
def floor_of_negatives(x: Array) -> Array:
    def rounded(q: Array) -> Array:
        return np.where(q < 0, np.floor(q), np.rint(q))

    return saturating(x, E4M3, rounded)


# Rounding up is taken for rounding away from zero (FPU of neorv32 #791).
def up_as_away(x: Array) -> Array:
    return saturating(x, E4M3, away)


# Rounding down is the mirror of rounding up done twice: of -x, without turning back the direction.
def down_as_up(x: Array) -> Array:
    return saturating(x, E4M3, np.ceil)


# von Neumann's jam is taken for rounding to odd: representable numbers move too (apytypes has both).
def jam(x: Array) -> Array:
    def rounded(q: Array) -> Array:
        whole = np.trunc(q)
        return np.where(q == 0, q, whole + np.copysign(whole % 2 == 0, q))

    return saturating(x, E4M3, rounded)


# The exponent bias of the other 8-bit format: every result is half of what it should be (fnuz and fn in ROCm).
def wrong_bias(x: Array) -> Array:
    return like(saturated(on_grid(x, FNUZ), FNUZ) / 2, x)


# ml_dtypes #401: every wider source goes through float32.
def through_float32(x: Array, cast: Any) -> Array:
    with np.errstate(over="ignore"):
        return like(cast(x.astype(np.float32)), x)


# Weights kept in bfloat16 are then cast to float8.
def through_bfloat16(x: Array) -> Array:
    return saturating(overflowing(on_grid(x, BRAIN), BRAIN), E4M3, np.rint).astype(x.dtype)


# cuda_fp8's e5m2 of a half that was made from a float.
def through_float16(x: Array) -> Array:
    return like(overflowing(on_grid(overflowing(on_grid(x, HALF), HALF), E5M2), E5M2), x)


# Subnormals are rounded a second time, after the significand was rounded as a normal number's (apytypes #1024).
def subnormals_twice(x: Array) -> Array:
    first = on_grid(x, Grid(2, -1000, np.inf))
    return like(overflowing(on_grid(first, E5M2), E5M2), x)


# No subnormals: results below the smallest normal number become zero (QPyTorch #24).
def flushes_results(x: Array) -> Array:
    y = saturated(on_grid(x, E4M3), E4M3)
    return like(np.where(np.abs(y) < 2.0**-6, np.copysign(0, y), y), x)


# Inputs below the smallest normal number become zero, also those that round up to it.
def flushes_inputs(x: Array) -> Array:
    y = overflowing(on_grid(x, E5M2), E5M2)
    return like(np.where(np.abs(x) < 2.0**-14, np.copysign(0, x), y), x)


# Subnormal float32 sources count as zero (denormals-are-zero; microxcaling's flush_fp32_subnorms).
def flushes_float32_subnormals(x: Array) -> Array:
    return to_infinity(np.where(np.abs(x) < 2.0**-126, np.copysign(x.dtype.type(0), x), x), BRAIN, np.rint).astype(
        x.dtype
    )


# Subnormals are encoded a binade too small (tt-metal #51971).
def subnormals_halved(x: Array) -> Array:
    y = saturated(on_grid(x, E4M3), E4M3)
    return like(np.where(np.abs(y) < 2.0**-6, y / 2, y), x)


# Subnormals get the step of the second binade (Float8s.jl #22, fp-lean #75: off by one in the least exponent).
def subnormals_too_coarse(x: Array) -> Array:
    y = on_grid(x, E4M3)
    coarse = np.rint(np.clip(x, -1, 1).astype(np.float64) * 256) / 256
    return like(saturated(np.where(np.abs(x) < 2.0**-6, coarse, y), E4M3), x)


# Half of the smallest number is taken for the whole: all below it is zero (ghidra #5714).
def underflow_below_smallest(x: Array) -> Array:
    y = overflowing(on_grid(x, HALF), HALF)
    return like(np.where(np.abs(x) < 2.0**-24, np.copysign(0, x), y), x)


# A number that is not zero never becomes zero, as in a posit.
def never_underflows(x: Array) -> Array:
    y = saturated(on_grid(x, E4M3), E4M3)
    return like(np.where((y == 0) & (x != 0), np.copysign(2.0**-9, x), y), x)


_AWAY = ("ties away", "nearest_away", "ties_away", "tie goes away")
_UP = ("ties up", "nearest_up", "toward plus infinity", "half up")
_TWICE = ("twice", "double rounding", "two roundings", "via")

WRONG = [
    # QPyTorch #23: its "nearest" is half away from zero.
    Wrong("ties_away", partial(saturating, grid=E4M3, rounding=half_away), "e4m3fn", "ties", _AWAY),
    Wrong("ties_toward_zero", partial(to_infinity, grid=E5M2, rounding=half_to_zero), "e5m2", "ties",
          ("ties toward zero", "nearest_zero", "ties to zero", "tie goes toward zero")),
    # Math.round and floor(x + 0.5), to be found in quantizers everywhere.
    Wrong("ties_up", partial(saturating, grid=E3M2, rounding=half_up), "e3m2fn", "ties", _UP, ("sign_symmetric",)),
    Wrong("ties_down", partial(to_infinity, grid=HALF, rounding=half_down), "float16", "ties",
          ("ties down", "nearest_down", "toward minus infinity", "half down"), ("sign_symmetric",)),
    # The lowest kept bit is read inverted.
    Wrong("ties_to_odd", partial(saturating, grid=E4M3, rounding=half_odd), "e4m3fn", "ties",
          ("ties to odd", "nearest_odd", "tie goes to the odd")),
    Wrong("guard_bit_only", guard_bit_only, "e5m2", "ties", _AWAY),
    Wrong("truncation", partial(saturating, grid=E4M3, rounding=np.trunc), "e4m3fn", "nearest",
          ("truncat", "toward_zero", "toward zero")),
    Wrong("truncated_bits", chopped_bits, "bfloat16", "nearest", ("truncat", "toward_zero", "toward zero"),
          ("overflow",)),
    Wrong("away_from_zero", partial(saturating, grid=E4M3, rounding=away), "e4m3fn", "nearest",
          ("away_from_zero", "away from zero")),
    Wrong("floor", partial(saturating, grid=E3M2, rounding=np.floor), "e3m2fn", "nearest",
          ("floor", "toward_negative", "toward minus"), ("sign_symmetric",)),
    Wrong("ceil", partial(saturating, grid=E4M3, rounding=np.ceil), "e4m3fn", "nearest",
          ("ceil", "toward_positive", "toward plus"), ("sign_symmetric",)),
    # A rounding mode that is accepted and ignored.
    Wrong("mode_ignored", partial(saturating, grid=E4M3, rounding=np.rint), "e4m3fn", "directed", ("nearest",),
          rounding="toward_zero"),
    Wrong("up_as_away", up_as_away, "e4m3fn", "directed", ("away_from_zero", "away from zero"),
          rounding="toward_positive"),
    Wrong("down_as_up", down_as_up, "e4m3fn", "directed", ("toward_positive", "ceil", "toward plus"),
          rounding="toward_negative"),
    Wrong("float_log2", float_log2, "e4m3fn", "directed",
          ("log", "power of two", "powers of two", "binade", "exponent"), ("representable",
          "nearest"), rounding="toward_zero"),
    Wrong("jam", jam, "e4m3fn", "to_odd", ("jam", "last bit", "representable"), ("representable", "idempotent"),
          rounding="to_odd"),
    Wrong("to_odd_without_sticky", partial(short_sticky, rounding=to_odd), "e4m3fn", "to_odd",
          ("sticky", "low bits", "truncat", "toward zero", "drops bits", "lowest bits"), rounding="to_odd"),
    Wrong("short_sticky", partial(short_sticky, rounding=np.rint), "e4m3fn", "nearest",
          ("sticky", "low bits", "truncat", "drops bits", "lowest bits", *_TWICE), ("double_rounding",)),
    Wrong("lost_carry", lost_carry, "e4m3fn", "nearest",
          ("carry", "power of two", "powers of two", "exponent", "binade"), ("monotone",)),
    Wrong("truncated_log2", truncated_log2, "e4m3fn", "representable",
          ("below one", "below 1", "last bit", "exponent", "binade", "coarse", "log", "fewer"), ("nearest",)),
    Wrong("floor_of_negatives", floor_of_negatives, "e4m3fn", "sign_symmetric",
          ("negative numbers", "negative", "floor"), ("nearest",)),
    Wrong("wrong_bias", wrong_bias, "e4m3fnuz", "representable",
          ("bias", "half of", "half as", "factor", "halved", "scaled"), ("nearest", "overflow")),
    Wrong("through_float32", partial(through_float32, cast=partial(saturating, grid=E4M3, rounding=np.rint)), "e4m3fn",
          "double_rounding", ("float32",)),
    Wrong("float16_through_float32", partial(through_float32, cast=partial(to_infinity, grid=HALF, rounding=np.rint)),
          "float16", "double_rounding", ("float32",)),
    Wrong("through_bfloat16", through_bfloat16, "e4m3fn", "double_rounding", ("bfloat16",)),
    Wrong("through_float16", through_float16, "e5m2", "double_rounding", ("float16",)),
    Wrong("subnormals_twice", subnormals_twice, "e5m2", "subnormals", ("subnormal", *_TWICE),
          ("nearest", "double_rounding")),
    Wrong("flushes_results", flushes_results, "e4m3fn", "subnormals", ("flush",), ("representable",)),
    Wrong("flushes_inputs", flushes_inputs, "e5m2", "subnormals", ("flush",), ("representable",)),
    Wrong("flushes_float32_subnormals", flushes_float32_subnormals, "bfloat16", "subnormals", ("flush",),
          ("representable",)),
    Wrong("subnormals_halved", subnormals_halved, "e4m3fn", "subnormals", ("subnormal",), ("representable",)),
    Wrong("subnormals_too_coarse", subnormals_too_coarse, "e4m3fn", "subnormals", ("subnormal",), ("representable",)),
    Wrong("underflow_below_smallest", underflow_below_smallest, "float16", "underflow", ("smallest", "underflow"),
          ("subnormals", "nearest")),
    Wrong("never_underflows", never_underflows, "e4m3fn", "underflow",
          ("smallest", "never becomes zero", "underflow=smallest")),
]  # fmt: skip
