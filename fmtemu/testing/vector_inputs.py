"""The inputs of golden vectors, and the random integers on which stochastic roundings turn."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmtemu import exact
from fmtemu.formats import Codebook, Format
from fmtemu.formats.base import Value
from fmtemu.formats.tapered import Tapered
from fmtemu.quantizer import Quantizer
from fmtemu.random import random_bits
from fmtemu.rounding import Stochastic
from fmtemu.testing.number_line import BEYOND, decision_magnitudes, magnitude, magnitude_at, magnitude_codes, successor
from fmtemu.testing.points import (
    both_signs,
    boundary_points,
    outside_magnitudes,
    source_ends,
    special_points,
    with_neighbours,
)

Array = NDArray[Any]


def scalar_inputs(quantizer: Quantizer, dtype: np.dtype[Any], most: int) -> tuple[Array, bool]:
    """At most so many inputs, and whether they are at all decisions: specials, then by ascending bits the edges
    of the format and an even sample of the rest."""
    fmt, rounding = quantizer.format, quantizer.rounding
    sampled = max(most // 4, 64)
    special, edge = special_points(dtype.name), edge_points(fmt, dtype)
    kept = special.size + edge.size
    if most < kept:
        least = 2 * kept if rounding.is_stochastic else kept
        raise ValueError(f"most must be at least {least} rows, the specials and edges of {fmt}")
    points = _patterns(boundary_points(fmt, dtype.name, sampled))
    if isinstance(rounding, Stochastic):
        points = np.union1d(points, _patterns(_between(fmt, rounding.bits, dtype, sampled)))
    rest = np.setdiff1d(points, np.concatenate([_patterns(edge), _patterns(special)]))
    chosen = evenly(rest, most - kept)
    everything = max(fmt.limits()) < sampled or isinstance(fmt, Codebook)
    finite = np.sort(np.concatenate([_patterns(edge), chosen]))
    return np.concatenate([special, finite.view(dtype)]), everything and chosen.size == rest.size


def edge_points(fmt: Format, dtype: np.dtype[Any]) -> Array:
    """The floats at the ends of a format and of the source: around the smallest and largest values and the
    middles beside them, the first normal number, and numbers beyond."""
    magnitudes = [*_end_magnitudes(fmt), *outside_magnitudes(fmt)]
    points = both_signs(np.concatenate([with_neighbours(magnitudes, dtype), source_ends(dtype)]))
    chosen: Array = points[points != 0]
    return chosen


def turning_randoms(x: Value, quantizer: Quantizer) -> tuple[int, ...]:
    """The least random integer that takes x away from zero, and the one below it, as far as they exist."""
    rounding = quantizer.rounding
    assert isinstance(rounding, Stochastic)
    end = 1 << rounding.bits
    turn = end - exact.probability(_position(x, quantizer), rounding)
    return tuple(random for random in (turn - 1, turn) if 0 <= random < end)


def evenly(numbers: Array, count: int) -> Array:
    """So many of the numbers, or all, evenly spread among them."""
    if count >= numbers.size:
        return numbers
    return numbers[np.arange(count) * numbers.size // max(count, 1)]


def _position(x: Value, quantizer: Quantizer) -> Fraction:
    """Where a number lies between its neighbours; 0 of zeros, infinities and NaN."""
    if quantizer.via is not None and x == x:
        x = exact.cast(x, Quantizer(quantizer.via))
    if not (isinstance(x, Fraction) or math.isfinite(x)):
        return Fraction(0)
    fmt, number = quantizer.format, Fraction(x)
    if isinstance(fmt, Codebook):
        return fmt.neighbours(number)[2]
    return fmt.locate(abs(number))[2] if number else Fraction(0)


def _between(fmt: Format, bits: int, dtype: np.dtype[Any], most: int) -> Array:
    """Floats beside positions (2 j + 1) / 2**(bits + 1), where k goes from j to j + 1, for some j in every cell."""
    if isinstance(fmt, Codebook):
        pairs = list(zip(fmt.entries, fmt.entries[1:], strict=False))
        starts = [(Fraction(low), Fraction(high) - Fraction(low)) for low, high in pairs]
        odd = _odd_numbers(bits, len(pairs))
        numbers = [abs(low + step * Fraction(k, 2 << bits)) for (low, step), k in zip(starts, odd, strict=True)]
        return both_signs(with_neighbours(numbers, dtype))
    tapered = isinstance(fmt, Tapered)
    bits = min(bits, 63 - fmt.bits) if tapered else bits  # magnitude_at counts in codes of so many bits more
    codes = [code for code in magnitude_codes(fmt, most) if not (tapered and code in (0, max(fmt.limits())))]
    odd = _odd_numbers(bits, len(codes))
    numbers = [abs(magnitude_at(fmt, code, Fraction(k, 2 << bits))) for code, k in zip(codes, odd, strict=True)]
    return both_signs(with_neighbours(numbers, dtype))


def _odd_numbers(bits: int, count: int) -> list[int]:
    """Odd numbers below 2**(bits + 1), the same every time."""
    return [2 * int(j) + 1 for j in random_bits(0, (), 0, count, max(bits, 1))] if count else []


def _end_magnitudes(fmt: Format) -> list[Fraction]:
    if isinstance(fmt, Codebook):
        ends = Codebook(fmt.entries[:2]), Codebook(fmt.entries[-2:])
        return [number for end in ends for numbers in decision_magnitudes(end) for number in numbers]
    last, tapered = max(fmt.limits()), isinstance(fmt, Tapered)
    first = successor(fmt, 0)
    normal = 1 << getattr(fmt, "mantissa_bits", 0)
    codes = {0, first, first + 1, normal - 1, normal, last - 1, last, last + 1, last + BEYOND}
    codes = {code for code in codes if (code == 0 or code >= first) and (not tapered or code <= last)}
    values = [magnitude(fmt, code) for code in codes]
    inner = [code for code in codes if not (tapered and code in (0, last))]
    return [*map(abs, values), *(abs(magnitude_at(fmt, code, Fraction(1, 2))) for code in inner)]


def _patterns(x: Array) -> Array:
    return np.ascontiguousarray(x).view(f"u{x.itemsize}")
