"""Wrong casters to floating point that work on bits: shifts, masks and added constants gone wrong."""

from __future__ import annotations

import numpy as np
from caster_parts import BRAIN, E2M1, E4M3, E5M2, HALF, Array, Grid, Wrong, like, on_grid, overflowing, saturated

TF32 = Grid(10, -126, (2 - 2.0**-10) * 2.0**127)
E3M4 = Grid(4, -2, 15.5)
E5M2FNUZ = Grid(2, -15, 57344.0)
UE4M3 = E4M3


def to_odd_float32(x: Array) -> Array:
    """The bits of a float32; wider sources rounded to odd, so that the next rounding is the only one."""
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = x.astype(np.float32)
    bits = narrow.view(np.uint32).copy()
    back = narrow.astype(np.float64)
    moved = np.isfinite(x) & (back != x)
    bits -= (moved & (np.abs(back) > np.abs(x))).astype(np.uint32)
    return bits | moved.astype(np.uint32)


def from_bits(bits: Array, x: Array) -> Array:
    return like(bits.view(np.float32), x)


# Half of the last kept bit is added, and the rest cut off: ties go away from zero (many GPU kernels).
def adds_half(x: Array) -> Array:
    rounded = (to_odd_float32(x) + np.uint32(0x8000)) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), x, from_bits(rounded, x))


# Rounding is applied to NaN as well: 0x7fffffff + 0x7fff runs over into -0.
def rounds_nan(x: Array) -> Array:
    bits = to_odd_float32(x)
    rounded = (bits + np.uint32(0x7FFF) + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)
    return from_bits(rounded, x)


# NVIDIA's tf32 as the tensor cores read it: the low 13 bits are ignored.
def tf32_cut(x: Array) -> Array:
    cut = to_odd_float32(x) & np.uint32(0xFFFFE000)
    return np.where(np.isnan(x), x, from_bits(cut, x))


# The lowest kept bit is taken one place too high: ties look at the wrong bit.
def wrong_tie_bit(x: Array) -> Array:
    bits = to_odd_float32(x)
    rounded = (bits + np.uint32(0x7FFF) + (bits >> 17 & 1)) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), x, from_bits(rounded, x))


# A shift by more than 31 places is one by its lowest five bits (x86, and undefined in C): tiny numbers come back.
def shift_modulo_32(x: Array) -> Array:
    y = overflowing(on_grid(x, HALF), HALF)
    finite = np.where(np.isfinite(x), x, 0).astype(np.float64)
    fraction, exponent = np.frexp(np.abs(finite))
    shift = -14 - exponent + 14
    garbage = (shift >= 32) & (finite != 0)
    wrapped = np.floor(fraction * 2048 / np.exp2(shift % 32)) * 2.0**-24
    return like(np.where(garbage, np.copysign(wrapped, x), y), x)


# The codes of infinity and NaN are used for numbers.
def no_infinity(x: Array) -> Array:
    return like(np.clip(on_grid(x, E5M2), -114688, 114688), x)


# So they are in e3m4, whose largest number is 15.5.
def one_more_number(x: Array) -> Array:
    y = on_grid(x, E3M4)
    return like(np.where(np.abs(y) == 16, y, overflowing(y, E3M4)), x)


# A comparison is <= where it should be <: one tie of seven goes the wrong way (FP4 kernels' ladders of thresholds).
def one_tie(x: Array) -> Array:
    y = saturated(on_grid(x, E2M1), E2M1)
    return like(np.where(np.abs(x) == 1.75, np.copysign(1.5, x), y), x)


# A constant of the ladder is mistyped.
def one_threshold(x: Array) -> Array:
    y = saturated(on_grid(x, E2M1), E2M1)
    return like(np.where((np.abs(x) > 2.4) & (np.abs(x) <= 2.5), np.copysign(3, x), y), x)


# The range is right, but -6 is never reached: the table of magnitudes has seven entries for negative numbers.
def negative_end(x: Array) -> Array:
    return like(np.clip(on_grid(x, E2M1), -4, 6), x)


#: The numbers of e2m1 in the order of their codes.
CODES = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])


# argmin of the distances to all codes: the first of two equal ones, which is nearer to zero, and never -0.
def least_distance(x: Array) -> Array:
    values = np.clip(np.where(np.isnan(x), 0, x), -6, 6).astype(np.float64)
    found = CODES[np.argmin(np.abs(values[..., None] - CODES), -1)]
    return like(np.where(np.isnan(x), x, found), x)


# cva6 #242: a subnormal that rounds up to the smallest normal number carries into nothing, and is zero.
def carry_into_nothing(x: Array) -> Array:
    y = overflowing(on_grid(x, E3M4), E3M4)
    return like(np.where((np.abs(y) == 0.25) & (np.abs(x) < 0.25), np.copysign(0, x), y), x)


# Infinity becomes NaN where it was to saturate (ml_dtypes' fnuz types, under PyTorch's name).
def fnuz_infinity(x: Array) -> Array:
    return like(np.where(np.isinf(x), np.nan, saturated(on_grid(x, E5M2FNUZ), E5M2FNUZ) + 0.0), x)


# The sign of an unsigned number is cleared, not its value.
def drops_sign(x: Array) -> Array:
    return like(saturated(on_grid(np.abs(x), UE4M3), UE4M3), x)


# Five decimal digits on the way, as through a text file.
def through_text(x: Array) -> Array:
    digits = np.array([float(f"{value:.4e}") for value in x.astype(np.float64).ravel().tolist()]).reshape(x.shape)
    return like(overflowing(on_grid(digits, HALF), HALF), x)


# Adding and subtracting 1.5 * 2**k in float32 rounds twice what is a float64.
def magic_in_float32(x: Array) -> Array:
    with np.errstate(over="ignore"):
        magic = np.float32(1.5 * 2.0**23)
        y = (np.clip(x, -128, 127).astype(np.float32) + magic) - magic
    return like(y + np.float32(0), x)


# A bfloat16 that overflows is cut off at the largest float32, whose bits round up to infinity: it saturates instead.
def brain_saturates(x: Array) -> Array:
    return like(np.where(np.isfinite(x), saturated(on_grid(x, BRAIN), BRAIN), x), x)


_AWAY = ("ties away", "nearest_away", "away from zero")
_CUT = ("truncat", "toward_zero", "toward zero")

WRONG = [
    Wrong("bfloat16_adds_half", adds_half, "bfloat16", "ties", _AWAY),
    Wrong("bfloat16_rounds_nan", rounds_nan, "bfloat16", "nan", ("-0", "zero", "infinit", "payload")),
    Wrong("bfloat16_wrong_tie_bit", wrong_tie_bit, "bfloat16", "ties", ("ties", "tie")),
    Wrong("bfloat16_saturates", brain_saturates, "bfloat16", "overflow", ("saturat", "largest", "clamp")),
    Wrong("tf32_cut", tf32_cut, "tf32", "nearest", _CUT),
    Wrong("float16_shift_modulo_32", shift_modulo_32, "float16", "underflow",
          ("underflow", "tiny", "smallest", "does not become zero", "monoton", "small numbers"), ("monotone",
          "nearest", "subnormals")),
    Wrong("float16_through_text", through_text, "float16", "double_rounding",
          ("digits", "decimal", "twice", "not the nearest", "other neighbour"), ("nearest",)),
    Wrong("e5m2_without_infinity", no_infinity, "e5m2", "overflow",
          ("too high", "too large", "maximum", "largest", "beyond"), ("representable", "infinity")),
    Wrong("e3m4_one_more_number", one_more_number, "e3m4", "overflow",
          ("too high", "too large", "maximum", "largest", "beyond", "16"), ("representable",)),
    Wrong("e2m1_one_tie", one_tie, "e2m1fn", "ties", ("ties", "tie", "1.75")),
    Wrong("e2m1_one_threshold", one_threshold, "e2m1fn", "nearest",
          ("threshold", "midpoint", "middle", "decision", "boundar", "not the nearest", "2.5")),
    Wrong("e2m1_least_distance", least_distance, "e2m1fn", "ties",
          ("ties toward zero", "nearest_zero", "ties to zero", "tie goes toward zero"), ("signed_zero",)),
    Wrong("e3m4_carry_into_nothing", carry_into_nothing, "e3m4", "monotone",
          ("monoton", "zero", "carry", "subnormal", "smallest normal", "flush"), ("subnormals", "nearest", "ties")),
    Wrong("e2m1_negative_end", negative_end, "e2m1fn", "sign_symmetric", ("negative", "-4", "-6", "lowest", "sign"),
          ("overflow", "representable")),
    Wrong("e5m2fnuz_infinity_to_nan", fnuz_infinity, "e5m2fnuz", "infinity", ("nan",)),
    Wrong("ue4m3_drops_sign", drops_sign, "ue4m3", "overflow", ("abs", "negative", "sign"), ("monotone",)),
    Wrong("int8_magic_in_float32", magic_in_float32, "int8", "double_rounding", ("float32", "twice")),
]  # fmt: skip
