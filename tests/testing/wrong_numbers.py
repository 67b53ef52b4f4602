"""Wrong casters to integers, fixed point, posits, logarithmic numbers, codebooks and scales."""

from __future__ import annotations

from functools import partial

import numpy as np
from caster_parts import Array, Wrong, half_away, half_up, like
from number_parts import (
    LNS8,
    NF4,
    POSIT8,
    integers,
    lns_index,
    lns_number,
    looked_up,
    posit,
    posits,
    wraps,
)

# -- integers and fixed point ------------------------------------------------------------------


# x + 0.5 in float32 rounds 0.49999997 up to 1 (java.lang.Math.round before its fix).
def half_up_in_float32(x: Array) -> Array:
    with np.errstate(over="ignore"):
        y = np.floor(x.astype(np.float32) + np.float32(0.5))
    return like(np.clip(y, -128, 127) + np.float32(0), x)


# NaN becomes INT_MIN and then the lowest integer (pytorch #87556, on x86).
def nan_to_lowest(x: Array) -> Array:
    return integers(np.where(np.isnan(x), -(2.0**31), x), np.rint, -128, 127)


# A large number becomes INT_MIN on its way through int32, and saturates at the wrong end.
def through_int32(x: Array) -> Array:
    y = np.rint(x.astype(np.float64))
    y = np.where(np.abs(y) >= 2**31, -(2.0**31), y)
    return like(np.clip(np.where(np.isnan(x), x, y), -32768, 32767) + 0.0, x)


# The sign of a negative number is dropped, as by an encoder that knows no sign.
def absolute(x: Array) -> Array:
    return integers(np.abs(x), np.rint, 0, 255)


# 1.0 in Q15 is 32768, which is -1 in sixteen bits: clipped to [-1, 1], and not to what lies below 1.
def one_becomes_minus_one(x: Array) -> Array:
    y = np.rint(np.clip(x.astype(np.float64), -1, 1) * 2.0**15)
    return like(np.where(y == 32768, -32768, y) / 2.0**15 + 0.0, x)


# Sixteen levels, and the clip at 16 (an exclusive end taken for an inclusive one).
def sixteen(x: Array) -> Array:
    return integers(x, np.rint, 0, 16)


# The array's own maximum is scaled to the end of the range first.
def scales_itself(x: Array) -> Array:
    largest = np.abs(x[np.isfinite(x)]).max(initial=0).astype(np.float64)
    factor = 127 / largest if largest > 127 else 1.0
    return integers(x.astype(np.float64) * factor, np.rint, -128, 127).astype(x.dtype)


# -- posits ------------------------------------------------------------------------------------


# The nearest in value, as for floats: the regime's long steps are cut in the arithmetic middle.
def posit_in_value(x: Array) -> Array:
    return posit(x, middles=(POSIT8[1:] + POSIT8[:-1]) / 2)


# universal #99, pysigmoid #15: small numbers become zero.
def posit_underflows(x: Array) -> Array:
    return like(np.where(np.abs(x) < POSIT8[0] / 2, 0, posit(x).astype(np.float64)), x)


# SoftPosit.jl #73: a little beyond the largest there is a spot of NaR.
def posit_overflows(x: Array) -> Array:
    spot = (np.abs(x) > 2.0**28) & (np.abs(x) < 2.0**33)
    return like(np.where(spot, np.nan, posit(x).astype(np.float64)), x)


# The bits of the encoding that do not fit are cut off.
def posit_cut(x: Array) -> Array:
    return posit(x, middles=np.nextafter(POSIT8[1:], 0))


# Where the exponent bits do not fit they are cut off; the fraction alone is rounded.
def posit_cut_exponents(x: Array) -> Array:
    tapered = (np.abs(x) >= 2.0**16) | (np.abs(x) < 2.0**-16)
    return np.where(tapered, posit_cut(x), posit(x))


# The negative of a posit is read in sign and magnitude: the sign is lost on the way through the unsigned code.
def posit_without_sign(x: Array) -> Array:
    return np.abs(posit(x))


# Infinities saturate instead of being NaR.
def posit_saturates_infinity(x: Array) -> Array:
    return like(np.where(np.isinf(x), np.copysign(POSIT8[-1], x), posit(x).astype(np.float64)), x)


# -- logarithmic numbers -----------------------------------------------------------------------


# The logarithm in float32, which next to the middles is on the wrong side, or a tie.
def lns_in_float32(x: Array) -> Array:
    with np.errstate(over="ignore", divide="ignore"):
        exponent = np.rint(np.log2(np.abs(x).astype(np.float32)) * np.float32(8))
    return lns_number(x, np.clip(np.where(np.isnan(x), 0, exponent), -64, 63).astype(int) + 63)


# The nearest value instead of the nearest logarithm.
def lns_in_value(x: Array) -> Array:
    values = LNS8[np.float64]
    index = np.searchsorted((values[1:] + values[:-1]) / 2, np.abs(x).astype(np.float64))
    return lns_number(x, np.where(lns_index(x) < 0, -1, index))


# Zero has no logarithm, and the smallest number stands in for it.
def lns_without_zero(x: Array) -> Array:
    return lns_number(x, np.maximum(lns_index(x), 0))


# log2|x| is computed, and the sign never put back.
def lns_without_sign(x: Array) -> Array:
    return np.abs(lns_number(x, lns_index(x)))


# The logarithm of infinity is no integer, and becomes zero's.
def lns_infinity_to_zero(x: Array) -> Array:
    return np.where(np.isinf(x), 0, lns_number(x, lns_index(x))).astype(x.dtype)


# The exponents of a power-of-two weight start one step too early: 1 becomes 1/2.
def powers_below_one(x: Array) -> Array:
    exponent = np.rint(log2_of(np.abs(x)))
    y = np.where(exponent < -6, 0, np.exp2(np.clip(exponent, -6, -1)))
    y = np.where(np.isinf(x), 0.5, y)
    return like(np.where(np.isnan(x), x, np.copysign(y, x)), x)


# floor(log2) for a power-of-two weight, where the nearest exponent was meant (INQ's first grids).
def powers_by_floor(x: Array) -> Array:
    exponent = np.frexp(np.where(np.isfinite(x), x, 1).astype(np.float64))[1] - 1
    y = np.where(exponent < -6, 0, np.exp2(np.clip(exponent, -6, 0)))
    y = np.where(np.isinf(x), 1, np.where(x == 0, 0, y))
    return like(np.where(np.isnan(x), x, np.copysign(y, x)), x)


# -- codebooks ---------------------------------------------------------------------------------


# The table is searched for x itself: the entry below, not the nearest.
def entry_below(x: Array) -> Array:
    return looked_up(x, NF4, NF4[1:], "right")


# bitsandbytes #1772: a table typed from four decimals.
def short_table(x: Array) -> Array:
    return looked_up(x, np.round(NF4, 4), (NF4[1:] + NF4[:-1]) / 2, "left")


# Middles rounded to float16, as in a kernel's constants.
def middles_in_float16(x: Array) -> Array:
    return looked_up(x, NF4, ((NF4[1:] + NF4[:-1]) / 2).astype(np.float16).astype(np.float64), "left")


# The magnitude is looked up among the positive entries, and the sign put back: the table is not symmetric.
def mirrored_table(x: Array) -> Array:
    positive = NF4[7:]
    magnitude = looked_up(np.abs(x), positive, (positive[1:] + positive[:-1]) / 2, "left")
    return like(np.copysign(magnitude, x) + 0.0, x)


# The table is scaled so that its middle is zero, as if its entries were even.
def uniform_table(x: Array) -> Array:
    return looked_up(x, np.linspace(-1, 1, 16), np.linspace(-1, 1, 31)[1::2], "left")


# The threshold 0.7 of ternary weight networks instead of the nearest entry.
def ternary_threshold(x: Array) -> Array:
    return looked_up(x, np.array([-1.0, 0, 1]), np.array([-0.7, 0.7]), "left")


# -- scales ------------------------------------------------------------------------------------


def scale(x: Array, exponent: Array) -> Array:
    """2**exponent in e8m0: NaN for negative numbers and NaN, cut off at both ends."""
    y = np.exp2(np.clip(exponent, -127, 127).astype(np.float64))
    return like(np.where(np.isnan(x) | (x < 0), np.nan, np.where(np.isposinf(x), 2.0**127, y)), x)


def log2_of(x: Array) -> Array:
    """log2 of a positive number in float64, and of all else that of the smallest scale."""
    return np.log2(np.where(np.isfinite(x) & (x > 0), x, 2.0**-127).astype(np.float64))


# The exponent field of the float is the scale: rounded down (torchao's first to_mx).
def scale_by_floor(x: Array) -> Array:
    return scale(x, np.frexp(np.where(np.isfinite(x) & (x > 0), x, 2.0**-127).astype(np.float64))[1] - 1)


# round(log2(x)): the nearest in the logarithm, from sqrt(2) on.
def scale_by_logarithm(x: Array) -> Array:
    return scale(x, np.rint(log2_of(x)))


# onnx #7784: the mask of the fraction misses bits, and some numbers are not rounded up.
def scale_up_by_mask(x: Array) -> Array:
    positive = np.where(np.isfinite(x) & (x > 2.0**-127), x, 2.0**-127).astype(np.float64)
    significand, exponent = np.frexp(positive)
    fraction = (2 * significand - 1) * 2**23
    whole = np.floor(fraction).astype(int)
    return scale(x, exponent - 1 + ((whole & 0x4FFFFF != 0) | (fraction != whole)))


# gfloat #62: what is below the smallest scale comes back as it is.
def scale_below_smallest(x: Array) -> Array:
    significand, exponent = np.frexp(np.where(np.isfinite(x) & (x > 0), x, 1).astype(np.float64))
    nearest = scale(x, exponent - 1 + (significand > 0.75) + ((significand == 0.75) & (exponent % 2 == 1)))
    return np.where((x >= 0) & (x < 2.0**-127), x, nearest)


# Rounding up at the top gives the code of NaN (tilelang-metax #101).
def scale_overflows_to_nan(x: Array) -> Array:
    significand, exponent = np.frexp(np.where(np.isfinite(x) & (x > 0), x, 2.0**-127).astype(np.float64))
    rounded = exponent - 1 + (significand > 0.75) + ((significand == 0.75) & (exponent % 2 == 1))
    return like(np.where(rounded > 127, np.nan, scale(x, rounded)), x)


# Infinity has no scale, and becomes NaN.
def scale_of_infinity(x: Array) -> Array:
    significand, exponent = np.frexp(np.where(np.isfinite(x) & (x > 0), x, 2.0**-127).astype(np.float64))
    rounded = exponent - 1 + (significand > 0.75) + ((significand == 0.75) & (exponent % 2 == 1))
    return np.where(np.isinf(x), np.nan, scale(x, rounded)).astype(x.dtype)


_VALUE = ("in value", "linear", "arithmetic")
_LOG = ("log", "geometric")

WRONG = [
    Wrong("int8_half_up", partial(integers, rounding=half_up, low=-128, high=127), "int8", "ties",
          ("ties up", "nearest_up", "half up", "toward plus infinity"), ("sign_symmetric",)),
    # C's lround, where a library promises ties to even.
    Wrong("int8_half_away", partial(integers, rounding=half_away, low=-128, high=127), "int8", "ties",
          ("ties away", "nearest_away", "away from zero")),
    Wrong("half_up_in_float32", half_up_in_float32, "int8", "nearest",
          ("0.5", "ties up", "nearest_up", "half up", "twice"), ("ties", "double_rounding")),
    Wrong("int_cast", partial(integers, rounding=np.trunc, low=-128, high=127), "int8", "nearest",
          ("truncat", "toward_zero", "toward zero")),
    Wrong("symmetric_range", partial(integers, rounding=np.rint, low=-127, high=127), "int8", "overflow",
          ("-127", "-128", "symmetric", "lowest", "sat_sym", "too low"), ("representable",)),
    Wrong("asymmetric_range", partial(integers, rounding=np.rint, low=-128, high=127), "int8sym", "overflow",
          ("-128", "lowest", "symmetric", "too low"), ("sign_symmetric",)),
    Wrong("int8_wraps", partial(wraps, bits=8), "int8", "overflow", ("wrap", "modulo"), ("monotone",)),
    Wrong("int4_nibble", partial(wraps, bits=4), "int4", "overflow", ("wrap", "modulo"), ("monotone",)),
    Wrong("saturates_for_wrap", partial(integers, rounding=np.floor, low=-128, high=127, per_unit=16), "q4.4",
          "overflow", ("saturat",), rounding="toward_negative", edges="wrap"),
    Wrong("nan_to_lowest", nan_to_lowest, "int8 | nan=zero", "nan", ("-128", "lowest", "finite", "minimum", "saturat")),
    Wrong("through_int32", through_int32, "int16", "overflow", ("lowest", "-32768", "sign", "wrap", "wrong end"),
          ("monotone",)),
    Wrong("unsigned_absolute", absolute, "uint8", "overflow", ("abs", "negative", "sign"), ("monotone",)),
    Wrong("fixed_one_step_too_high", partial(integers, rounding=np.rint, low=-128, high=128, per_unit=16), "q4.4",
          "overflow", ("too high", "too large", "maximum", "largest", "beyond"), ("representable",)),
    Wrong("fixed_one_bit_short", partial(integers, rounding=np.rint, low=-64, high=63, per_unit=8), "q4.4",
          "representable", ("coarse", "last bit", "lsb", "fraction bit", "q4.3", "fixed", "step"), ("nearest",)),
    Wrong("fixed_truncates", partial(integers, rounding=np.floor, low=-128, high=127, per_unit=16), "q4.4", "nearest",
          ("floor", "toward_negative", "toward minus", "truncat")),
    Wrong("posit_in_value", posit_in_value, "posit8", "nearest", _VALUE),
    Wrong("posit_ties_up", partial(posit, even=False), "posit8", "ties",
          ("ties away", "nearest_away", "away from zero")),
    Wrong("posit_underflows", posit_underflows, "posit8", "underflow", ("zero",)),
    Wrong("posit_overflows", posit_overflows, "posit8", "overflow", ("nan", "nar")),
    Wrong("posit_saturates_infinity", posit_saturates_infinity, "posit8", "infinity", ("saturat", "largest", "maxpos")),
    # The format of 2017 under the standard's name.
    Wrong("posit_of_other_es", partial(posit, table=posits(8, 1), middles=posits(9, 1)[2::2]), "posit8",
          "representable", ("posit8es1", "posit<8,1>", "es = 1", "es=1", "another format"), ("nearest",)),
    Wrong("lns_in_float32", lns_in_float32, "lns8", "nearest", ("log", "midpoint", "middle", "float32", "decision"),
          ("ties", "double_rounding")),
    Wrong("lns_in_value", lns_in_value, "lns8", "nearest", _VALUE),
    Wrong("lns_without_zero", lns_without_zero, "lns8", "underflow", ("smallest",), ("representable",)),
    Wrong("powers_by_floor", powers_by_floor, "pow2_4", "nearest", ("truncat", "toward_zero", "toward zero", "floor")),
    # bitsandbytes: dQuantizeNF4 compares with >, so that ties go down.
    Wrong("nf4_ties_down", partial(looked_up, table=NF4, middles=(NF4[1:] + NF4[:-1]) / 2, side="left"), "nf4", "ties",
          ("ties down", "nearest_down", "toward minus infinity", "lower")),
    Wrong("nf4_ties_up", partial(looked_up, table=NF4, middles=(NF4[1:] + NF4[:-1]) / 2, side="right"), "nf4", "ties",
          ("ties up", "nearest_up", "toward plus infinity", "upper")),
    Wrong("nf4_entry_below", entry_below, "nf4", "nearest", ("floor", "toward_negative", "toward minus")),
    Wrong("nf4_short_table", short_table, "nf4", "representable",
          ("not a number of", "not in", "representable", "entries", "table", "off the grid")),
    Wrong("nf4_middles_in_float16", middles_in_float16, "nf4", "nearest",
          ("midpoint", "middle", "decision", "threshold", "boundar"), ("ties", "double_rounding")),
    Wrong("ternary_threshold", ternary_threshold, "ternary", "nearest",
          ("threshold", "midpoint", "middle", "decision", "boundar", "0.7")),
    Wrong("scale_by_floor", scale_by_floor, "e8m0fnu", "nearest",
          ("truncat", "toward_zero", "toward zero", "floor", "toward_negative")),
    Wrong("scale_by_logarithm", scale_by_logarithm, "e8m0fnu", "nearest", _LOG),
    Wrong("scale_up_by_mask", scale_up_by_mask, "e8m0fnu", "directed",
          ("mask", "bits", "not rounded up", "truncat", "toward", "drops"), ("nearest",), rounding="toward_positive"),
    Wrong("scale_below_smallest", scale_below_smallest, "e8m0fnu", "underflow",
          ("not a number of", "not in", "representable", "smallest", "unchanged"), ("representable",)),
    Wrong("q15_one_to_minus_one", one_becomes_minus_one, "q1.15", "overflow", ("wrap", "-1", "lowest", "sign"),
          ("monotone",)),
    Wrong("uint4_sixteen", sixteen, "uint4", "overflow",
          ("too high", "too large", "maximum", "largest", "beyond", "16"), ("representable",)),
    Wrong("int8_scales_itself", scales_itself, "int8", "layout",
          ("other elements", "neighbour", "whole array", "alone", "scale"), ("nearest", "overflow", "representable")),
    # An arithmetic shift right after half was added: floor(x + 1/2), in sixteen bits.
    Wrong("q8.8_half_up", partial(integers, rounding=half_up, low=-32768, high=32767, per_unit=256), "q8.8", "ties",
          ("ties up", "nearest_up", "half up", "toward plus infinity"), ("sign_symmetric",)),
    Wrong("posit_cut", posit_cut, "posit8", "nearest", ("truncat", "toward_zero", "toward zero")),
    Wrong("posit_cut_exponents", posit_cut_exponents, "posit8", "nearest",
          ("truncat", "toward_zero", "toward zero", "regime", "exponent bits", "not the nearest")),
    Wrong("posit_without_sign", posit_without_sign, "posit8", "sign_symmetric", ("sign", "abs", "negative"),
          ("representable", "nearest", "monotone")),
    Wrong("lns_without_sign", lns_without_sign, "lns8", "sign_symmetric", ("sign", "abs", "negative"),
          ("representable", "nearest", "monotone")),
    Wrong("lns_infinity_to_zero", lns_infinity_to_zero, "lns8", "infinity", ("zero",)),
    Wrong("powers_below_one", powers_below_one, "pow2_4", "overflow",
          ("too low", "too small", "maximum", "largest", "0.5"), ("representable",)),
    Wrong("nf4_mirrored", mirrored_table, "nf4", "representable",
          ("negative", "mirror", "symmetric", "not a number of", "not in", "representable"), ("nearest",
          "sign_symmetric")),
    Wrong("nf4_uniform", uniform_table, "nf4", "representable",
          ("not a number of", "not in", "representable", "uniform", "entries", "table", "format"), ("nearest",)),
    Wrong("scale_overflows_to_nan", scale_overflows_to_nan, "e8m0fnu", "overflow", ("nan",)),
    Wrong("scale_of_infinity", scale_of_infinity, "e8m0fnu", "infinity", ("nan",)),
]  # fmt: skip
