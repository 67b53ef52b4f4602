"""Where a number lies on a format's grid: what decides which law speaks of it."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

from fmtemu import exact
from fmtemu.formats import Codebook, Float
from fmtemu.formats.base import Value
from fmtemu.formats.tapered import Tapered
from fmtemu.quantizer import Quantizer
from fmtemu.testing.number_line import magnitude
from fmtemu.testing.points import exact_value


class Place(NamedTuple):
    """``kind`` is "nan", "infinity", "zero", "negative" (below an unsigned format), "overflow" (rounds
    past the largest number), "value" (a number of the format) or "between". ``lower`` and ``upper`` are
    the neighbours' signed values (upper the one away from zero), None past the last; d the position
    between them in the rounding coordinate. ``subnormal``: below the smallest normal number."""

    kind: str
    lower: Fraction | None = None
    upper: Fraction | None = None
    d: Fraction = Fraction(0)
    subnormal: bool = False
    below_smallest: bool = False
    negative: bool = False


def place(x: Value, quantizer: Quantizer) -> Place:
    """Where x lies on the grid of a quantizer's format; with ``via``, where that first rounding puts it."""
    number = x if isinstance(x, Fraction) else exact_value(x)
    if quantizer.via is not None and x == x:
        number = exact.cast(number, Quantizer(quantizer.via))
    if number != number:
        return Place("nan")
    if not isinstance(number, Fraction) and abs(number) == math.inf:
        return Place("infinity")
    if isinstance(quantizer.format, Codebook):
        return _place_in_codebook(Fraction(number), quantizer.format)
    if number == 0:
        return Place("zero")
    fmt, negative = quantizer.format, number < 0
    if negative and quantizer.outcomes.limit[1] < 0:
        return Place("negative", negative=True)
    lower, upper, d = fmt.locate(abs(Fraction(number)))
    limit = max(quantizer.outcomes.limit[negative], 0)
    sign = -1 if negative else 1
    chosen = lower
    if not quantizer.rounding.is_stochastic:
        chosen = upper if exact.goes_up(d, lower, upper, negative, quantizer.rounding, 0) else lower
    past_end = isinstance(fmt, Tapered) and abs(Fraction(number)) > fmt.largest
    is_value = d == 0 and (lower > 0 or (not fmt.has_zero and abs(Fraction(number)) >= fmt.smallest))
    kind = "overflow" if past_end or chosen > limit or lower > limit else "value" if is_value else "between"
    low = sign * magnitude(fmt, lower) if lower <= limit else None
    return Place(
        kind,
        low,
        sign * magnitude(fmt, upper) if upper <= limit else None,
        d,
        subnormal=isinstance(fmt, Float) and fmt.has_zero and abs(Fraction(number)) < Fraction(2) ** fmt.emin,
        below_smallest=abs(Fraction(number)) < fmt.smallest,
        negative=negative,
    )


def _place_in_codebook(x: Fraction, fmt: Codebook) -> Place:
    lower, upper, d = fmt.neighbours(x)
    low, high = Fraction(fmt.value(lower)), Fraction(fmt.value(upper))
    kind = "value" if x == low else "overflow" if lower == upper else "between"
    return Place(kind, low, high, d, negative=x < 0)
