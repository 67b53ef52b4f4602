"""Logarithms and powers of two, rounded down with certainty.

Decimal's ``ln`` and ``exp`` are correctly rounded, so that a few more digits than the result needs
enclose it; where the enclosure holds an integer, twice the digits are tried. That ends, because
what is computed here is irrational.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache

_DIGITS = 50


def is_power_of_two(x: Fraction) -> bool:
    """Whether a positive x is 2**e of some integer e: the only rationals with rational logarithms."""
    larger = max(x.numerator, x.denominator)
    return min(x.numerator, x.denominator) == 1 and larger & (larger - 1) == 0


@lru_cache(maxsize=1 << 14)
def floor_log2(x: Fraction, factor: Fraction) -> int:
    """floor(factor * log2(x)) of a positive x that is no power of two."""
    (above, up), (below, down) = _odd_part(x.numerator), _odd_part(x.denominator)

    def attempt(digits: int) -> tuple[Decimal, Decimal]:
        logarithms = Decimal(above).ln() / _ln2(digits), Decimal(below).ln() / _ln2(digits)
        rate = Decimal(factor.numerator) / Decimal(factor.denominator)
        size = sum(logarithms) + abs(up - down)
        return (logarithms[0] - logarithms[1] + (up - down)) * rate, size * rate

    return _certain_floor(attempt)


def floor_exp2(exponent: Fraction) -> int:
    """floor(2**exponent)."""
    if exponent.denominator == 1:
        return math.floor(Fraction(2) ** exponent.numerator)

    def attempt(digits: int) -> tuple[Decimal, Decimal]:
        power = Decimal(exponent.numerator) / Decimal(exponent.denominator) * _ln2(digits)
        result = power.exp()
        return result, result * (abs(power) + 1)

    return _certain_floor(attempt)


def _certain_floor(attempt: Callable[[int], tuple[Decimal, Decimal]]) -> int:
    """The floor of an irrational number: ``attempt`` gives it, in so many digits, and the size of
    what was rounded on the way."""
    digits = _DIGITS
    while True:
        with localcontext(Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN)):
            result, size = attempt(digits)
            error = size.scaleb(3 - digits)  # ten roundings to so many digits are far less
            low, high = math.floor(result - error), math.floor(result + error)
        if low == high:
            return low
        digits *= 2


def _odd_part(n: int) -> tuple[int, int]:
    """(odd, e) with n = odd * 2**e."""
    e = (n & -n).bit_length() - 1
    return n >> e, e


@lru_cache(maxsize=8)
def _ln2(digits: int) -> Decimal:
    return Context(prec=digits).ln(Decimal(2))
