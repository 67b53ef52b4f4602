"""What a correct caster gives, by fmtemu.exact, and how results are compared with it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmtemu import exact
from fmtemu.formats import Float, Format, as_format
from fmtemu.formats.carrier import fits
from fmtemu.quantizer import Quantizer
from fmtemu.testing.points import boundary_points, exact_value, source_dtype

Array = NDArray[Any]

#: Formats of at most so many bits are tested on all codes and decisions; irrational values cost more.
MOST = 1 << 16
EXHAUSTIVE_BITS, EXHAUSTIVE_IRRATIONAL_BITS = 16, 10
#: Of wider ones this many codes are taken, and of irrational ones fewer.
SAMPLED, SAMPLED_IRRATIONAL = 1 << 12, 1 << 8


def check_source(fmt: Format, source: str) -> np.dtype[Any]:
    """The dtype of a source; raises ValueError where results of that dtype cannot hold the format."""
    dtype = source_dtype(source)
    if not fits(fmt, as_format(dtype)):
        raise ValueError(f"values of {fmt} do not fit source={dtype.name!r}; use a wider source")
    return dtype


def points(fmt: Format, source: str, most: int = MOST) -> Array:
    """The finite floats on which a caster is judged: all decisions of a format of at most ``most`` codes,
    a sample of a wider one."""
    irrational = fmt.is_carrier_rounded
    if fmt.bits > (EXHAUSTIVE_IRRATIONAL_BITS if irrational else EXHAUSTIVE_BITS):
        most = min(most, SAMPLED_IRRATIONAL if irrational else SAMPLED)
    return boundary_points(fmt, source, most)


def expected_values(x: Iterable[float], quantizer: Quantizer, source: str, random: int = 0) -> Array:
    """What each number becomes, as float64; of irrational values what ``source`` holds. ``random`` is the
    integer of a stochastic rounding."""
    precision = as_format(source).precision
    known: dict[int | None, float] = {None: math.nan}
    results = []
    for number in x:
        code = exact.encode(exact_value(number), quantizer, random)
        if code not in known:
            known[code] = float(quantizer.format.value_in(code, precision))  # type: ignore[arg-type]
        results.append(known[code])
    return np.array(results, np.float64)


@lru_cache(maxsize=64)
def expected_at_points(quantizer: Quantizer, source: str, most: int = MOST) -> Array:
    """expected_values at ``points``: the same for every caster of a quantizer."""
    values = expected_values(points(quantizer.format, source, most).tolist(), quantizer, source)
    values.setflags(write=False)
    return values


def agree(expected: Array, got: Array, fmt: Format) -> Array:
    """Where results are what they should be: the same number, zeros of the same sign, or both NaN.

    Where a format that is no float has one zero, -0 passes for it: it has no code of its own to be mistaken for."""
    same: Array = expected == got
    if not has_one_zero(fmt):
        same &= np.signbit(expected) == np.signbit(got)
    same |= np.isnan(expected) & np.isnan(got)
    return same


def has_one_zero(fmt: Format) -> bool:
    """Whether the sign of a zero says nothing about the code: the format is no float, and has no -0."""
    return not isinstance(fmt, Float) and not fmt.has_negative_zero


def has_subnormals(fmt: Format) -> bool:
    """Whether the format has subnormal numbers."""
    return isinstance(fmt, Float) and fmt.smallest_subnormal is not None
