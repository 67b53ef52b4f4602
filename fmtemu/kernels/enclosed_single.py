"""Logarithmic formats in float32: codes of most float32 sources, and which these are.

As fmtemu.kernels.enclosed_quick, in words of 32 bits, for formats whose codes leave a position enough of them.
"""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.enclosed_quick import code_log, code_takum
from fmtemu.kernels.rounding import MODE
from fmtemu.kernels.words import (
    MAGNITUDE,
    MANTISSA,
    ONE,
    WORD_BITS,
    addend,
    from_bits,
    real,
    shl,
    shr,
    to_bits,
    word,
)

#: lowest, highest: magnitude bits of the sources that are not left open at once; source_mask: what of a source is
#: compared with these: all of it where there are no negative values; octave: units of a position between powers of two.
_SINGLE = (
    "root", "factor", "deep", "start", "reach", "lower", "lift", "half_k", "lowest", "highest", "source_mask", "mask",
    *MODE,
)  # fmt: skip
SINGLE_LOG = (*_SINGLE, "octave", "least", "flip", "sign_mask")
SINGLE_TAKUM = _SINGLE
#: The fields of every kernel here.
SINGLES = {"single_log": SINGLE_LOG, "single_takum": SINGLE_TAKUM}


def single_log2(magnitude: Any, p: Any) -> Any:
    """(exponent, log2(m)) of a normal float32 of these bits, 2**exponent * m with m between sqrt(1/2) and sqrt(2).

    log2(m) is off by less than 1.6 * 2**-24, as for every m was seen; the series is that of float_log2.
    """
    exponent = shr(word(magnitude - p.root), MANTISSA)
    m = from_bits(word(magnitude - shl(exponent, MANTISSA)))
    s = (m - real(1.0)) / (m + real(1.0))
    t = s * s
    series = t * (real(1 / 3) + t * (real(1 / 5) + t * (real(1 / 7) + t * real(1 / 9))))
    return exponent, real(2.8853900817779268) * (s + s * series)  # 2 / ln(2)


def code_between(x: Any, position: Any, random: Any, p: Any) -> Any:
    """(code, is_open): the rounded magnitude code, as fmtemu.kernels.enclosed_quick.between_codes."""
    moved = word(position + addend(position, word(shr(x, word(WORD_BITS - ONE)) & ONE), random, p))
    is_doubtful = word(word(moved + p.reach) & word(shl(ONE, p.deep) - ONE)) <= word(p.reach + p.reach)
    source = word(x & p.source_mask)
    return word(shr(moved, p.deep) | p.jam), is_doubtful | (source < p.lowest) | (source > p.highest)


def quick_single_log(x: Any, random: Any, p: Any) -> Any:
    """(code, is_open): the raw code from the bits of a float32, and whether that is not certain."""
    exponent, log2 = single_log2(word(x & MAGNITUDE), p)
    pivot = real(12582912.0)  # 1.5 * 2**23, where float32 are integers
    part = word(to_bits(log2 * from_bits(p.factor) + pivot) - to_bits(pivot))
    position = word(word(word(exponent * p.octave) + part) + p.start)
    code, is_open = code_between(x, position, random, p)
    return code_log(code, shr(x, word(WORD_BITS - ONE)), p), is_open


def quick_single_takum(x: Any, random: Any, p: Any) -> Any:
    """(code, is_open): the raw code from the bits of a float32, and whether that is not certain.

    As quick_enclosed_takum: of 1 + |c + m|, exponent and mantissa are the regime and what is behind it.
    """
    exponent, log2 = single_log2(word(x & MAGNITUDE), p)
    pivot = real(12582912.0)
    integer = from_bits(word(to_bits(pivot) + exponent)) - pivot
    bits = to_bits((integer + log2) * from_bits(p.factor))
    sign = shr(bits, word(WORD_BITS - ONE))
    distance = word(to_bits(from_bits(word(bits & MAGNITUDE)) + real(1.0)) - to_bits(real(1.0)))
    position = word(p.start + word(word(distance ^ sign) - sign))
    code, is_open = code_between(x, position, random, p)
    return code_takum(code, shr(x, word(WORD_BITS - ONE)), p), is_open
