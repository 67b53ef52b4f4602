"""Stochastic roundings to few numbers in float32, zero among them: most sources, and which these are.

What fmtemu.kernels.table.choose_drawn gives, but where float32 does not tell on which side of its boundary a source is.
"""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.words import (
    INFINITY,
    MAGNITUDE,
    ONE,
    ZERO,
    from_bits,
    maximum,
    minimum,
    real,
    to_bits,
    to_float,
    where,
    word,
)

#: The most numbers.
MOST_NUMBERS = 16
#: As float bits: the numbers, with infinities after the last, and the last; units: 2**bits; goal: what a position in
#: such units and a random integer reach where the result is the number farther from zero; margin: how far off their
#: sum may be. bits: of a random integer.
DRAWN_FEW = (*(f"number{i}" for i in range(MOST_NUMBERS)), "last", "units", "goal", "margin", "bits")


def numbers_around(x: Any, p: Any) -> Any:
    """The last of the numbers that is not above a float between the first and the last, and the next."""
    below, above = from_bits(p.number0), from_bits(p.number15)
    # Written out, so that all of it stays in vector registers.
    below = where(x >= from_bits(p.number1), from_bits(p.number1), below)
    below = where(x >= from_bits(p.number2), from_bits(p.number2), below)
    below = where(x >= from_bits(p.number3), from_bits(p.number3), below)
    below = where(x >= from_bits(p.number4), from_bits(p.number4), below)
    below = where(x >= from_bits(p.number5), from_bits(p.number5), below)
    below = where(x >= from_bits(p.number6), from_bits(p.number6), below)
    below = where(x >= from_bits(p.number7), from_bits(p.number7), below)
    below = where(x >= from_bits(p.number8), from_bits(p.number8), below)
    below = where(x >= from_bits(p.number9), from_bits(p.number9), below)
    below = where(x >= from_bits(p.number10), from_bits(p.number10), below)
    below = where(x >= from_bits(p.number11), from_bits(p.number11), below)
    below = where(x >= from_bits(p.number12), from_bits(p.number12), below)
    below = where(x >= from_bits(p.number13), from_bits(p.number13), below)
    below = where(x >= from_bits(p.number14), from_bits(p.number14), below)
    above = where(x < from_bits(p.number14), from_bits(p.number14), above)
    above = where(x < from_bits(p.number13), from_bits(p.number13), above)
    above = where(x < from_bits(p.number12), from_bits(p.number12), above)
    above = where(x < from_bits(p.number11), from_bits(p.number11), above)
    above = where(x < from_bits(p.number10), from_bits(p.number10), above)
    above = where(x < from_bits(p.number9), from_bits(p.number9), above)
    above = where(x < from_bits(p.number8), from_bits(p.number8), above)
    above = where(x < from_bits(p.number7), from_bits(p.number7), above)
    above = where(x < from_bits(p.number6), from_bits(p.number6), above)
    above = where(x < from_bits(p.number5), from_bits(p.number5), above)
    above = where(x < from_bits(p.number4), from_bits(p.number4), above)
    above = where(x < from_bits(p.number3), from_bits(p.number3), above)
    above = where(x < from_bits(p.number2), from_bits(p.number2), above)
    above = where(x < from_bits(p.number1), from_bits(p.number1), above)
    return below, above


def draw_between(x: Any, random: Any, p: Any) -> Any:
    """(source, below, above, is_above, is_open): the source within the numbers' range, those around it, and whether
    the one above is the result.

    Differences, quotient and sum lose less than the margin together, 2**-21 of all units.
    """
    source = minimum(maximum(from_bits(x), from_bits(p.number0)), from_bits(p.last))
    below, above = numbers_around(source, p)
    is_negative = source < real(0.0)
    lower, upper = where(is_negative, above, below), where(is_negative, below, above)
    position = (source - lower) / (upper - lower) * from_bits(p.units)
    beyond = position + to_float(random) - from_bits(p.goal)
    is_doubtful = (beyond < from_bits(p.margin)) & (-beyond < from_bits(p.margin))
    is_above = (beyond >= real(0.0)) != is_negative
    return source, below, above, is_above, is_doubtful | (word(x & MAGNITUDE) >= INFINITY)


def cast_drawn_few(x: Any, random: Any, p: Any) -> Any:
    """(value, is_open): the bits of the rounded value from those of a float32, and whether that is not certain."""
    _, below, above, is_above, is_open = draw_between(x, random, p)
    return to_bits(where(is_above, above, below)), is_open


def encode_drawn_few(x: Any, random: Any, p: Any) -> Any:
    """(code, is_open): the code from the bits of a float32, and whether that is not certain."""
    source, _, _, is_above, is_open = draw_between(x, random, p)
    code = where(source >= from_bits(p.number1), ONE, ZERO)
    code = where(source >= from_bits(p.number2), word(2), code)
    code = where(source >= from_bits(p.number3), word(3), code)
    code = where(source >= from_bits(p.number4), word(4), code)
    code = where(source >= from_bits(p.number5), word(5), code)
    code = where(source >= from_bits(p.number6), word(6), code)
    code = where(source >= from_bits(p.number7), word(7), code)
    code = where(source >= from_bits(p.number8), word(8), code)
    code = where(source >= from_bits(p.number9), word(9), code)
    code = where(source >= from_bits(p.number10), word(10), code)
    code = where(source >= from_bits(p.number11), word(11), code)
    code = where(source >= from_bits(p.number12), word(12), code)
    code = where(source >= from_bits(p.number13), word(13), code)
    code = where(source >= from_bits(p.number14), word(14), code)
    return word(code + where(is_above, ONE, ZERO)), is_open
