"""The expectation of many points at once, by a table of a format's values and middles.

A deterministic rounding looks at the lower neighbour's code, the sign, and whether the position is 0,
below 1/2, 1/2 or above: the table finds these by exact comparison. It serves formats of too many codes
to ask fmtemu.exact about each; that agrees with it on what is reported, and in fmtemu's tests on all.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmtemu.formats import LNS, Codebook, Format
from fmtemu.formats.base import Value
from fmtemu.formats.tapered import Tapered
from fmtemu.quantizer import Quantizer
from fmtemu.testing.number_line import magnitude, magnitude_at, magnitude_codes

Array = NDArray[Any]

_MOST_BITS = 16


class _Line(NamedTuple):
    """Magnitude codes, their values, and the middle after each; a tapered format ends with its largest."""

    codes: Array
    values: Array
    middles: Array


def has_table(quantizer: Quantizer) -> bool:
    """Whether float64 holds all values and middles of the format exactly, and edges look at no more."""
    fmt = quantizer.format
    if fmt.bits > _MOST_BITS or isinstance(fmt, Codebook | LNS) or fmt.is_carrier_rounded or fmt.precision > 50:
        return False
    plain = quantizer.via is None and quantizer.outcomes.wrap is None and quantizer.rounding.name != "jam"
    return plain and not quantizer.rounding.is_stochastic and fmt.lsb_exponent > -1000 and fmt.emax < 1000


def expected_by_table(x: Array, quantizer: Quantizer) -> Array:
    """What each finite number of x becomes, as float64; for quantizers that have a table."""
    fmt, outcomes = quantizer.format, quantizer.outcomes
    line = _line(fmt)
    numbers = np.abs(x.astype(np.float64))
    negative = np.signbit(x) & (not outcomes.absolute)
    cell = np.searchsorted(line.values, numbers, side="right") - 1
    tapered_below = isinstance(fmt, Tapered) & (numbers < float(fmt.smallest))
    cell = np.maximum(cell, 0)
    lower, upper = line.codes[cell], line.codes[np.minimum(cell + 1, line.codes.size - 1)]
    middle = line.middles[cell]
    exact = (numbers == line.values[cell]) | (numbers < line.values[0])
    above, tie = numbers > middle, numbers == middle
    up = ~exact & _goes_up(quantizer.rounding.name, lower, negative, above & ~tapered_below, tie & ~tapered_below)
    code = np.where(up, upper, lower)
    limit = np.where(negative, outcomes.limit[1], outcomes.limit[0])
    past = (code > limit) | (numbers >= 2 * line.values[-1]) & (not isinstance(fmt, Tapered))
    small = (code < outcomes.flush_below) | ((code == 0) & fmt.has_zero)
    results = np.empty(x.shape, np.float64)
    table = {sign: _values_of(fmt, line.codes, sign) for sign in (False, True)}
    position = np.where(up, np.minimum(cell + 1, line.codes.size - 1), cell)
    for sign in (False, True):
        mine = negative == sign
        results[mine] = table[sign][position[mine]]
        results[mine & small] = float(fmt.value(outcomes.underflow[sign]))
        results[mine & past] = float(fmt.value(outcomes.overflow[sign]))
        results[mine & (numbers == 0)] = float(fmt.value(outcomes.zero[sign]))
    return results


def _goes_up(name: str, lower: Array, negative: Array, above: Array, tie: Array) -> Any:
    """Of numbers that lie between two codes, whether they take the upper; see rounding.DEFINITIONS."""
    odd = lower % 2 == 1
    ties: dict[str, Any] = {
        "nearest_even": odd,
        "nearest_odd": ~odd,
        "nearest_away": True,
        "nearest_zero": False,
        "nearest_up": ~negative,
        "nearest_down": negative,
    }
    if name in ties:
        return above | (tie & ties[name])
    directed: dict[str, Any] = {
        "toward_zero": np.zeros_like(negative),
        "away_from_zero": np.ones_like(negative),
        "toward_positive": ~negative,
        "toward_negative": negative,
        "to_odd": ~odd,
    }
    return directed[name]


@lru_cache(maxsize=4)
def _line(fmt: Format) -> _Line:
    last, tapered = max(fmt.limits()), isinstance(fmt, Tapered)
    codes = [*magnitude_codes(fmt), *([] if tapered else [last + 1])]
    values = [float(magnitude(fmt, code)) for code in codes]
    middles = [
        np.inf if tapered and code == last else 0.0 if tapered and code == 0 else _exactly(fmt, code) for code in codes
    ]
    return _Line(np.array(codes, np.int64), np.array(values), np.array(middles))


def _exactly(fmt: Format, code: int) -> float:
    middle = magnitude_at(fmt, code, Fraction(1, 2))
    assert float(middle) == middle
    return float(middle)


def _values_of(fmt: Format, codes: Array, negative: bool) -> Array:
    limit = fmt.limits()[negative]

    def value(code: int) -> Value:
        return fmt.value(fmt.join(negative, code)) if code <= limit else float("nan")

    return np.array([float(value(code)) for code in codes.tolist()])
