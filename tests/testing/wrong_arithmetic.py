"""Wrong additions, multiplications and fused multiply-adds of numbers of a format."""

from __future__ import annotations

from functools import partial

import numpy as np
from caster_parts import BRAIN, E4M3, E5M2, Array, Wrong, half_away, like, on_grid, overflowing, saturated, step_of


def e4m3(y: Array, x: Array) -> Array:
    return like(saturated(on_grid(y, E4M3), E4M3), x)


def bfloat16(y: Array, x: Array) -> Array:
    return like(overflowing(on_grid(y, BRAIN), BRAIN), x)


def wide(*arrays: Array) -> list[Array]:
    return [a.astype(np.float64) for a in arrays]


def product(a: Array, b: Array) -> Array:
    """Exact for numbers of few bits."""
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        return np.multiply(*wide(a, b))


def total(a: Array, b: Array) -> Array:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.add(*wide(a, b))


# The sum is rounded to five bits first, as in an accumulator of few guard bits.
def add_rounded_twice(a: Array, b: Array) -> Array:
    return e4m3(on_grid(total(a, b), E4M3._replace(mantissa=4, emin=-100)), a)


# The smaller operand is shifted right and its lost bits leave no trace (no sticky bit; universal #1105).
def add_without_sticky(a: Array, b: Array) -> Array:
    a64, b64 = wide(a, b)
    large, small = np.where(np.abs(a64) >= np.abs(b64), a64, b64), np.where(np.abs(a64) >= np.abs(b64), b64, a64)
    step = step_of(np.where(np.isfinite(large), large, 0), E4M3) / 4
    with np.errstate(invalid="ignore"):
        return e4m3(np.where(np.isfinite(large), large + np.trunc(small / step) * step, total(a, b)), a)


# x + -x is -0.
def add_cancels_to_negative_zero(a: Array, b: Array) -> Array:
    y = total(a, b)
    return e4m3(np.where((y == 0) & (a != 0), -0.0, y), a)


# Ties of a sum go away from zero.
def add_ties_away(a: Array, b: Array) -> Array:
    return like(saturated(on_grid(total(a, b), E4M3, half_away), E4M3), a)


# The low half of the product is dropped before it is rounded.
def mul_truncated(a: Array, b: Array) -> Array:
    y = product(a, b)
    return e4m3(on_grid(y, E4M3._replace(mantissa=4, emin=-100), np.trunc), a)


# A product below the smallest normal number is zero (neorv32 #791, apytypes #411).
def mul_flushes(a: Array, b: Array) -> Array:
    y = product(a, b)
    rounded = overflowing(on_grid(y, E5M2), E5M2)
    return like(np.where(np.abs(rounded) < 2.0**-14, np.copysign(0, y), rounded), a)


# The sign of a product with zero is lost.
def mul_loses_zero_sign(a: Array, b: Array) -> Array:
    y = product(a, b)
    return e4m3(np.where(y == 0, 0.0, y), a)


# The product is rounded before the sum.
def fma_unfused(a: Array, b: Array, c: Array) -> Array:
    return e4m3(total(e4m3(product(a, b), a), c), a)


# BFloat16s.jl #103: the sum is rounded to float32 on its way.
def fma_through_float32(a: Array, b: Array, c: Array) -> Array:
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        y = product(a, b).astype(np.float32) + c.astype(np.float32)
    return bfloat16(y, a)


# The addend is subtracted where the product is negative (a sign taken from the wrong operand).
def fma_wrong_sign(a: Array, b: Array, c: Array) -> Array:
    y = product(a, b)
    with np.errstate(invalid="ignore"):
        return e4m3(np.where(y < 0, y - c, total(y, c)), a)


_arithmetic = partial(Wrong, law="arithmetic")
_TWICE = ("twice", "double", "two roundings", "intermediate")
_ZERO = ("-0", "sign of zero", "negative zero", "zero")

WRONG = [
    _arithmetic("add_rounded_twice", add_rounded_twice, "e4m3fn", diagnosis=_TWICE, kind="add"),
    _arithmetic("add_without_sticky", add_without_sticky, "e4m3fn",
                diagnosis=("sticky", "guard", "low bits", "lost", "shift", "truncat", "smaller operand"), kind="add"),
    _arithmetic("add_cancels_to_negative_zero", add_cancels_to_negative_zero, "e4m3fn", diagnosis=_ZERO,
                also=("signed_zero",), kind="add"),
    _arithmetic("add_ties_away", add_ties_away, "e4m3fn", diagnosis=("ties away", "nearest_away", "away from zero"),
                also=("ties",), kind="add"),
    _arithmetic("mul_truncated", mul_truncated, "e4m3fn",
                diagnosis=("truncat", "low bits", "toward zero", "sticky", *_TWICE), kind="mul"),
    _arithmetic("mul_flushes", mul_flushes, "e5m2", diagnosis=("flush",), also=("subnormals",), kind="mul"),
    _arithmetic("mul_loses_zero_sign", mul_loses_zero_sign, "e4m3fn", diagnosis=_ZERO, also=("signed_zero",),
                kind="mul"),
    _arithmetic("fma_unfused", fma_unfused, "e4m3fn", diagnosis=("product", "unfused", "not fused", *_TWICE),
                kind="fma"),
    _arithmetic("fma_through_float32", fma_through_float32, "bfloat16", diagnosis=("float32", *_TWICE), kind="fma"),
    _arithmetic("fma_wrong_sign", fma_wrong_sign, "e4m3fn", diagnosis=("sign", "subtract", "negative"), kind="fma"),
]  # fmt: skip
