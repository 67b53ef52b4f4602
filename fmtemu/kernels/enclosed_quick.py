"""Logarithmic formats in float64: most sources, and which these are.

What fmtemu.kernels.enclosed gives, with wider bounds and nothing that keeps a compiler from using vectors.
Left open are besides sources that are not between two values. What counts as a value needs no attention of its own:
where that is not the rounded code anyway, a boundary is as near as the value is.
"""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.words import (
    MAGNITUDE,
    MANTISSA,
    ONE,
    WORD_BITS,
    ZERO,
    addend,
    from_bits,
    shl,
    shr,
    to_bits,
    word,
)

#: As float bits: root: sqrt(1/2); factor: what log2 is multiplied by. deep: bits after a position's
#: point; start: the position, in their units, of 1; reach: how far positions may be off, or away from the code
#: whose value they count as, in these units; most: the greatest magnitude code that values of
#: either sign have; unsigned: 1 where none is negative; lower, lift: right and left shifts that make random
#: integers parts of a step; half_k: half a unit of k, where it is rounded.
QUICK_ENCLOSED = ("root", "factor", "deep", "start", "reach", "most", "unsigned", "lower", "lift", "half_k")


def float_log2(magnitude: Any, p: Any) -> Any:
    """log2 of the float64 of these bits, off by less than 2**-45 + |log2| * 2**-51.

    Of 2**e * m with m between sqrt(1/2) and sqrt(2), by log2(m) = 2 / ln(2) * (s + s**3 / 3 + ...),
    s = (m - 1) / (m + 1), whose terms from s**17 on are below 2**-46 together.
    """
    exponent = shr(word(magnitude - p.root), MANTISSA)
    m = from_bits(word(magnitude - shl(exponent, MANTISSA)))
    s = (m - 1.0) / (m + 1.0)
    t = s * s
    series = t * (1 / 3 + t * (1 / 5 + t * (1 / 7 + t * (1 / 9 + t * (1 / 11 + t * (1 / 13 + t * (1 / 15)))))))
    pivot = 6755399441055744.0  # 1.5 * 2**52, where float64 are integers
    integer = from_bits(word(to_bits(pivot) + exponent)) - pivot
    return integer + 2.8853900817779268 * (s + s * series)  # 2 / ln(2)


def deterministic_addend(position: Any, negative: Any, random: Any, p: Any) -> Any:
    """What makes a position that is on no boundary carry where it is to go up; see fmtemu.kernels.rounding."""
    below = word(shl(ONE, p.deep) - ONE)
    bit = word(word(shr(position, p.deep) & p.parity) ^ word(negative & p.sign) ^ p.constant)
    return word(word(shr(below, ONE) & p.half) + word(below & word(bit * p.step)))


def stochastic_addend(position: Any, negative: Any, random: Any, p: Any) -> Any:
    """The same for a random integer: its own part of a step, and what rounds k, less than one unit off."""
    kept = shr(random, p.lower)
    return word(word(shl(kept, p.lift) + p.half_k) - word(kept & p.equal))


def nearest_addend(position: Any, negative: Any, random: Any, p: Any) -> Any:
    """The same to the nearest, on whatever side of ties."""
    return shl(ONE, word(p.deep - ONE))


def between_codes(x: Any, position: Any, random: Any, p: Any) -> Any:
    """(code, is_open): the rounded magnitude code, where both ends of what the position may be agree."""
    one, negative = shl(ONE, p.deep), word(shr(x, word(WORD_BITS - ONE)) & ONE)
    below = word(one - ONE)
    moved = word(position + addend(position, negative, random, p))
    code = word(shr(moved, p.deep) | p.jam)
    is_doubtful = word(word(moved + p.reach) & below) <= word(p.reach + p.reach)
    is_outside = (position < one) | (code > p.most) | (word(negative & p.unsigned) > ZERO)
    return code, is_doubtful | is_outside


def quick_enclosed_log(x: Any, random: Any, p: Any) -> Any:
    """(code, is_open): the raw code from the bits of a float64, and whether that is not certain."""
    pivot = 6755399441055744.0
    scaled = float_log2(word(x & MAGNITUDE), p) * from_bits(p.factor)
    position = word(word(to_bits(scaled + pivot) - to_bits(pivot)) + p.start)
    code, is_open = between_codes(x, position, random, p)
    return code_log(code, shr(x, word(WORD_BITS - ONE)), p), is_open


def code_log(code: Any, sign: Any, p: Any) -> Any:
    """The raw code of a magnitude code of an LNS; ``sign`` is all ones or zero."""
    exponent = word(code + p.least)
    return word(word(word(word(exponent ^ p.flip) - p.flip) & p.mask) | word(sign & p.sign_mask))


def quick_enclosed_takum(x: Any, random: Any, p: Any) -> Any:
    """(code, is_open): the raw code from the bits of a float64, and whether that is not certain.

    Of 1 + |c + m|, a float64, exponent and mantissa are the regime and what is behind it.
    """
    logarithm = float_log2(word(x & MAGNITUDE), p) * from_bits(p.factor)
    bits = to_bits(logarithm)
    sign = shr(bits, word(WORD_BITS - ONE))
    distance = word(to_bits(from_bits(word(bits & MAGNITUDE)) + 1.0) - to_bits(1.0))
    position = word(p.start + word(word(distance ^ sign) - sign))
    code, is_open = between_codes(x, position, random, p)
    return code_takum(code, shr(x, word(WORD_BITS - ONE)), p), is_open


def code_takum(code: Any, sign: Any, p: Any) -> Any:
    """The raw code of a magnitude code of a takum; ``sign`` is all ones or zero."""
    return word(word(word(code ^ sign) - sign) & p.mask)
