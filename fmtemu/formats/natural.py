"""Natural logarithms and exponentials with certain bounds; the decimal module rounds both correctly."""

from __future__ import annotations

from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from functools import lru_cache

from fmtemu.formats.base import floor_log2

#: A significand and the exponent of its last bit: n * 2**e.
Scaled = tuple[int, int]


@lru_cache(maxsize=1 << 14)
def ln_bounds(x: Fraction, digits: int) -> tuple[Fraction, Fraction]:
    """Two numbers, near each other by about ``digits`` decimal digits, with ln x between them."""
    scale = floor_log2(x)
    significand = x / Fraction(2) ** scale
    middle = _ln(significand, digits) + scale * _ln_2(digits)
    # Each logarithm is below 1 and off by 10**(1 - digits) at most, its argument's rounding included.
    error = Fraction(abs(scale) + 1, 10 ** (digits - 1))
    return middle - error, middle + error


@lru_cache(maxsize=1 << 14)
def exp_floor(x: Fraction, precision: int) -> Scaled:
    """The greatest number of ``precision`` significant bits that is not above e**x, for |x| < 1000."""
    if x == 0:
        return 1 << (precision - 1), 1 - precision
    bits = precision + 32
    while (found := _cut(*_exp(x, bits), precision, 2)) is None:  # ends, as e**x is irrational
        bits *= 2
    return found


def _exp(x: Fraction, bits: int) -> Scaled:
    """e**x to ``bits`` bits, off by at most two units of the last."""
    numerator, denominator = _in_decimal(Context.exp, x, bits * 3 // 10 + 10).as_integer_ratio()
    shift = bits + denominator.bit_length() - numerator.bit_length()
    value = (numerator << max(shift, 0)) // (denominator << max(-shift, 0))
    return value, -shift


def _cut(value: int, exponent: int, precision: int, error: int) -> Scaled | None:
    """The first bits of a number known up to ``error``; None where the error leaves them open."""
    dropped = value.bit_length() - precision
    low, high = (end >> dropped for end in (value - error, value + error))
    return (low, dropped + exponent) if low == high else None


def _ln(x: Fraction, digits: int) -> Fraction:
    return Fraction(_in_decimal(Context.ln, x, digits))


@lru_cache(maxsize=64)
def _ln_2(digits: int) -> Fraction:
    return _ln(Fraction(2), digits)


def _in_decimal(function: Callable[[Context, Decimal], Decimal], x: Fraction, digits: int) -> Decimal:
    """The function of x, both to so many significant digits."""
    context = _context(digits)
    return function(context, context.divide(Decimal(x.numerator), Decimal(x.denominator)))


@lru_cache(maxsize=64)
def _context(digits: int) -> Context:
    return Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN)
