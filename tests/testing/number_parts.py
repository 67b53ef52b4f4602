"""Correct rounding to integers, fixed point, posits, logarithmic numbers and codebooks, of which casters are made."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
from caster_parts import Array, like


def integers(x: Array, rounding: Any, low: int, high: int, per_unit: float = 1) -> Array:
    """x * per_unit rounded and clipped to a range; NaN stays, and there is no -0."""
    steps = np.clip(x.astype(np.float64), -(2.0**40), 2.0**40) * per_unit
    return like(np.clip(rounding(steps), low, high) / per_unit + 0.0, x)


def wraps(x: Array, bits: int) -> Array:
    """The low bits of the rounded integer in two's complement; infinities saturate."""
    span, half = 1 << bits, 1 << (bits - 1)
    y = np.rint(x.astype(np.float64))
    finite = np.where(np.isfinite(y), y, 0)
    y = np.where(np.isfinite(y), (finite % span + half) % span - half, np.clip(y, -half, half - 1))
    return like(y + 0.0, x)


# -- posits ------------------------------------------------------------------------------------


def posit_value(code: int, bits: int, es: int) -> float:
    """The value of a positive posit, by the standard's fields."""
    digits = format(code, f"0{bits - 1}b")
    run = len(digits) - len(digits.lstrip(digits[0]))
    regime = run - 1 if digits[0] == "1" else -run
    rest = digits[run + 1 :]
    exponent = int(rest[:es].ljust(es, "0"), 2) if es else 0
    fraction = rest[es:]
    significand = 1 + (int(fraction, 2) / 2 ** len(fraction) if fraction else 0)
    return float(significand * 2.0 ** (regime * 2**es + exponent))


def posits(bits: int, es: int) -> Array:
    """All positive posits, ascending."""
    return np.array([posit_value(code, bits, es) for code in range(1, 1 << (bits - 1))])


POSIT8 = posits(8, 2)
#: Where rounding decides: the posits of one bit more, in between. Nothing but zero becomes zero.
MIDDLES8 = posits(9, 2)[2::2]


def posit(x: Array, table: Array = POSIT8, middles: Array = MIDDLES8, even: bool = True) -> Array:
    """The posit whose encoding is nearest, ties to the even code or up; infinities and NaN are NaR."""
    magnitude = np.abs(x.astype(np.float64))
    at_least = np.searchsorted(middles, magnitude, side="right")
    beyond = np.searchsorted(middles, magnitude, side="left")
    index = np.where(at_least != beyond, beyond // 2 * 2 + 1 if even else at_least, beyond)
    y = np.copysign(table[np.minimum(index, len(table) - 1)], x)
    return like(np.where(x == 0, 0, np.where(np.isfinite(x), y, np.nan)), x)


# -- logarithmic numbers -----------------------------------------------------------------------


def below(root: Decimal) -> float:
    """The largest float64 below an irrational number."""
    near = float(root)
    return near if Decimal(near) < root else math.nextafter(near, 0)


with localcontext(prec=40):
    _ROOT = [Decimal(2) ** (Decimal(k) / 16) for k in range(-127, 128)]
#: The values 2**(L / 8) of lns8 for L = -63 .. 63, in both dtypes, and the middles below each in the logarithm.
LNS8 = {dtype: np.array([dtype(str(root)) for root in _ROOT[1::2]]) for dtype in (np.float32, np.float64)}
LNS8_MIDDLES = np.array([below(root) for root in _ROOT[::2]])


def lns_index(x: Array) -> Array:
    """Which value of LNS8 is nearest in the logarithm; -1 for what underflows. No number is on a middle."""
    magnitude = np.abs(x).astype(np.float64)
    index = np.searchsorted(LNS8_MIDDLES, magnitude, side="left")
    return np.minimum(index, 127) - 1


def lns_number(x: Array, index: Array) -> Array:
    y = np.copysign(LNS8[x.dtype.type][np.maximum(index, 0)], x)
    return np.where(np.isnan(x), x, np.where(index < 0, 0, y)).astype(x.dtype)


# -- codebooks ---------------------------------------------------------------------------------

NF4 = np.array(
    (-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
     -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
     0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0)
)  # fmt: skip


def looked_up(x: Array, table: Array, middles: Array, side: Any) -> Array:
    """The entry of a table by the middles below x; NaN stays."""
    found = table[np.searchsorted(middles, np.where(np.isnan(x), 0, x), side=side)]
    return like(np.where(np.isnan(x), np.nan, found), x)
