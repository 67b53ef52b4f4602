"""The numbers on which casts go wrong: source floats on and beside every decision of a format."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmtemu.formats import Codebook, Format
from fmtemu.formats.tapered import Tapered
from fmtemu.random import threefry2x32
from fmtemu.testing.number_line import decision_magnitudes, magnitude, magnitude_codes, successor

Array = NDArray[Any]

SOURCES = ("float16", "float32", "float64")
#: In how many cells each bit of the source is tried; exact decisions on irrational values cost more.
_CELLS, _CELLS_IF_IRRATIONAL = 12, 3
#: Multiples of the largest, and parts of the smallest value, where edges decide.
_OUTSIDE = (Fraction(5, 4), Fraction(3, 2), Fraction(2), Fraction(3), Fraction(4), Fraction(100), Fraction(2) ** 40)
_BELOW = (Fraction(8), Fraction(4), Fraction(2), Fraction(4, 3), Fraction(3, 2), Fraction(2) ** 20)


@lru_cache(maxsize=32)
def boundary_points(fmt: Format, source: str = "float32", most: int = 1 << 16) -> Array:
    """Floats of dtype ``source``, of both signs, where a cast to ``fmt`` decides: the values and the
    middles between them with their neighbours in the source, overflow and underflow, the source's own
    ends, and a seeded spread of others; without NaN and infinity. Formats of more than ``most`` values
    are sampled. Read-only, different bit patterns, in the same order every time."""
    dtype = source_dtype(source)
    values, middles = decision_magnitudes(fmt, most)
    positive = np.concatenate(
        [
            with_neighbours([*middles, *outside_magnitudes(fmt), *values], dtype),
            source_ends(dtype),
            single_bits(fmt, dtype),
            _spread(fmt, dtype, len(values)),
        ]
    )
    return _frozen(both_signs(positive))


@lru_cache(maxsize=8)
def special_points(source: str = "float32") -> Array:
    """Zeros and infinities of both signs, and NaN: quiet and signalling, with payloads, of both signs."""
    dtype = source_dtype(source)
    word = np.dtype(f"u{dtype.itemsize}")
    infinity = int(np.array(np.inf, dtype).view(word))
    quiet = 1 << (np.finfo(dtype).nmant - 1)
    nans = np.array([infinity + k for k in (quiet, quiet + 77, 2 * quiet - 1, 1, quiet >> 1)], word).view(dtype)
    return _frozen(both_signs(np.concatenate([np.array([0, np.inf], dtype), nans])))


def source_dtype(source: Any) -> np.dtype[Any]:
    """The dtype of a source; raises ValueError naming the allowed ones."""
    try:
        name = np.dtype(source).name
    except TypeError:
        name = ""
    if name not in SOURCES:
        raise ValueError(f"source must be one of {', '.join(SOURCES)}, got {source!r}")
    dtype: np.dtype[Any] = np.dtype(name)
    return dtype


def with_neighbours(magnitudes: Iterable[Fraction], dtype: np.dtype[Any]) -> Array:
    """Floats beside the magnitudes: the nearest float, and one step to either side; never infinite."""
    near, top = _nearest(magnitudes, dtype), np.finfo(dtype).max
    above = np.nextafter(np.minimum(near, np.nextafter(top, dtype.type(0))), dtype.type(np.inf))
    return np.concatenate([near, above, np.nextafter(near, dtype.type(0))])


def _nearest(magnitudes: Iterable[Fraction], dtype: np.dtype[Any]) -> Array:
    limit = Fraction(float(np.finfo(dtype).max))
    return np.array([float(min(m, limit)) for m in magnitudes]).astype(dtype)


def both_signs(x: Array) -> Array:
    """The different bit patterns of x and -x, the sign of NaN included."""
    word = np.dtype(f"u{x.itemsize}")
    patterns = np.ascontiguousarray(x).view(word)
    sign = word.type(1 << (8 * x.itemsize - 1))
    return np.unique(np.concatenate([patterns, patterns ^ sign])).view(x.dtype)


def exact_value(x: float) -> Fraction | float:
    """A float as fmtemu.exact takes it: a fraction, or the float that no fraction says (-0, infinity, NaN)."""
    return x if not math.isfinite(x) or (x == 0 and math.copysign(1, x) < 0) else Fraction(x)


def outside_magnitudes(fmt: Format) -> list[Fraction]:
    """Magnitudes beyond the largest and below the smallest value, where edges decide."""
    largest = max(fmt.largest, -fmt.lowest)
    return [largest * part for part in _OUTSIDE] + [fmt.smallest / part for part in _BELOW]


def source_ends(dtype: np.dtype[Any]) -> Array:
    """The smallest and largest subnormal, the smallest normal, 1 and the largest float of a dtype."""
    info = np.finfo(dtype)
    below_normal = np.nextafter(info.smallest_normal, dtype.type(0))
    return np.array([info.smallest_subnormal, below_normal, info.smallest_normal, 1, info.max], dtype)


def single_bits(fmt: Format, dtype: np.dtype[Any]) -> Array:
    """In a few cells the numbers that one bit of the source, or the lack of one, puts above the lower
    neighbour, the middle, or below the upper one: each bit counts in a rounding."""
    if isinstance(fmt, Codebook):
        return np.zeros(0, dtype)
    codes = [code for code in magnitude_codes(fmt, 1 << 10) if not (code == 0 and isinstance(fmt, Tapered))]
    found = []
    cells = _CELLS_IF_IRRATIONAL if fmt.is_carrier_rounded else _CELLS
    for code in codes[:: max(1, len(codes) // cells)][:-1]:
        low, high = magnitude(fmt, code), magnitude(fmt, successor(fmt, code))
        for bit in range(2, np.finfo(dtype).nmant + 1):
            tail = (high - low) / (1 << bit)
            found += [low + tail, (low + high) / 2 - tail, (low + high) / 2 + tail, high - tail]
    return _nearest(found, dtype)


def _spread(fmt: Format, dtype: np.dtype[Any], count: int) -> Array:
    """Random magnitudes over the format's range and a little more, evenly among the bit patterns of floats,
    which are about even in the logarithm. Integers only: they are the same on every machine."""
    word = np.dtype(f"u{dtype.itemsize}")
    ends = with_neighbours([fmt.smallest / 8, max(fmt.largest, -fmt.lowest) * 2], dtype)[:2].view(word)
    low, high = int(ends[0]), int(ends[1])
    words = threefry2x32((0, fmt.bits), (0, np.arange(max(64, min(count, 4096)))))
    random = (int(first) << 32 | int(second) for first, second in zip(*words, strict=True))
    return np.array([low + k % (high - low + 1) for k in random], word).view(dtype)


def _frozen(x: Array) -> Array:
    x.setflags(write=False)
    return x
