"""Correct casters of other shapes than fmtemu: other libraries, arithmetic in float64, bit tricks, tables."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial

import ml_dtypes
import numpy as np
import right_block_casters
import right_stochastic_casters
from caster_parts import (
    E2M1,
    E3M2,
    E4M3,
    E5M2,
    FNUZ,
    HALF,
    Array,
    Grid,
    Right,
    Round,
    away,
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
from number_parts import NF4, integers, lns_index, lns_number, looked_up, posit, posits, wraps

# -- other libraries ---------------------------------------------------------------------------


def by_ml_dtypes(x: Array, name: str) -> Array:
    with np.errstate(invalid="ignore", over="ignore"):
        return x.astype(getattr(ml_dtypes, name)).astype(x.dtype)


def by_torch(x: Array, name: str) -> Array:
    import torch

    y = torch.from_numpy(np.ascontiguousarray(x)).to(getattr(torch, name))
    return y.to(torch.float64).numpy().astype(x.dtype).reshape(x.shape)


def by_numpy_half(x: Array) -> Array:
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        return x.astype(np.float16).astype(x.dtype)


# -- arithmetic in float64 ---------------------------------------------------------------------


def saturating(x: Array, grid: Grid, rounding: Round = np.rint) -> Array:
    return like(saturated(on_grid(x, grid, rounding), grid), x)


def to_infinity(x: Array, grid: Grid) -> Array:
    return like(overflowing(on_grid(x, grid), grid), x)


def without_negative_zero(x: Array, grid: Grid) -> Array:
    return like(saturated(on_grid(x, grid), grid) + 0.0, x)


def toward_zero_in_ieee(x: Array, grid: Grid) -> Array:
    """Finite overflow gives the largest number, infinities stay."""
    y = np.where(np.isinf(x), x, saturated(on_grid(x, grid, np.trunc), grid))
    return like(y, x)


def flushing(x: Array) -> Array:
    y = saturated(on_grid(x, E4M3), E4M3)
    return like(np.where(np.abs(y) < 2.0**-6, np.copysign(0, y), y), x)


def signed_nan_on_overflow(x: Array) -> Array:
    y = on_grid(x, E4M3)
    return like(np.where(np.abs(y) > 448, np.nan, y), x)


def magic_number(x: Array) -> Array:
    """int8 by adding and subtracting 1.5 * 2**52, which leaves rounding to the adder."""
    magic = 1.5 * 2.0**52
    return like((np.clip(x.astype(np.float64), -128, 127) + magic) - magic + 0.0, x)


def fraction_by_fraction(x: Array) -> Array:
    """e3m2fn, one number at a time, in Python's fractions."""
    return np.array([nearest_fraction(v) for v in x.ravel().tolist()], x.dtype).reshape(x.shape)


def nearest_fraction(value: float) -> float:
    if not math.isfinite(value) or value == 0:
        return math.copysign(min(abs(value), 28.0), value) if value == value else value
    step = Fraction(2) ** (max(math.frexp(value)[1] - 1, -2) - 2)
    return math.copysign(min(round(abs(Fraction(value)) / step) * float(step), 28.0), value)


def with_zero_below(x: Array) -> Array:
    """ue4m3: unsigned numbers, where negative ones and -0 are 0."""
    y = saturated(on_grid(x, E4M3), E4M3)
    return like(np.where(np.isnan(x), x, np.maximum(y, 0) + 0.0), x)


def nan_as_zero(x: Array) -> Array:
    return like(np.nan_to_num(np.clip(np.rint(x.astype(np.float64)), -8, 7), nan=0) + 0.0, x)


# -- integer arithmetic on the bits ------------------------------------------------------------


def brain_bits(x: Array) -> Array:
    """bfloat16 by adding 0x7fff and the last kept bit to a float32; wider sources are first rounded to odd."""
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = x.astype(np.float32)
    bits = narrow.view(np.uint32).copy()
    if x.dtype == np.float64:
        back = narrow.astype(np.float64)
        with np.errstate(invalid="ignore"):
            bits -= ((np.abs(back) > np.abs(x)) & np.isfinite(x)).astype(np.uint32)
            bits |= ((back != x) & np.isfinite(x)).astype(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), x, like(rounded.view(np.float32), x))


def tf32_bits(x: Array) -> Array:
    """tf32 from float64 by adding half of the last place less one, plus the last kept bit."""
    bits = x.astype(np.float64).view(np.int64)
    subnormal = np.abs(x) < 2.0**-126
    rounded = (bits + (1 << 41) - 1 + (bits >> 42 & 1)) >> 42 << 42
    y = np.where(subnormal, np.rint(np.where(subnormal, x, 0).astype(np.float64) * 2.0**136) * 2.0**-136,
                 rounded.view(np.float64))  # fmt: skip
    y = np.where(np.abs(y) >= 2.0**128, np.copysign(np.inf, y), y)
    return like(np.where(np.isfinite(x), np.copysign(y, x), x), x)


def half_bits(x: Array) -> Array:
    """float16 from float64 with shifts: guard and sticky bits, gradual underflow by a longer shift."""
    bits = x.astype(np.float64).view(np.int64)
    magnitude, field = bits & ((1 << 63) - 1), bits >> 52 & 0x7FF
    significand = np.where(field > 0, magnitude & ((1 << 52) - 1) | 1 << 52, 0)
    shift = np.clip(42 + np.maximum(1023 - 14 - field, 0), 0, 62)
    kept = significand >> shift
    rest, half = significand - (kept << shift), np.int64(1) << (shift - 1)
    kept = kept + ((rest > half) | ((rest == half) & (kept % 2 == 1)))
    y = np.ldexp(kept.astype(np.float64), np.clip(field - 1023, -14, 99) - 10)
    y = np.where(y > HALF.largest, np.inf, y)
    return like(np.where(np.isnan(x), x, np.copysign(np.where(np.isinf(x), np.inf, y), x)), x)


def scale_bits(x: Array) -> Array:
    """e8m0 from the exponent field of a float64, plus the rounding of the fraction: ties to the even code."""
    bits = np.where(np.isfinite(x) & (x > 0), x, 2.0**-127).astype(np.float64).view(np.int64)
    field, fraction = bits >> 52, bits & ((1 << 52) - 1)
    code = np.clip(field - 1023 + 127, 0, 254)
    half = 1 << 51
    up = (fraction > half) | ((fraction == half) & (code % 2 == 1))
    code = np.clip(np.where(field - 1023 < -127, 0, code + up), 0, 254)
    y = np.ldexp(1.0, code - 127)
    return like(np.where(np.isnan(x) | (x < 0), np.nan, np.where(np.isposinf(x), 2.0**127, y)), x)


# -- tables ------------------------------------------------------------------------------------

#: The magnitudes of e2m1, and the middles, which belong to the even code: the lower one, then the upper.
_SIX = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
_SIX_MIDDLES = np.array([0.25, np.nextafter(0.75, 0), 1.25, np.nextafter(1.75, 0), 2.5, np.nextafter(3.5, 0), 5])


def six_levels(x: Array) -> Array:
    magnitude = np.searchsorted(_SIX_MIDDLES, np.where(np.isnan(x), 0, np.abs(x)).astype(np.float64), side="left")
    return like(np.where(np.isnan(x), x, np.copysign(_SIX[magnitude], x)), x)


def p3109_table() -> Array:
    """The magnitudes of binary8p3se, by their codes 0 .. 126: bias 16, two fraction bits."""
    subnormals = [code * 2.0**-17 for code in range(4)]
    return np.array(subnormals + [(1 + code % 4 / 4) * 2.0 ** (code // 4 - 16) for code in range(4, 127)])


def p3109(x: Array) -> Array:
    """Extended, so that infinities are kept; what would round beyond the largest code is infinite."""
    table = p3109_table()
    beyond = np.append(table, 2 * table[-1] - table[-2])
    magnitude = np.where(np.isnan(x), 0, np.abs(x)).astype(np.float64)
    below = np.clip(np.searchsorted(beyond, magnitude, side="right") - 1, 0, 126)
    middle = (beyond[below] + beyond[below + 1]) / 2
    code = below + ((magnitude > middle) | ((magnitude == middle) & (below % 2 == 1)))
    y = np.copysign(np.append(table, np.inf)[np.minimum(code, 127)], x)
    return like(np.where(np.isnan(x), x, y + 0.0), x)


def nearest_of_all(x: Array) -> Array:
    """nf4 by all sixteen distances; the entries and their differences from a middle are exact."""
    values = np.where(np.isfinite(x), np.clip(x, -2, 2), 0).astype(np.float64)
    middles = (NF4[1:] + NF4[:-1]) / 2
    lower = (values[..., None] > middles).sum(-1)
    tie = (values[..., None] == middles).any(-1)
    found = NF4[lower + (tie & (lower % 2 == 1))]
    found = np.where(np.isposinf(x), 1, np.where(np.isneginf(x), -1, found))
    return like(np.where(np.isnan(x), x, found), x)


def ternary(x: Array) -> Array:
    """The codes of -1, 0, 1 are 0, 1, 2: both ties leave 0, whose code is odd."""
    return like(np.where(np.isnan(x), x, np.sign(x) * (np.abs(x) >= 0.5) + 0.0), x)


def logarithmic(x: Array) -> Array:
    return lns_number(x, lns_index(x))


_ROUNDINGS = (
    ("nearest_away", half_away), ("nearest_zero", half_to_zero), ("nearest_up", half_up), ("nearest_down", half_down),
    ("nearest_odd", half_odd), ("toward_zero", np.trunc), ("away_from_zero", away), ("toward_positive", np.ceil),
    ("toward_negative", np.floor), ("to_odd", to_odd),
)  # fmt: skip

RIGHT: list[Right] = [
    *(
        Right(f"ml_dtypes_{format}", partial(by_ml_dtypes, name=name), f"{format} | ml_dtypes | via=float32")
        for format, name in (
            ("e4m3fn", "float8_e4m3fn"), ("e5m2", "float8_e5m2"), ("e4m3fnuz", "float8_e4m3fnuz"), ("e4m3",
            "float8_e4m3"),
            ("e3m4", "float8_e3m4"), ("bfloat16", "bfloat16"), ("e2m1fn", "float4_e2m1fn"), ("e2m3fn", "float6_e2m3fn"),
            ("e3m2fn", "float6_e3m2fn"), ("e5m2fnuz", "float8_e5m2fnuz"), ("e4m3b11fnuz", "float8_e4m3b11fnuz"),
        )
    ),
    *(
        Right(f"torch_{format}", partial(by_torch, name=name), f"{format} | torch | via=float32")
        for format, name in (
            ("e4m3fn", "float8_e4m3fn"), ("e5m2", "float8_e5m2"), ("e4m3fnuz", "float8_e4m3fnuz"), ("bfloat16",
            "bfloat16"),
        )
    ),
    Right("numpy_float16", by_numpy_half, "float16"),
    Right("arithmetic_e4m3fn", partial(saturating, grid=E4M3), "e4m3fn"),
    Right("arithmetic_e3m2fn", partial(saturating, grid=E3M2), "e3m2fn"),
    Right("arithmetic_e2m1fn", partial(saturating, grid=E2M1), "e2m1fn"),
    Right("fractions_e3m2fn", fraction_by_fraction, "e3m2fn"),
    Right("arithmetic_ue4m3", with_zero_below, "ue4m3"),
    Right("arithmetic_e5m2", partial(to_infinity, grid=E5M2), "e5m2"),
    Right("arithmetic_e4m3fnuz", partial(without_negative_zero, grid=FNUZ), "e4m3fnuz"),
    *(Right(f"e4m3fn_{name}", partial(saturating, grid=E4M3, rounding=f), "e4m3fn", name) for name, f in _ROUNDINGS),
    Right("e5m2_toward_zero", partial(toward_zero_in_ieee, grid=E5M2), "e5m2", "toward_zero"),
    Right("e4m3fn_flush", flushing, "e4m3fn | subnormals=flush"),
    Right("e4m3fn_overflow_nan", signed_nan_on_overflow, "e4m3fn", edges="nan"),
    Right("e5m2_saturate", partial(toward_zero_in_ieee, grid=E5M2), "e5m2 | saturate", "toward_zero"),
    Right("bfloat16_bits", brain_bits, "bfloat16"),
    Right("tf32_bits", tf32_bits, "tf32"),
    Right("float16_bits", half_bits, "float16"),
    Right("e8m0_bits", scale_bits, "e8m0fnu"),
    Right("e2m1fn_table", six_levels, "e2m1fn"),
    Right("binary8p3se_table", p3109, "binary8p3se"),
    Right("int8_rint", partial(integers, rounding=np.rint, low=-128, high=127), "int8"),
    Right("int8_magic_number", magic_number, "int8"),
    Right("int8_half_away", partial(integers, rounding=half_away, low=-128, high=127), "int8", "nearest_away"),
    Right("int8_symmetric", partial(integers, rounding=np.rint, low=-127, high=127), "int8sym"),
    Right("int4_nan_zero", nan_as_zero, "int4 | nan=zero"),
    Right("uint8_rint", partial(integers, rounding=np.rint, low=0, high=255), "uint8"),
    Right("q4.4_floor", partial(integers, rounding=np.floor, low=-128, high=127, per_unit=16), "q4.4",
          "toward_negative"),
    Right("q4.4_half_up", partial(integers, rounding=half_up, low=-128, high=127, per_unit=16), "q4.4", "nearest_up"),
    Right("q1.15_rint", partial(integers, rounding=np.rint, low=-(2**15), high=2**15 - 1, per_unit=2**15), "q1.15"),
    Right("q8.8_to_odd", partial(integers, rounding=to_odd, low=-(2**15), high=2**15 - 1, per_unit=2**8), "q8.8",
          "to_odd"),
    Right("uint4_away", partial(integers, rounding=away, low=0, high=15), "uint4", "away_from_zero"),
    Right("int8_wrap", partial(wraps, bits=8), "int8", edges="wrap"),
    Right("posit8_table", posit, "posit8"),
    Right("posit8_nearest_away", partial(posit, even=False), "posit8", "nearest_away"),
    Right("posit16_table", partial(posit, table=posits(16, 2), middles=posits(17, 2)[2::2]), "posit16"),
    Right("posit8es1_table", partial(posit, table=posits(8, 1), middles=posits(9, 1)[2::2]), "posit8es1"),
    Right("lns8_table", logarithmic, "lns8"),
    Right("nf4_distances", nearest_of_all, "nf4"),
    Right("nf4_decision_tree", partial(looked_up, table=NF4, middles=(NF4[1:] + NF4[:-1]) / 2, side="left"), "nf4",
          "nearest_down"),
    Right("ternary_halves", ternary, "ternary"),
    *right_stochastic_casters.RIGHT,
    *right_block_casters.RIGHT,
]  # fmt: skip
