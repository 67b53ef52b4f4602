"""The oracle: rounding by definition, one number at a time, with integers and fractions.

Slow and obviously right. Every backend equals it bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from fmtemu.edges import Wrap
from fmtemu.formats.base import Value
from fmtemu.formats.codebook import Codebook
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.scaled import Scaled
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import Rounding, Stochastic

_HALF = Fraction(1, 2)


def encode(x: Value, quantizer: Quantizer, random: int = 0) -> int | None:
    """The raw code of x; None for a NaN where the format has none and the edges choose nothing.

    ``random`` is the uniform integer R below 2**bits of a stochastic rounding.
    """
    _check_no_scales(quantizer)
    if quantizer.via is not None and x == x:  # a NaN keeps its sign
        x = decode(_encode(x, Quantizer(quantizer.via), 0) or 0, Quantizer(quantizer.via))
    return _encode(x, quantizer, random)


def decode(code: int, quantizer: Quantizer) -> Value:
    """The number that a raw code stands for."""
    _check_no_scales(quantizer)
    return quantizer.format.value(code)


def cast(x: Value, quantizer: Quantizer, random: int = 0) -> Value:
    """The number that x becomes: decode of encode, and NaN where encode has no code."""
    code = encode(x, quantizer, random)
    return math.nan if code is None else decode(code, quantizer)


def _check_no_scales(quantizer: Quantizer) -> None:
    if isinstance(quantizer.format, Scaled):
        raise TypeError(
            f"{quantizer.format} rounds whole tiles: fmtemu.exact_scaled, or {quantizer.element.format} alone"
        )


def _encode(x: Value, quantizer: Quantizer, random: int) -> int | None:
    fmt, rounding, outcomes = quantizer.format, quantizer.rounding, quantizer.outcomes
    negative = (x < 0 or (x == 0 and isinstance(x, float) and math.copysign(1, x) < 0)) and not outcomes.absolute
    if x != x:
        return outcomes.nan and outcomes.nan[math.copysign(1, x) < 0]
    if abs(x) == math.inf:
        return outcomes.infinity[negative]
    if isinstance(fmt, Codebook):
        return choose_entry(fmt, *fmt.neighbours(Fraction(x)), rounding, random)
    if rounding.name == "jam" and isinstance(fmt, FixedPoint):
        steps = Fraction(x) * Fraction(2) ** fmt.fraction
        integer = math.floor(abs(steps) if outcomes.absolute else steps) | 1  # two's complement has no signed zero
        negative, magnitude_code = integer < 0, abs(integer)
    elif x == 0:
        return outcomes.zero[negative]
    else:
        lower, upper, d = fmt.locate(abs(Fraction(x)))
        magnitude_code = upper if goes_up(d, lower, upper, negative, rounding, random) else lower
    return settled(magnitude_code, negative, quantizer)


def settled(magnitude_code: int, negative: bool, quantizer: Quantizer) -> int:
    """The raw code of a number, not zero, that was rounded to a magnitude code on the unbounded grid."""
    fmt, outcomes = quantizer.format, quantizer.outcomes
    if magnitude_code > outcomes.limit[negative]:
        if outcomes.wrap is not None:
            return wrapped(-magnitude_code if negative else magnitude_code, fmt.bits, outcomes.overflow, outcomes.wrap)
        return outcomes.overflow[negative]
    if magnitude_code < outcomes.flush_below or (magnitude_code == 0 and fmt.has_zero):
        return outcomes.underflow[negative]
    return fmt.join(negative, magnitude_code)


def wrapped(integer: int, bits: int, saturated: tuple[int, int], wrap: Wrap) -> int:
    """The code of an integer that overflows ``bits`` bits: its own low bits behind the first bits of
    the saturated code (of a positive, of a negative number). See the overflow modes of IEEE 1666."""
    kept = wrap.kept(bits)
    head = saturated[integer < 0] >> kept
    if wrap == Wrap(0, True):
        head = integer >> bits & 1  # the lowest bit that is lost becomes the sign
    if wrap.sign_magnitude and (integer >> kept ^ head) & 1:
        integer = ~integer
    return head << kept | integer & ((1 << kept) - 1)


def choose_entry(fmt: Codebook, lower: int, upper: int, d: Fraction, rounding: Rounding, random: int) -> int:
    """The code of a codebook that a number at position d between two codes takes."""
    if "away" in rounding.name and fmt.value(lower) == -fmt.value(upper):
        return lower  # neither is farther from zero: the number keeps its sign
    return upper if goes_up(d, lower, upper, upper < lower, rounding, random) else lower


def goes_up(d: Fraction, lower: int, upper: int, falling: bool, rounding: Rounding, random: int) -> bool:
    """Whether a number at position d between two codes, that of smaller magnitude first, takes the
    upper one; ``falling``: the upper one is the smaller value, as it is for all negative numbers."""
    if isinstance(rounding, Stochastic):
        return probability(d, rounding) + random >= 1 << rounding.bits
    if rounding.name == "jam":
        return lower % 2 == 0
    if d == 0:
        return False
    if rounding.name.startswith("nearest"):
        return d > _HALF or (d == _HALF and _TIES[rounding.name](lower, upper, falling))
    return _DIRECTED[rounding.name](lower, upper, falling)


_Choice = Callable[[int, int, bool], bool]

# Where both codes are even, as around the gap of a format without subnormals, even means lower.
_TIES: dict[str, _Choice] = {
    "nearest_even": lambda lower, upper, falling: lower % 2 == 1,
    "nearest_odd": lambda lower, upper, falling: lower % 2 == 0,
    "nearest_away": lambda lower, upper, falling: True,
    "nearest_zero": lambda lower, upper, falling: False,
    "nearest_up": lambda lower, upper, falling: not falling,
    "nearest_down": lambda lower, upper, falling: falling,
}
_DIRECTED: dict[str, _Choice] = {
    "toward_zero": lambda lower, upper, falling: False,
    "away_from_zero": lambda lower, upper, falling: True,
    "toward_positive": lambda lower, upper, falling: not falling,
    "toward_negative": lambda lower, upper, falling: falling,
    "to_odd": lambda lower, upper, falling: lower % 2 == 0,
}


def probability(d: Fraction, rounding: Stochastic) -> int:
    """k, where k / 2**bits is the probability of the upper neighbour at position d."""
    position = d * (1 << rounding.bits)
    if rounding.variant == "equal":
        return 1 << (rounding.bits - 1) if d else 0
    if rounding.variant == "A":
        return math.floor(position)
    if rounding.variant == "B":
        return math.floor(position + _HALF)
    return round(position)  # Fraction rounds ties to even
