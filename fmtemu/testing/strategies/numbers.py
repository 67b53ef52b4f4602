"""Codes, values, and the numbers on which casts go wrong."""

from __future__ import annotations

import math
import operator
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fmtemu.formats import Codebook, Float, Format, Int, Scaled, as_format
from fmtemu.formats.carrier import fits
from fmtemu.formats.tapered import Tapered
from fmtemu.testing.number_line import BEYOND, magnitude, magnitude_at, magnitude_codes, successor
from fmtemu.testing.points import outside_magnitudes, source_dtype, source_ends, special_points, with_neighbours

Number = np.floating[Any]
#: Codes that are drawn more often than others: how many of the ends, powers of two and between.
_NOTABLE = 64


def codes(fmt: object) -> st.SearchStrategy[int]:
    """Every raw code that has a meaning, those of NaN and infinity too; of a Scaled its element's."""
    fmt = plain(fmt)
    if isinstance(fmt, Codebook):
        return st.integers(0, fmt.count - 1)
    every = st.integers(0, (1 << fmt.bits) - 1)
    if isinstance(fmt, Int) and fmt.symmetric:
        return every.filter(lambda code: code != 1 << (fmt.bits - 1))
    if isinstance(fmt, Float) and not fmt.subnormals:
        fraction = (1 << fmt.mantissa_bits) - 1
        field = ((1 << (fmt.exponent_bits + fmt.mantissa_bits)) - 1) ^ fraction
        return every.filter(lambda code: code & field or not code & fraction or code == fmt.nan_code)
    return every


def values(fmt: object, *, allow_nan: bool = True, allow_infinity: bool = True) -> st.SearchStrategy[float]:
    """Every number that a code stands for, as a float: -0, infinities and NaN too where the format has
    them; of a Scaled the element's. Irrational ones are their float64. Raises ValueError for formats
    that float64 does not hold."""
    fmt = plain(fmt)
    if not fits(fmt, as_format("float64")):
        raise ValueError(f"values: float64 does not hold the values of {fmt}; take codes(...), and Format.value")

    def allowed(x: float) -> bool:
        return (allow_nan or not math.isnan(x)) and (allow_infinity or not math.isinf(x))

    return codes(fmt).map(lambda code: float(fmt.value_in(code, 53))).filter(allowed)


def boundary_values(fmt: object, source: str = "float32") -> st.SearchStrategy[Number]:
    """Floats of dtype ``source`` on which casts to a format go wrong: its values and the middles between
    them (in its rounding coordinate) and their neighbours in the source, numbers beyond the largest and
    below the smallest value, the source's own ends, zeros, infinities, and NaN with payloads; of both
    signs. NumPy scalars, as a Python float would make a signalling NaN of float32 quiet.
    Of a Scaled those of its element, in units of the scale."""
    found, dtype = plain(fmt), source_dtype(source)
    return st.one_of(
        *(beside(numbers, dtype) for numbers in (*decisions(found), st.sampled_from(outside_magnitudes(found)))),
        st.builds(operator.mul, one_of_points(source_ends(dtype)), signs(dtype)),
        one_of_points(special_points(dtype.name)),
    )


def plain(fmt: object) -> Format:
    """The format of single codes that ``fmt`` names: of a Scaled the element's."""
    found = as_format(fmt)
    return found.element if isinstance(found, Scaled) else found


def beside(magnitudes: st.SearchStrategy[Fraction], dtype: np.dtype[Any]) -> st.SearchStrategy[Number]:
    """The floats nearest to magnitudes and their two neighbours, of both signs; never infinite."""

    def choose(number: Fraction, step: int, sign: Number) -> Number:
        found: Number = with_neighbours([number], dtype)[step] * sign
        return found

    return st.builds(choose, magnitudes, st.integers(0, 2), signs(dtype))


def signs(dtype: np.dtype[Any]) -> st.SearchStrategy[Number]:
    """1 and -1."""
    return st.sampled_from((dtype.type(1), dtype.type(-1)))


def one_of_points(points: Any) -> st.SearchStrategy[Number]:
    """An element of an array, bit for bit; the first is the simplest."""
    return st.integers(0, points.size - 1).map(lambda index: points[index])


def decisions(fmt: Format) -> list[st.SearchStrategy[Fraction]]:
    """Magnitudes of the values and of the middles between neighbours, the first places past the largest
    too where the grid goes on: some notable ones, and all."""
    if isinstance(fmt, Codebook):
        return _entries(fmt)
    last, tapered = max(fmt.limits()), isinstance(fmt, Tapered)
    notable = list(magnitude_codes(fmt, _NOTABLE))
    every = st.integers(successor(fmt, 0), last if tapered else last + BEYOND)
    values = [codes.map(lambda code: _value(fmt, code, last)) for codes in (st.sampled_from(notable), every)]
    if tapered:  # nothing is decided in the middle below the smallest and past the largest
        notable, every = [code for code in notable if 0 < code < last], st.integers(1, max(last - 1, 1))
    middles = [
        codes.map(lambda code: abs(magnitude_at(fmt, code, Fraction(1, 2))))
        for codes in (st.sampled_from(notable), every)
        if notable
    ]
    return [*values, *middles]


def _value(fmt: Format, code: int, last: int) -> Fraction:
    if fmt.is_carrier_rounded and code <= last:
        return abs(Fraction(fmt.value_in(fmt.join(False, code), 24)))
    return magnitude(fmt, code)


def _entries(fmt: Codebook) -> list[st.SearchStrategy[Fraction]]:
    entries = [Fraction(entry) for entry in fmt.entries]
    values, below = st.sampled_from(entries), st.integers(0, len(entries) - 2)
    return [values.map(abs), below.map(lambda k: abs(entries[k] + entries[k + 1]) / 2)]
