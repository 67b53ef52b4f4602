"""The logarithm of a float64 in fixed point, with a proven bound of its error."""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.words import (
    FRACTION,
    IMPLICIT,
    MANTISSA,
    ONE,
    high_product,
    look_up,
    shl,
    shr,
    to_bits,
    to_float,
    word,
)

#: Mantissas fall into 2**CELL_BITS cells.
CELL_BITS = 8
#: How far log2_mantissa may be off, in its units: one is lost by the shift, 1/2 each by rounding the
#: table and the tail; the rest is below 1/8: the ninth power of z is below 2**-72, and float64
#: operations on a tail below 2**-17 lose less than 2**-67 together.
LOG2_ERROR = 3
#: Bits after the point of a scaled logarithm: a word has a sign and an even code besides.
PLACES = 61
#: places: PLACES; log2_e: log2(e) * 2**62; rate: what logarithms are multiplied by, times 2**shift,
#: with 1 <= shift <= PLACES; whole and part: where in the table the products of rate and exponents
#: begin, their floors and what is left in units of 2**-PLACES. It begins with the factors of the
#: cells and the logarithms of these, less than nothing, in units of 2**-63.
LOGARITHM = ("places", "log2_e", "rate", "shift", "whole", "part")


def log2_mantissa(fraction: Any, p: Any) -> Any:
    """log2(1 + fraction / 2**52), in units of 2**-63, off by less than LOG2_ERROR; of 0 it is 0.

    The cell's factor c, of ten bits, makes z = c * (1 + fraction) - 1 exact and |z| < 2**-8.
    log2(1 + z) = log2(e) * (z - z**2 / 2 + ...): the first term in integers, the tail in float64.
    """
    cell = shr(fraction, word(44))
    product = word(word(fraction | IMPLICIT) * look_up(p.table, cell))
    z = word(product - word(4611686018427387904))  # in units of 2**-62
    first = shr(high_product(shl(z, word(9)), p.log2_e), word(6))
    t = to_float(z) * 2.168404344971009e-19  # 2**-62
    series = t * (-1 / 2 + t * (1 / 3 + t * (-1 / 4 + t * (1 / 5 + t * (-1 / 6 + t * (1 / 7 - t * (1 / 8)))))))
    tail = series * t * 1.3306513097844323e19  # log2(e) * 2**63
    pivot = 6755399441055744.0  # 1.5 * 2**52, where float64 are integers
    tail = word(to_bits(tail + pivot) - to_bits(pivot))
    return word(word(first + tail) - look_up(p.table, word(cell + word(256))))


def below_one(part: Any, p: Any) -> Any:
    """The places of a sum of parts, without what it carries over."""
    return word(part & word(shl(ONE, p.places) - ONE))


def scaled_log2(magnitude: Any, p: Any) -> Any:
    """(whole, part): log2 of the float64 of these bits, times the rate, is whole + part / 2**PLACES."""
    logarithm = log2_mantissa(word(magnitude & FRACTION), p)
    exponent = shr(magnitude, MANTISSA)
    high, low = high_product(logarithm, p.rate), word(logarithm * p.rate)
    left = word(p.places + ONE - p.shift)  # bits of a part that are in the high word
    part = word(shr(low, word(p.shift + ONE + ONE)) & word(shl(ONE, left) - ONE))
    part = below_one(word(shl(high, left) | part), p)
    part = word(part + look_up(p.table, word(p.part + exponent)))
    whole = word(shr(high, word(p.shift - ONE)) + look_up(p.table, word(p.whole + exponent)))
    return word(whole + shr(part, p.places)), below_one(part, p)
