"""The operations kernels are written with, for NumPy arrays of 32-bit words.

A kernel uses these names and nothing else, so that a backend can bind the same code to its own:
see fmtemu.kernels.bind. ``word`` marks where a backend must cut a result back to its word; NumPy
arrays keep their width by themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# The source's layout: a float32 held as its bits in an int32.
MANTISSA = np.int32(23)
IMPLICIT = np.int32(1 << 23)
FRACTION = np.int32((1 << 23) - 1)
MAGNITUDE = np.int32(0x7FFFFFFF)
INFINITY = np.int32(0x7F800000)
WORD_BITS = np.int32(32)
#: The largest shift for which a significand below 2**shift and its rounding increment fit a word.
DEEPEST = np.int32(30)
ZERO, ONE = np.int32(0), np.int32(1)


def word(x: Any) -> Any:
    """x as a word."""
    return x


def shl(x: Any, count: Any) -> Any:
    """x shifted left; 0 <= count < WORD_BITS."""
    return x << count


def shr(x: Any, count: Any) -> Any:
    """x shifted right, copies of its sign coming in; 0 <= count < WORD_BITS."""
    return x >> count


def high_product(a: Any, b: Any) -> Any:
    """floor(a * b / 2**WORD_BITS), by halves of words."""
    a, b = np.asarray(a), np.asarray(b)
    bits, unsigned = a.dtype.type, np.dtype(f"u{a.itemsize}").type
    half = bits(4 * a.itemsize)
    ones = (bits(1) << half) - bits(1)
    a_low, b_low = a & ones, b & ones
    low = ((a_low.astype(unsigned) * b_low.astype(unsigned)) >> unsigned(half)).astype(bits)
    middle = (a >> half) * b_low + low
    other = a_low * (b >> half) + (middle & ones)
    return (a >> half) * (b >> half) + (middle >> half) + (other >> half)


def where(condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, else b; both are evaluated."""
    return np.where(condition, a, b)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two words."""
    return np.minimum(a, b)


def maximum(a: Any, b: Any) -> Any:
    """The larger of two words."""
    return np.maximum(a, b)


def look_up(table: Any, index: Any) -> Any:
    """The words of a table at nonnegative indices."""
    return table[index]


def to_float(x: Any) -> Any:
    """The float with the value of an integer word."""
    return np.asarray(x).astype(np.float32)


def real(x: float) -> Any:
    """A constant as a float of the source's width."""
    return x


def from_bits(x: Any) -> Any:
    """The float with the bits of a word."""
    return np.asarray(x, np.int32).view(np.float32)


def to_bits(x: Any) -> Any:
    """The bits of a float as a word."""
    return np.asarray(x, np.float32).view(np.int32)


def _unbound(*arguments: Any) -> Any:
    raise RuntimeError("kernels run only after fmtemu.kernels.bind.bind")


#: Bound to the deterministic or the stochastic function of fmtemu.kernels.rounding, quick and enclosed_quick.
round_shift = round_units = round_value = round_flat = addend = _unbound
