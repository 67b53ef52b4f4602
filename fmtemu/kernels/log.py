"""LNS whose values repeat from one power of two to the next: to values and to codes.

A source's exponent gives the power of two, and its mantissa is compared with exact thresholds: a
table by its leading bits leaves at most one of them to compare with. Nothing takes a logarithm.
"""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.edges import EDGE, settle
from fmtemu.kernels.rounding import MODE
from fmtemu.kernels.words import FRACTION, MAGNITUDE, MANTISSA, ONE, ZERO, look_up, maximum, shr, where, word

#: rate: values per power of two; origin: the magnitude code of 1, less rate times its exponent field;
#: floor: least magnitude bits; first: magnitude codes below it are always left upward; least: the
#: exponent of magnitude code 0; flip: -1 where codes count exponents downward, else 0; shift: from
#: a mantissa to its cell; inside: the bits of its place there; upper, value: where in the table the
#: mantissas begin from which on the rounding goes up, and the mantissas of the values.
LOG = (
    "rate", "origin", "floor", "first", "least", "flip", "mask", "shift", "inside", "upper", "value",
    *MODE, *EDGE, "table",
)  # fmt: skip


def thresholds_passed(fraction: Any, p: Any) -> Any:
    """How many thresholds are not above a mantissa. The word of its cell has the number before the
    cell, and in the low bits what makes the place of the cell's own threshold carry."""
    cell = look_up(p.table, shr(fraction, p.shift))
    return shr(word(cell + word(fraction & p.inside)), p.shift)


def log_code(magnitude: Any, minus: Any, p: Any) -> Any:
    """(code, value): the rounded magnitude code, and the bits of its value."""
    fraction = word(magnitude & FRACTION)
    passed = thresholds_passed(fraction, p)
    lower = word(word(word(shr(magnitude, MANTISSA) * p.rate) + p.origin) + passed)
    beyond = where(fraction >= look_up(p.table, word(p.upper + passed)), ONE, ZERO)
    beyond = where(lower < p.first, ONE, beyond)
    bit = word(word(lower & p.parity) ^ word(where(minus, ONE, ZERO) & p.sign) ^ p.constant)
    step = word(word(beyond & bit) | word(word(lower & p.jam) ^ p.jam))
    mantissa = look_up(p.table, word(word(p.value + passed) + step))
    return word(lower + step), word(word(magnitude - fraction) + mantissa)


def cast_log(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of the source."""
    source = word(x & MAGNITUDE)
    minus = word(x & word(p.absolute - ONE)) < ZERO
    code, value = log_code(maximum(source, p.floor), minus, p)
    return settle(source, minus, code, word(value | where(minus, p.sign_mask, ZERO)), p)


def encode_log(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of the source."""
    source = word(x & MAGNITUDE)
    minus = word(x & word(p.absolute - ONE)) < ZERO
    code, _ = log_code(maximum(source, p.floor), minus, p)
    exponent = word(code + p.least)
    field = word(word(word(exponent ^ p.flip) - p.flip) & p.mask)
    return settle(source, minus, code, word(field | where(minus, p.sign_mask, ZERO)), p)
