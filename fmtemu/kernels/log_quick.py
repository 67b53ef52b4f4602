"""Short cuts for LNS where overflow saturates and signs do not matter to the rounding.

They give what fmtemu.kernels.log gives. A source is bounded first, so that its result is the value of
the last threshold it passes; of up to eight values per power of two all thresholds are tried.
"""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.log import thresholds_passed
from fmtemu.kernels.words import (
    FRACTION,
    MAGNITUDE,
    MANTISSA,
    ONE,
    ZERO,
    look_up,
    maximum,
    minimum,
    shl,
    shr,
    where,
    word,
)

#: lowest: least word of a source, 0 for unsigned formats; floor and cap: least and largest
#: magnitude bits; rounds: magnitude bits below which zero is the result; sign: the sign bit of words,
#: or 0; zero: that of zeros; rate, origin, flip, mask as in fmtemu.kernels.log.
_BOUNDS = (
    "lowest", "floor", "cap", "rounds", "sign", "zero",
    "rate", "origin", "flip", "mask", "sign_mask", "zero_pos", "zero_neg",
)  # fmt: skip
#: As in fmtemu.kernels.log.
LOG_CELLS = ("shift", "inside", "value", *_BOUNDS, "table")
#: The table has two words for each cell: the place in it from which on the next value is the result and, shifted,
#: what that one is more; and the first one. Values are mantissas, or how many thresholds are passed.
LOG_PAIRS = ("shift", "inside", *_BOUNDS, "table")
#: The thresholds, as mantissas, and the mantissas of the values that begin there.
FEW = 8
LOG_FEW = (*(f"from_{j}" for j in range(FEW)), *(f"value_{j}" for j in range(FEW)), *_BOUNDS)

#: Kernels in two parts: what finds a pair of words, and what goes on from these.
FINDERS = {"log_pairs": ("pair_of", "{}_log_pair")}


def bounded(x: Any, p: Any) -> Any:
    """(source, magnitude): the magnitude bits of a source, and these within the format's range."""
    source = word(maximum(x, p.lowest) & MAGNITUDE)
    return source, minimum(maximum(source, p.floor), p.cap)


def bounded_value(x: Any, source: Any, magnitude: Any, mantissa: Any, p: Any) -> Any:
    """Bits of the value of that mantissa in the magnitude's binade."""
    value = word(word(word(magnitude & ~FRACTION) + mantissa) | word(x & p.sign))
    return where(source < p.rounds, word(x & p.zero), value)


def bounded_code(x: Any, source: Any, magnitude: Any, passed: Any, p: Any) -> Any:
    """The code of the value so many after the first in the magnitude's binade."""
    exponent = word(word(word(shr(magnitude, MANTISSA) * p.rate) + p.origin) + passed)
    field = word(word(word(exponent ^ p.flip) - p.flip) & p.mask)
    minus = word(x & p.sign) < ZERO
    code = word(field | where(minus, p.sign_mask, ZERO))
    return where(source < p.rounds, where(minus, p.zero_neg, p.zero_pos), code)


def cast_log_cells(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of a finite source."""
    source, magnitude = bounded(x, p)
    passed = thresholds_passed(word(magnitude & FRACTION), p)
    return bounded_value(x, source, magnitude, look_up(p.table, word(p.value + passed)), p)


def encode_log_cells(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of a finite source."""
    source, magnitude = bounded(x, p)
    return bounded_code(x, source, magnitude, thresholds_passed(word(magnitude & FRACTION), p), p)


def pair_of(x: Any, p: Any) -> Any:
    """The number of the pair of words of a finite source's cell."""
    _, magnitude = bounded(x, p)
    return shr(word(magnitude & FRACTION), p.shift)


def value_in_cell(magnitude: Any, step: Any, first: Any, p: Any) -> Any:
    """The first value of a cell, or that after its step."""
    is_passed = word(magnitude & p.inside) >= word(step & p.inside)
    return word(first + where(is_passed, shr(step, p.shift), ZERO))


def cast_log_pair(x: Any, step: Any, first: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of a finite source and the words of its cell."""
    source, magnitude = bounded(x, p)
    return bounded_value(x, source, magnitude, value_in_cell(magnitude, step, first, p), p)


def encode_log_pair(x: Any, step: Any, first: Any, p: Any) -> Any:
    """The raw code from the bits of a finite source and the words of its cell."""
    source, magnitude = bounded(x, p)
    return bounded_code(x, source, magnitude, value_in_cell(magnitude, step, first, p), p)


def cast_log_pairs(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of a finite source."""
    at = shl(pair_of(x, p), ONE)
    return cast_log_pair(x, look_up(p.table, at), look_up(p.table, word(at + ONE)), p)


def encode_log_pairs(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of a finite source."""
    at = shl(pair_of(x, p), ONE)
    return encode_log_pair(x, look_up(p.table, at), look_up(p.table, word(at + ONE)), p)


def cast_log_few(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of a finite source."""
    source, magnitude = bounded(x, p)
    fraction = word(magnitude & FRACTION)
    mantissa = where(fraction >= p.from_0, p.value_0, ZERO)
    mantissa = where(fraction >= p.from_1, p.value_1, mantissa)
    mantissa = where(fraction >= p.from_2, p.value_2, mantissa)
    mantissa = where(fraction >= p.from_3, p.value_3, mantissa)
    mantissa = where(fraction >= p.from_4, p.value_4, mantissa)
    mantissa = where(fraction >= p.from_5, p.value_5, mantissa)
    mantissa = where(fraction >= p.from_6, p.value_6, mantissa)
    mantissa = where(fraction >= p.from_7, p.value_7, mantissa)
    return bounded_value(x, source, magnitude, mantissa, p)


def encode_log_few(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of a finite source."""
    source, magnitude = bounded(x, p)
    fraction = word(magnitude & FRACTION)
    passed = where(fraction >= p.from_0, ONE, ZERO)
    passed = word(passed + where(fraction >= p.from_1, ONE, ZERO))
    passed = word(passed + where(fraction >= p.from_2, ONE, ZERO))
    passed = word(passed + where(fraction >= p.from_3, ONE, ZERO))
    passed = word(passed + where(fraction >= p.from_4, ONE, ZERO))
    passed = word(passed + where(fraction >= p.from_5, ONE, ZERO))
    passed = word(passed + where(fraction >= p.from_6, ONE, ZERO))
    passed = word(passed + where(fraction >= p.from_7, ONE, ZERO))
    return bounded_code(x, source, magnitude, passed, p)
