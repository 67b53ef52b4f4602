"""Loops over blocks of adjoining float32 elements that share a scale.

``element`` is a short cut's kernel of (bits, random, q) for nearest_even, ``finish`` makes of its result what is
stored. Names that are not defined here are bound: see fmtemu.backends.numba.compile.
"""
# mypy: ignore-errors

from __future__ import annotations

#: Blocks whose scales are found before any element is rounded: the one is slow to come, and others go on meanwhile.
BLOCKS = 64


def make_blocks(identity):
    """The loop over blocks whose scales are powers of two."""

    def blocks(x, y, scales, values, size):
        """y = the values or codes of x, ``scales`` the biased exponents of its blocks' scales; returns
        whether x has an infinity or NaN, where both are of no use."""
        identity  # noqa: B018
        p = Scale(*to_fixed_tuple(values, scale_count))
        q = QuickFields(*to_fixed_tuple(values[scale_count:], quick_count))
        length = SIZE if SIZE else size
        wild = False
        inverses = empty(BLOCKS, real)
        for first in range(0, scales.size, BLOCKS):
            chunk = scales[first : first + BLOCKS]
            for block in range(chunk.size):
                source = x[(first + block) * length : (first + block + 1) * length]
                top = greatest(source)
                wild |= top >= INFINITY
                exponent = scale_exponent(top, p)
                chunk[block] = exponent
                inverses[block] = two_to(word(OPPOSITE - exponent))
            for block in range(chunk.size):
                source = x[(first + block) * length : (first + block + 1) * length]
                target = y[(first + block) * length : (first + block + 1) * length]
                # x / s is exact, but where it underflows, far below every element.
                inverse, scale = inverses[block], two_to(word(chunk[block]))
                for j in range(length):
                    target[j] = finish(element(to_bits(source[j] * inverse), ZERO, q), scale)
        return wild

    return blocks


def make_greatest(identity):
    """The loop that finds the greatest magnitude of every block."""

    def greatest_of_blocks(x, tops, size):
        """tops = the greatest magnitude bits of x's blocks; returns whether x has an infinity or NaN."""
        identity  # noqa: B018
        length = SIZE if SIZE else size
        wild = False
        for block in range(tops.size):
            top = greatest(x[block * length : (block + 1) * length])
            tops[block] = top
            wild |= top >= INFINITY
        return wild

    return greatest_of_blocks


def make_divided(identity):
    """The loop over blocks whose scales are known; quotients are float64."""

    def divided(x, y, factors, scales, outers, values, size):
        """y = the values or codes of x / factors, values times ``scales``, then times ``outers``."""
        identity  # noqa: B018
        q = QuickFields(*to_fixed_tuple(values, quick_count))
        length = SIZE if SIZE else size
        for block in range(factors.size):
            source = x[block * length : (block + 1) * length]
            target = y[block * length : (block + 1) * length]
            factor, scale, outer = factors[block], scales[block], outers[block]
            for j in range(length):
                target[j] = finish(element(to_bits(double(source[j]) / factor), ZERO, q), scale, outer)
        return False

    return divided


def greatest(x):
    """The greatest magnitude bits."""
    top = ZERO
    for i in range(x.size):
        top = maximum(top, word(to_bits(x[i]) & MAGNITUDE))
    return top


def to_value(bits, scale):
    """The scaled value of an element's bits."""
    return from_bits(bits) * scale


def to_twice_scaled(bits, scale, outer):
    """The value of an element's bits times two scales, each product rounded."""
    return real(from_bits(bits) * scale) * outer


def to_code(code, *_):
    """An element's code."""
    return code
