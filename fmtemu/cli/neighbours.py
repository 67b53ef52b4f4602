"""The two values a number lies between, and which of them its rounding takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from fmtemu import exact as oracle
from fmtemu.formats import LNS, Codebook, Float, Format, HiFloat8
from fmtemu.formats.base import Value
from fmtemu.formats.fixed import FixedPoint
from fmtemu.quantizer import Quantizer


@dataclass(frozen=True)
class Neighbours:
    """Where a finite nonzero number lies on its format's grid, continued past the largest value.

    ``pair``: (value, code) of the neighbour toward zero and of the one away from zero; the code is
    None past the format's limits. ``d``: the position between them, exactly. ``chosen``: the
    magnitude code that the rounding takes. ``ulp``: the distance of the two, or None at the end of
    a posit's or takum's range. ``note``: what to say instead where there are not two neighbours.
    """

    negative: bool
    pair: tuple[tuple[Fraction, int | None], tuple[Fraction, int | None]]
    d: Fraction
    position_in_value: Fraction
    lower: int
    upper: int
    chosen: int
    chosen_value: Fraction
    ulp: Fraction | None
    note: str = ""

    def choosing(self, upper: bool) -> Neighbours:
        """The same with the outer or inner neighbour taken."""
        chosen = self.upper if upper else self.lower
        return replace(self, chosen=chosen, chosen_value=self.pair[upper][0])


def is_finite(x: Value) -> bool:
    """Whether x is a number, of whatever size; math.isfinite would make a float of it."""
    return isinstance(x, Fraction) or math.isfinite(x)


def find_neighbours(x: Value, quantizer: Quantizer) -> Neighbours | None:
    """The neighbours of a number; None for zero, infinity and NaN, which are not rounded (but a
    codebook rounds zero as any number)."""
    if not is_finite(x):
        return None
    if isinstance(quantizer.format, Codebook):
        return _entries_around(Fraction(x), quantizer, quantizer.format)
    if not x:
        return None
    fmt, exact_x = quantizer.format, Fraction(x)
    negative = exact_x < 0 and not quantizer.outcomes.absolute
    sign = -1 if negative else 1
    lower, upper, d = fmt.locate(abs(exact_x))
    low, high = _magnitude(fmt, lower), _magnitude(fmt, upper)
    note = _outside(fmt, abs(exact_x)) if d == 0 and low != abs(exact_x) else ""
    chosen, negative_chosen = _chosen(exact_x, negative, lower, upper, d, quantizer)
    chosen_magnitude = _magnitude(fmt, chosen)
    assert low is not None
    assert chosen_magnitude is not None
    return Neighbours(
        negative=negative,
        pair=((sign * low, _code(fmt, negative, lower)), (sign * (high or low), _code(fmt, negative, upper))),
        d=d,
        position_in_value=(abs(exact_x) - low) / (high - low) if high is not None else Fraction(0),
        lower=lower,
        upper=upper,
        chosen=chosen,
        chosen_value=-chosen_magnitude if negative_chosen else chosen_magnitude,
        ulp=None if high is None or note else high - low,
        note=note,
    )


def _entries_around(x: Fraction, quantizer: Quantizer, fmt: Codebook) -> Neighbours:
    lower, upper, d = fmt.neighbours(x)
    low, high = Fraction(fmt.value(lower)), Fraction(fmt.value(upper))
    beyond = "largest" if x > fmt.largest else "lowest" if x < fmt.lowest else ""
    chosen = lower
    if not quantizer.rounding.is_stochastic:
        chosen = oracle.choose_entry(fmt, lower, upper, d, quantizer.rounding, 0)
    return Neighbours(
        negative=x < 0,
        pair=((low, lower), (high, upper)),
        d=d,
        position_in_value=d,
        lower=lower,
        upper=upper,
        chosen=chosen,
        chosen_value=Fraction(fmt.value(chosen)),
        ulp=abs(high - low) or None,
        note=f"none: the number is beyond the {beyond} entry" if beyond else "",
    )


def _chosen(x: Fraction, negative: bool, lower: int, upper: int, d: Fraction, quantizer: Quantizer) -> tuple[int, bool]:
    """The magnitude code that the rounding takes, and whether the result is negative; for a
    stochastic rounding the inner neighbour, see Neighbours.choosing."""
    fmt, rounding = quantizer.format, quantizer.rounding
    if rounding.name == "jam" and isinstance(fmt, FixedPoint):
        integer = math.floor(x * Fraction(2) ** fmt.fraction) | 1
        return abs(integer), integer < 0
    if rounding.is_stochastic:
        return lower, negative
    code = upper if oracle.goes_up(d, lower, upper, negative, rounding, 0) else lower
    return (code | 1 if rounding.name == "jam" else code), negative


def _magnitude(fmt: Format, code: int) -> Fraction | None:
    """The value of a magnitude code on the grid continued without end; None past the end of a tapered format."""
    if isinstance(fmt, FixedPoint):
        return code / Fraction(2) ** fmt.fraction
    if isinstance(fmt, Float | LNS | HiFloat8):
        return fmt.magnitude(code)
    return Fraction(fmt.value(fmt.join(False, code))) if code <= fmt.limits()[0] else None


def _code(fmt: Format, negative: bool, magnitude_code: int) -> int | None:
    within = magnitude_code <= fmt.limits()[negative] or (magnitude_code == 0 and fmt.has_zero)
    return fmt.join(negative, magnitude_code) if within else None


def _outside(fmt: Format, magnitude: Fraction) -> str:
    if magnitude > fmt.largest:
        return f"none: the number is beyond the largest value, and a {fmt.family} never rounds to NaR"
    return "none: the number is below the smallest value, and there is no zero"
