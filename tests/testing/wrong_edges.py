"""Casters to floating point that are wrong where the grid ends: overflow, infinities, NaN and signed zeros."""

from __future__ import annotations

import numpy as np
from caster_parts import BRAIN, E4M3, E5M2, FNUZ, HALF, Array, Wrong, bits32, like, on_grid, overflowing, saturated


# The all-ones exponent is not reserved and one binade more is used.
def binade_too_high(x: Array) -> Array:
    return like(np.clip(on_grid(x, E4M3), -896, 896), x)


# The NaN code is read as a number, 480 (mlx #4135).
def nan_code_as_number(x: Array) -> Array:
    return like(np.clip(on_grid(x, E4M3), -480, 480), x)


# The largest number of the IEEE-like format of the same shape.
def ieee_maximum(x: Array) -> Array:
    return like(np.clip(on_grid(x, E4M3), -240, 240), x)


# Every number beyond the largest is infinite, before it is rounded.
def overflow_before_rounding(x: Array) -> Array:
    return like(np.where(np.abs(x) > E5M2.largest, np.copysign(np.inf, x), on_grid(x, E5M2)), x)


# Overflow is judged by the exponent of the source: what rounds up to the next binade stays finite (InfiniCore #226).
def overflow_by_exponent(x: Array) -> Array:
    y = np.where(np.abs(x) < 65536, saturated(on_grid(x, HALF), HALF), overflowing(on_grid(x, HALF), HALF))
    return like(np.where(np.isfinite(x), y, x), x)


# Saturates in a format that has infinity (torch's clamp before .to(float8_e5m2)).
def saturates_overflow(x: Array) -> Array:
    return like(np.where(np.isfinite(x), saturated(on_grid(x, E5M2), E5M2), x), x)


# Where overflow was to be NaN it saturates (torch since 2.12 against ml_dtypes #400).
def saturates_for_nan(x: Array) -> Array:
    return like(saturated(on_grid(x, E4M3), E4M3), x)


# And the other way round (float8_experimental #33).
def nan_for_saturation(x: Array) -> Array:
    y = on_grid(x, E4M3)
    return like(np.where(np.abs(y) > 448, np.nan, y), x)


# Only the binade of the largest number is looked at: just beyond it is the NaN code (Model-Optimizer #1633).
def nan_just_beyond(x: Array) -> Array:
    y = on_grid(x, E4M3)
    return like(np.where(np.abs(y) == 480, np.nan, saturated(y, E4M3)), x)


# The exponent field overflows into nothing.
def overflow_to_zero(x: Array) -> Array:
    y = on_grid(x, E4M3)
    return like(np.where(np.abs(y) > 448, np.copysign(0, y), y), x)


# The exponent is taken modulo the width of its field.
def exponent_wraps(x: Array) -> Array:
    y = on_grid(x, E5M2)
    finite = np.isfinite(y) & (np.abs(y) > E5M2.largest)
    significand, exponent = np.frexp(np.where(finite, y, 1))
    return like(overflowing(np.where(finite, np.ldexp(significand, (exponent + 14) % 32 - 14), y), E5M2), x)


# IEEE 754: toward zero overflows to the largest finite number (apytypes #407).
def truncation_overflows(x: Array) -> Array:
    return like(overflowing(on_grid(x, E5M2, np.trunc), E5M2), x)


# Toward plus infinity a number below the lowest is the lowest, not minus infinity (apytypes #407).
def upward_overflows_both_ways(x: Array) -> Array:
    return like(overflowing(on_grid(x, E5M2, np.ceil), E5M2), x)


# Only the positive end is clamped; the negative one is that of another format.
def ends_differ(x: Array) -> Array:
    return like(np.clip(on_grid(x, E4M3), -240, 448), x)


# Infinities are clamped, finite overflow is not.
def saturates_infinity(x: Array) -> Array:
    return like(np.where(np.isinf(x), np.copysign(E5M2.largest, x), overflowing(on_grid(x, E5M2), E5M2)), x)


# x - x and inf * 0 on the way (pychop #4: infinities become NaN).
def infinity_to_nan(x: Array) -> Array:
    return like(np.where(np.isinf(x), np.nan, overflowing(on_grid(x, E5M2), E5M2)), x)


# The encoder knows the maximum, and looks for it in finite numbers only.
def infinity_to_zero(x: Array) -> Array:
    return like(np.where(np.isinf(x), 0, saturated(on_grid(x, E4M3), E4M3)), x)


# The sign of an infinity is lost.
def infinity_without_sign(x: Array) -> Array:
    return like(np.where(np.isinf(x), np.inf, overflowing(on_grid(x, HALF), HALF)), x)


# DIOPI #627: NaN becomes 0.
def nan_to_zero(x: Array) -> Array:
    return like(np.nan_to_num(overflowing(on_grid(x, HALF), HALF), nan=0, posinf=np.inf, neginf=-np.inf), x)


# fmax and fmin drop NaN: it becomes an end of the range.
def nan_to_maximum(x: Array) -> Array:
    return like(np.fmax(np.fmin(on_grid(x, E4M3), 448), -448), x)


# A NaN whose payload is cut off is an infinity (half-rs #5, dotnet runtime #130583).
def short_payload_to_infinity(x: Array) -> Array:
    if x.dtype == np.float32:
        lost = x.view(np.uint32) & 0x7FFF0000 == 0x7F800000
    else:
        lost = x.view(np.uint64) >> np.uint64(32) & np.uint64(0x7FFFFFFF) == 0x7FF00000
    return like(np.where(lost, np.copysign(np.inf, x), overflowing(on_grid(x, BRAIN), BRAIN)), x)


# NaN is compared as a large number and becomes an infinity (IREE #10875).
def nan_to_infinity(x: Array) -> Array:
    return like(np.where(np.isnan(x), np.inf, overflowing(on_grid(x, E5M2), E5M2)), x)


# sign(x) * round(abs(x)): the sign of -0 is 0.
def sign_times_magnitude(x: Array) -> Array:
    return like(np.sign(x) * saturated(on_grid(np.abs(x), E4M3), E4M3), x)


# x + 0 after rounding, or an encoder that writes code 0 for zero.
def loses_negative_zero(x: Array) -> Array:
    return like(saturated(on_grid(x, E4M3), E4M3) + 0.0, x)


# What underflows from below loses its sign, -0 itself keeps it.
def underflow_loses_sign(x: Array) -> Array:
    y = overflowing(on_grid(x, HALF), HALF)
    return like(np.where((y == 0) & (x != 0), 0, y), x)


# -0 in a format without it.
def negative_zero_in_fnuz(x: Array) -> Array:
    return like(saturated(on_grid(x, FNUZ), FNUZ), x)


# onnxruntime #18473: small negative numbers get the code of -0, which is NaN there.
def small_negatives_to_nan(x: Array) -> Array:
    y = saturated(on_grid(x, FNUZ), FNUZ)
    return like(np.where((y == 0) & (x < 0), np.nan, y + 0.0), x)


# torch-xpu-ops #2951: so does -0 itself.
def negative_zero_to_nan(x: Array) -> Array:
    y = saturated(on_grid(x, E4M3), E4M3)
    return like(np.where((x == 0) & np.signbit(x), np.nan, y), x)


# QPyTorch #48: with 23 bits the rounding bit carries into the sign.
def flips_sign(x: Array) -> Array:
    return np.where(np.isnan(x), x, -like(bits32(x).view(np.float32), x))


# A number of the smallest magnitude is not told from zero: the least code is skipped.
def skips_smallest(x: Array) -> Array:
    y = saturated(on_grid(x, E4M3), E4M3)
    return like(np.where(np.abs(y) == 2.0**-9, np.copysign(2.0**-8, y), y), x)


# A table with one entry in the wrong place (an e4m3 decode table, 5 and 5.5 exchanged).
def swapped_entries(x: Array) -> Array:
    y = saturated(on_grid(x, E4M3), E4M3)
    return like(np.where(y == 5, 5.5, np.where(y == 5.5, 5, y)), x)


_HIGH = ("too high", "too large", "maximum", "largest", "beyond")
_LOW = ("too low", "too small", "maximum", "largest", "240")
_SATURATES = ("saturat", "largest", "clamp")

WRONG = [
    Wrong("binade_too_high", binade_too_high, "e4m3fn", "overflow", (*_HIGH, "896"), ("representable",)),
    Wrong("nan_code_as_number", nan_code_as_number, "e4m3fn", "overflow", (*_HIGH, "480"), ("representable",)),
    Wrong("ieee_maximum", ieee_maximum, "e4m3fn", "overflow", _LOW, ("representable",)),
    Wrong("overflow_before_rounding", overflow_before_rounding, "e5m2", "overflow",
          ("before rounding", "threshold", "too early", "not rounded", "rounding first")),
    Wrong("overflow_by_exponent", overflow_by_exponent, "float16", "overflow",
          ("threshold", "too late", "saturat", "largest")),
    Wrong("saturates_overflow", saturates_overflow, "e5m2", "overflow", _SATURATES),
    Wrong("saturates_for_nan", saturates_for_nan, "e4m3fn", "overflow", _SATURATES, ("infinity",), edges="nan"),
    Wrong("nan_for_saturation", nan_for_saturation, "e4m3fn", "overflow", ("nan",), ("infinity",)),
    Wrong("nan_just_beyond", nan_just_beyond, "e4m3fn", "overflow", ("nan",), ("monotone",)),
    Wrong("overflow_to_zero", overflow_to_zero, "e4m3fn", "overflow", ("zero",), ("infinity", "monotone")),
    Wrong("exponent_wraps", exponent_wraps, "e5m2", "overflow", ("wrap", "modulo", "monoton", "small"), ("monotone",)),
    Wrong("truncation_overflows", truncation_overflows, "e5m2", "overflow", ("infinity",), ("directed",),
          rounding="toward_zero"),
    Wrong("upward_overflows_both_ways", upward_overflows_both_ways, "e5m2", "overflow", ("infinity",), ("directed",),
          rounding="toward_positive"),
    Wrong("ends_differ", ends_differ, "e4m3fn", "sign_symmetric", ("negative", "-240", "lowest", "sign"),
          ("overflow", "representable")),
    Wrong("saturates_infinity", saturates_infinity, "e5m2", "infinity", _SATURATES),
    Wrong("infinity_to_nan", infinity_to_nan, "e5m2", "infinity", ("nan",)),
    Wrong("infinity_to_zero", infinity_to_zero, "e4m3fn", "infinity", ("zero",)),
    Wrong("infinity_without_sign", infinity_without_sign, "float16", "infinity", ("sign", "+inf", "positive"),
          ("sign_symmetric",)),
    Wrong("nan_to_zero", nan_to_zero, "float16", "nan", ("zero",)),
    Wrong("nan_to_maximum", nan_to_maximum, "e4m3fn", "nan", ("largest", "maximum", "finite", "448", "saturat")),
    Wrong("short_payload_to_infinity", short_payload_to_infinity, "bfloat16", "nan", ("infinit", "payload", "signal")),
    Wrong("nan_to_infinity", nan_to_infinity, "e5m2", "nan", ("infinit",)),
    Wrong("sign_times_magnitude", sign_times_magnitude, "e4m3fn", "signed_zero",
          ("-0", "sign of zero", "negative zero")),
    Wrong("loses_negative_zero", loses_negative_zero, "e4m3fn", "signed_zero", ("-0", "sign of zero", "negative zero")),
    Wrong("underflow_loses_sign", underflow_loses_sign, "float16", "signed_zero",
          ("-0", "sign of zero", "negative zero", "underflow"), ("underflow", "sign_symmetric")),
    Wrong("negative_zero_in_fnuz", negative_zero_in_fnuz, "e4m3fnuz", "signed_zero",
          ("-0", "sign of zero", "negative zero"), ("underflow",)),
    Wrong("small_negatives_to_nan", small_negatives_to_nan, "e4m3fnuz", "underflow", ("nan",), ("signed_zero", "nan")),
    Wrong("negative_zero_to_nan", negative_zero_to_nan, "e4m3fn", "signed_zero", ("nan",), ("nan",)),
    Wrong("flips_sign", flips_sign, "float32", "representable", ("sign", "negat"), ("nearest",)),
    Wrong("skips_smallest", skips_smallest, "e4m3fn", "subnormals", ("smallest", "subnormal"),
          ("representable", "underflow")),
    Wrong("swapped_entries", swapped_entries, "e4m3fn", "representable",
          ("representable", "moves", "not kept", "table", "changes"), ("monotone", "nearest")),
]  # fmt: skip
