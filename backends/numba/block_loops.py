"""Loops over blocks of adjoining elements that share a scale.

``element`` is a short cut's kernel of (bits, random, q) for nearest_even, ``finish`` makes of its result what is
stored. Names that are not defined here are bound: see fmtemu.backends.numba.compile. Elements are read by ``get``
and stored by ``put``, which tell the compiler that both are apart.
"""
# mypy: ignore-errors

from __future__ import annotations

#: Blocks whose scales are found before any element is rounded: those come many at a time, and out of the cache.
BLOCKS = 64


def make_blocks(identity):
    """The loop over blocks whose scales are powers of two."""

    def blocks(x, y, exponents, values, size):
        """y = the values or codes of x, ``exponents`` those of its blocks' scales, biased; returns
        whether x has an infinity or NaN, where both are of no use."""
        identity  # noqa: B018
        p = Scale(*to_fixed_tuple(values, scale_count))
        q = QuickFields(*to_fixed_tuple(values[scale_count:], quick_count))
        length = SIZE if SIZE else size
        highest = ZERO
        tops, scales, inverses = empty(BLOCKS, word), empty(BLOCKS, real), empty(BLOCKS, real)
        for first in range(0, exponents.size, BLOCKS):
            count = min(BLOCKS, exponents.size - first)
            for i in range(count):
                put_kept(tops, i, greatest(x[(first + i) * length : (first + i + 1) * length]))
            for i in range(count):
                top = get_kept(tops, i)
                highest = maximum(highest, top)
                exponent = scale_exponent(top, p)
                put(exponents, first + i, exponent)
                put(scales, i, two_to(exponent))
                put(inverses, i, two_to(word(OPPOSITE - exponent)))
            for i in range(count):
                # x / s is exact, but where it underflows, far below every element.
                inverse, scale, at = inverses[i], scales[i], (first + i) * length
                for j in range(at, at + length):
                    put(y, j, finish(element(to_bits(get(x, j) * inverse), ZERO, q), scale, ONE_REAL))
        return highest >= INFINITY

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


def make_powers(identity):
    """The loop from the greatest magnitudes of blocks to their scales, powers of two."""

    def powers(tops, scales, inverses, values):
        """scales = the powers of two for blocks with these greatest magnitude bits, inverses = 1 / scales."""
        identity  # noqa: B018
        p = Scale(*to_fixed_tuple(values, scale_count))
        for block in range(tops.size):
            exponent = scale_exponent(tops[block], p)
            scales[block] = two_to(exponent)
            inverses[block] = two_to(word(OPPOSITE - exponent))
        return False

    return powers


def make_bounded(identity):
    """The loop that ends the finding of other scales."""

    def bounded(scales, outers, inverses, lowest, highest):
        """scales = scales between lowest and highest, inverses = 1 / (scales * outers)."""
        identity  # noqa: B018
        for block in range(scales.size):
            scale = minimum(maximum(scales[block], lowest), highest)
            scales[block] = scale
            inverses[block] = double(1) / (double(scale) * double(outers[block]))
        return False

    return bounded


def make_quotients(identity):
    """The loop of quotients by scales."""

    def quotients(x, y, inverses, size):
        """y = x times the inverse of its block's scale, rounded to odd."""
        identity  # noqa: B018
        for block in range(inverses.size):
            inverse, first = inverses[block], block * size
            for j in range(size):
                put(y, first + j, from_bits(quotient(get(x, first + j), inverse)))
        return False

    return quotients


def make_products(identity):
    """The loop of products with scales."""

    def products(x, y, scales, outers, size):
        """y = x times its block's scale, times its outer scale, each product rounded."""
        identity  # noqa: B018
        for block in range(scales.size):
            scale, outer, first = scales[block], outers[block], block * size
            for j in range(size):
                put(y, first + j, real(get(x, first + j) * scale) * outer)
        return False

    return products


def make_decoded(identity):
    """The loop from codes to values."""

    def decoded(codes, y, table, scales, outers, size):
        """y = table[codes] times the block's scale, times its outer scale, each product rounded."""
        identity  # noqa: B018
        for block in range(scales.size):
            scale, outer, first = scales[block], outers[block], block * size
            for j in range(size):
                put(y, first + j, real(table[get(codes, first + j)] * scale) * outer)
        return False

    return decoded


def make_divided(identity):
    """The loop over blocks whose scales are known."""

    def divided(x, y, inverses, scales, outers, unsure, values, size):
        """y = the codes of x times its block's inverse, or their values times ``scales``, then times ``outers``;
        ``unsure`` tells the blocks in which float32 quotients are too near to a boundary to be on its right side."""
        identity  # noqa: B018
        q = QuickFields(*to_fixed_tuple(values, quick_count))
        length = SIZE if SIZE else size
        for block in range(inverses.size):
            inverse, scale, outer, first = inverses[block], scales[block], outers[block], block * length
            doubts = word(-ONE)
            for j in range(first, first + length):
                bits = to_bits(get(x, j) * inverse)
                put(y, j, finish(element(bits, ZERO, q), scale, outer))
                doubts = maximum(doubts, doubt(bits, q))
            unsure[block] = doubts >= ZERO
        return False

    return divided


def greatest(x):
    """The greatest magnitude bits."""
    top = ZERO
    for i in range(x.size):
        top = maximum(top, word(to_bits(x[i]) & MAGNITUDE))
    return top


def quotient(x, inverse):
    """The bits of x / f as a float32 rounded to odd, where ``inverse`` is 1 / f in float64.

    The product is within 1.5 units of float64's last place of x / f. Rounded to a multiple of 8 units it is a boundary
    of up to 49 bits where x / f is, and otherwise lies on the same side of all those that differ from x / f by a
    relative 2**-49 or more. From there on rounding to odd keeps it on its side of boundaries of 23 bits. What
    underflows becomes the smallest float32.
    """
    bits = wide_bits(double(x) * inverse) + UNITS_4
    near = real(wide_value((bits | ((bits & BELOW_ODD) + BELOW_ODD)) & ~BELOW))
    return word(to_bits(near) | where((near == ZERO_REAL) & (x != ZERO_REAL), ONE, ZERO))


def to_value(bits, scale, outer):
    """The value of an element's bits times two scales, each product rounded."""
    return real(from_bits(bits) * scale) * outer


def to_code(code, *_):
    """An element's code."""
    return code
