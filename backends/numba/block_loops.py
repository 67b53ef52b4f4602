"""Loops over blocks that share a scale, along the last axis, in one pass over float32.

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


def greatest(x):
    """The greatest magnitude bits."""
    top = ZERO
    for i in range(x.size):
        top = maximum(top, word(to_bits(x[i]) & MAGNITUDE))
    return top


def to_value(bits, scale):
    """The scaled value of an element's bits."""
    return from_bits(bits) * scale


def to_code(code, scale):
    """An element's code."""
    return code
