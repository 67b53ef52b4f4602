"""Short cuts for floats with infinity-free sources: float arithmetic, or a constant shift, rounds.

They give what the kernels of fmtemu.kernels.minifloat give, for the quantizers and sources that
fmtemu.kernels.shortcut finds them exact for; all others go through those kernels.
"""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.words import (
    INFINITY,
    MAGNITUDE,
    MANTISSA,
    ONE,
    ZERO,
    from_bits,
    maximum,
    minimum,
    round_flat,
    round_units,
    round_value,
    shl,
    shr,
    to_bits,
    where,
    word,
)

#: first: the exponent, in place, of the format's first binade; cap: magnitude bits of the largest
#: value, or of the first beyond it where overflow does not saturate; lift: what makes an exponent
#: that of the pivot, fine_lift of a pivot 2**bits finer; drop: source mantissa bits below the
#: format's; bits: of a random integer; largest, beyond: greatest value or code, and what
#: overflow gives; zero: float bits of -0, or of +0 where there is no -0; floor: -1, or 0 there.
QUICK = (
    "first", "cap", "lift", "fine_lift", "drop", "bits", "largest", "beyond", "zero", "floor", "sign_mask", "mask",
)  # fmt: skip


# -- the pivot: |x| + 2**k - 2**k rounds at the last place of 2**k ----------------------------------


def nearest_units(magnitude: Any, exponent: Any, random: Any, p: Any) -> Any:
    """The magnitude in units of the pivot's last place, ties to even."""
    pivot = word(exponent + p.lift)
    return word(to_bits(from_bits(magnitude) + from_bits(pivot)) - pivot)


def nearest_value(magnitude: Any, exponent: Any, random: Any, p: Any) -> Any:
    """Bits of the magnitude rounded to such units."""
    pivot = from_bits(word(exponent + p.lift))
    return to_bits(from_bits(magnitude) + pivot - pivot)


def stochastic_units(magnitude: Any, exponent: Any, random: Any, p: Any) -> Any:
    """The magnitude in units of the pivot's last place, up where k + random >= 2**bits: a finer
    pivot gives units * 2**bits + k, ties to even, and the sum carries."""
    pivot = word(exponent + p.fine_lift)
    fine = word(to_bits(from_bits(magnitude) + from_bits(pivot)) - pivot)
    return shr(word(fine + random), p.bits)


def stochastic_value(magnitude: Any, exponent: Any, random: Any, p: Any) -> Any:
    """Bits of the magnitude rounded to such units."""
    pivot = word(exponent + p.fine_lift)
    moved = word(to_bits(from_bits(magnitude) + from_bits(pivot)) + random)
    return to_bits(from_bits(word(moved & shl(word(-ONE), p.bits))) - from_bits(pivot))


def pivot_value(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded magnitude, capped."""
    magnitude = minimum(word(x & MAGNITUDE), p.cap)
    return round_value(magnitude, maximum(word(magnitude & INFINITY), p.first), random, p)


def pivot_code(x: Any, random: Any, p: Any) -> Any:
    """The magnitude code, capped."""
    magnitude = minimum(word(x & MAGNITUDE), p.cap)
    exponent = maximum(word(magnitude & INFINITY), p.first)
    units = round_units(magnitude, exponent, random, p)
    return word(units + shr(word(exponent - p.first), p.drop))


def signed_value(x: Any, value: Any, p: Any) -> Any:
    """A magnitude with the sign of x; -0 becomes +0 where p.zero is +0."""
    signed = word(value | word(x & ~MAGNITUDE))
    return to_bits(from_bits(signed) + from_bits(p.zero))


def signed_code(x: Any, code: Any, p: Any) -> Any:
    """A magnitude code with the sign of x; -0 becomes +0 where p.floor is 0."""
    return word(code | where((x < ZERO) & (code > p.floor), p.sign_mask, ZERO))


def cast_saturating(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of a finite source; overflow gives the largest."""
    return signed_value(x, pivot_value(x, random, p), p)


def encode_saturating(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of a finite source; overflow gives the largest."""
    return signed_code(x, pivot_code(x, random, p), p)


def cast_pivot(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of a finite source."""
    value = pivot_value(x, random, p)
    return signed_value(x, where(value > p.largest, p.beyond, value), p)


def encode_pivot(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of a finite source."""
    code = pivot_code(x, random, p)
    return signed_code(x, where(code > p.largest, p.beyond, code), p)


def doubt_saturating(x: Any, p: Any) -> Any:
    """Not negative where a number within a relative 2**-23 of x may be rounded to another than x is.

    At a tie the rest is half a unit; a number is taken to be next to one within 2**-20 times its binade's first."""
    magnitude = minimum(word(x & MAGNITUDE), p.cap)
    exponent = maximum(word(magnitude & INFINITY), p.first)
    pivot = from_bits(word(exponent + p.lift))
    rounded = from_bits(magnitude) + pivot - pivot
    rest = word(to_bits(from_bits(magnitude) - rounded) & MAGNITUDE)
    half = shl(word(MANTISSA + ONE - p.drop), MANTISSA)  # below the exponent
    close = shl(ONE, word(MANTISSA - p.drop + word(5)))
    return word(rest - word(exponent - word(half + close)))


# -- the source's own exponent range: the same shift for all numbers --------------------------------


def nearest_flat(x: Any, random: Any, p: Any) -> Any:
    """What to add before the low bits are cut off: ties to even."""
    below_half = word(shl(ONE, word(p.drop - ONE)) - ONE)
    return word(below_half + word(shr(x, p.drop) & ONE))


def stochastic_flat(x: Any, random: Any, p: Any) -> Any:
    """What to add before the low bits are cut off: ``drop`` random bits, the first of those drawn."""
    return shr(random, word(p.bits - p.drop))


def cast_flat(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of a source at most the largest value."""
    return word(word(x + round_flat(x, random, p)) & p.mask)


def encode_flat(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of a source at most the largest value."""
    return word(shr(word(x + round_flat(x, random, p)), p.drop) & p.mask)
