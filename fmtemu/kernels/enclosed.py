"""Logarithmic formats by bounds: to codes, and whether the bounds leave a code open.

The logarithm of a source is known up to an error, and so is its position among the codes. Both ends of
what it may be are rounded: where they agree, that is the code, and where not, the definition has to
decide. That is rare, as sources that must be on a boundary are known to be: powers of two, whose
logarithms are exact, and what counts as a value of the format, which is seen by its distance.
"""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.edges import EDGE, settle
from fmtemu.kernels.enclosed_quick import QUICK_ENCLOSED, code_log, code_takum
from fmtemu.kernels.log2 import LOGARITHM, below_one, scaled_log2
from fmtemu.kernels.rounding import MODE
from fmtemu.kernels.words import (
    FRACTION,
    IMPLICIT,
    INFINITY,
    MAGNITUDE,
    MANTISSA,
    ONE,
    WORD_BITS,
    ZERO,
    from_bits,
    maximum,
    minimum,
    round_shift,
    shl,
    shr,
    to_bits,
    to_float,
    where,
    word,
)

#: floor: least magnitude bits; error: units of 2**-PLACES by which a scaled logarithm may be off; first
#: and last: the least and greatest magnitude code that is a value; next_to_zero: 1 if positions up to
#: code 0 are next to it, and not on it; short: the bits of a source beyond the values' precision.
#: As float bits, in units of a source's last place: ulp: a unit of a position for a significand of 1;
#: error_ulps: a unit of the logarithm, at most; half_ulp: half the values' last place; slack: what a gap
#: may be off besides.
_ENCLOSED = (
    *LOGARITHM, "floor", "error", "first", "last", "next_to_zero", "ulp", "error_ulps", "short", "half_ulp", "slack",
)  # fmt: skip
#: least: the exponent of magnitude code 0; flip, mask: as in fmtemu.kernels.log.LOG.
ENCLOSED_LOG = (*_ENCLOSED, *QUICK_ENCLOSED, "least", "flip", "mask", *MODE, *EDGE, "table")
#: width: units by which a position may be off; behind: bits of a code after the regime, cut: those that it
#: lacks up to there; one: the code of 1; mask: the code's bits.
ENCLOSED_TAKUM = (*_ENCLOSED, *QUICK_ENCLOSED, "width", "cut", "behind", "one", "mask", *MODE, *EDGE, "table")
#: The fields of every kernel here.
ENCLOSED = {"enclosed_log": ENCLOSED_LOG, "enclosed_takum": ENCLOSED_TAKUM}


def value_near(magnitude: Any, code: Any, part: Any, known: Any, scale: Any, p: Any) -> Any:
    """(is_value, is_open): whether the source counts as the value of the nearest code, and whether that
    is not certain. ``known``: units by which the logarithm may be off; a unit of the position is
    ``scale`` of it.

    With v the value, that is so where v rounds to the source, or to the next number of the format's precision
    beyond the source. x - v = x * (1 - 2**-distance), as few as its units in the last place are.
    """
    up = shr(part, word(p.places - ONE))
    offset = word(part - shl(up, p.places))
    fraction = word(magnitude & FRACTION)
    significand = word(fraction | IMPLICIT)
    beyond = to_float(offset) * (to_float(significand) * (to_float(scale) * from_bits(p.ulp)))
    is_above = offset > ZERO
    away = where(is_above, beyond, -beyond)
    rest = word(where(is_above, word(ZERO - significand), significand) & p.short)
    gap = to_float(rest) + away
    margin = to_float(known) * from_bits(p.error_ulps)
    wide = margin + from_bits(p.slack)
    half = from_bits(p.half_ulp)
    certain = (gap < half - wide) | (away < 0.5 - margin)
    possible = (gap < half + wide) | (away < 0.5 + margin)
    nearest = word(code + up)
    in_use = (nearest >= p.first) & (nearest <= p.last)
    # Below a power of two units are smaller: the distance of one is either nothing or left open.
    certain = certain & ((fraction > ZERO) | (offset == ZERO))
    return in_use & certain, in_use & (possible != certain)


def round_end(code: Any, part: Any, minus: Any, random: Any, p: Any) -> Any:
    """The rounded magnitude code of a position; a part may be below zero or above one."""
    code = word(code + shr(part, p.places))
    part = where(code < ZERO, ZERO, below_one(part, p))
    code = maximum(code, ZERO)
    part = where(word(code | part) == ZERO, p.next_to_zero, part)  # a middle after code 0 stays a middle
    part = where(code >= p.last, ZERO, part)
    code = minimum(code, p.last)
    last = word(code & ONE)
    rounded = round_shift(word(shl(last, p.places) | part), p.places, where(minus, ONE, ZERO), random, p)
    return word(word(word(code - last) + rounded) | p.jam)


def round_both(
    magnitude: Any, minus: Any, code: Any, part: Any, known: Any, width: Any, scale: Any, random: Any, p: Any
) -> Any:
    """(code, is_open) of a source near the position code + part / 2**PLACES, off by less than ``width``
    units; ``known`` and ``scale`` as for value_near."""
    is_value, is_open = value_near(magnitude, code, part, known, scale, p)
    value = shl(shr(part, word(p.places - ONE)), p.places)
    low = round_end(code, where(is_value, value, word(part - width)), minus, random, p)
    high = round_end(code, where(is_value, value, word(part + width)), minus, random, p)
    return low, is_open | (low != high)


def is_number(source: Any) -> Any:
    """Whether magnitude bits are those of a number that is not zero."""
    return (source > ZERO) & (source < INFINITY)


# -- logarithmic numbers -----------------------------------------------------------------------


def position_log(magnitude: Any, p: Any) -> Any:
    """(code, part) of the position."""
    whole, part = scaled_log2(magnitude, p)
    return word(whole - p.least), part


def encode_enclosed_log(x: Any, random: Any, p: Any) -> Any:
    """(code, is_open): the raw code from the bits of a float64, and whether that is not certain."""
    source = word(x & MAGNITUDE)
    minus = word(x & word(p.absolute - ONE)) < ZERO
    magnitude = maximum(source, p.floor)
    code, part = position_log(magnitude, p)
    error = where(word(magnitude & FRACTION) == ZERO, ZERO, p.error)  # those of powers of two are exact
    code, is_open = round_both(magnitude, minus, code, part, error, error, ONE, random, p)
    result = code_log(code, where(minus, word(ZERO - ONE), ZERO), p)
    return settle(source, minus, code, result, p), is_open & is_number(source)


# -- logarithmic takums ------------------------------------------------------------------------


def signed_position(whole: Any, part: Any, sign: Any, p: Any) -> Any:
    """A position, or its opposite where ``sign`` is all ones and not zero."""
    part = word(word(part ^ sign) - sign)  # from -2**PLACES + 1 on
    whole = word(word(whole ^ sign) - sign)
    return word(whole + shr(part, p.places)), below_one(part, p)


def position_takum(magnitude: Any, p: Any) -> Any:
    """(code, part, scale) of the position, of which a unit is ``scale`` ones of the logarithm; 0 at 1.

    From the distance s - 1 of the logarithm c + m from zero follow the regime r, floor(log2(s)), and
    the bits behind it, s / 2**r - 1.
    """
    whole, part = scaled_log2(magnitude, p)
    sign = shr(whole, word(WORD_BITS - ONE))
    is_one = word(whole | part) == ZERO
    distance, part = signed_position(whole, part, sign, p)
    start = word(distance + ONE)
    regime = word(shr(to_bits(to_float(start)), MANTISSA) - shr(to_bits(1.0), MANTISSA))
    scale = shl(ONE, regime)
    within = word(shl(word(start - scale), word(p.places - regime)) | shr(part, regime))
    whole = word(shl(regime, p.behind) + shr(within, word(p.places - p.behind)))
    whole, part = signed_position(whole, below_one(shl(within, p.behind), p), sign, p)
    lost = word(whole & word(shl(ONE, p.cut) - ONE))
    part = word(shl(lost, word(p.places - p.cut)) | shr(part, p.cut))
    return word(shr(whole, p.cut) + p.one), part, where(is_one, ZERO, shl(scale, p.cut))


def encode_enclosed_takum(x: Any, random: Any, p: Any) -> Any:
    """(code, is_open): the raw code from the bits of a float64, and whether that is not certain."""
    source = word(x & MAGNITUDE)
    minus = x < ZERO
    magnitude = maximum(source, p.floor)
    code, part, scale = position_takum(magnitude, p)
    # The shift by the regime lost less than one unit of what is left, or ``scale`` of the logarithm.
    known = where(scale > ZERO, word(p.error + scale), ZERO)
    width = where(scale > ZERO, p.width, ZERO)
    code, is_open = round_both(magnitude, minus, code, part, known, width, scale, random, p)
    result = code_takum(code, where(minus, word(ZERO - ONE), ZERO), p)
    return settle(source, minus, code, result, p), is_open & is_number(source)
