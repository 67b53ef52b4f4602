"""Loops over flat arrays; Numba compiles each once for every kernel, with the names it needs bound in.

``kernel`` and ``quick`` are functions of (bits, random, p); ``full_fields`` and ``quick_fields`` make
their p of ``values``, where the greatest magnitude bits that ``quick`` takes stand at ``tame``; a
chunk with others is done again. ``identity``, a closure's cell, tells Numba's disk cache the kernel and
the version of its source. Loops go by chunks and by slices, whose indices the compiler knows to be
positive.
"""
# mypy: ignore-errors

from __future__ import annotations

#: Elements of a chunk: they stay in the first-level cache.
CHUNK = 2048
#: Elements whose words are looked up together.
GROUP = 128
#: Elements of a chunk where random numbers are drawn: few enough that the next is fetched meanwhile.
DRAWN = 256
#: Bytes that a fetch brings to the cache.
LINE = 64


def plain_fields(values):
    """The ``count`` words from ``first`` on by name."""
    return Fields(*to_fixed_tuple(values[first:], count))


def table_fields(values):
    """The same, and last the address of the table, whose place stands at ``table``."""
    return Fields(*to_fixed_tuple(values[first:], count), values[values[table] :].ctypes.data)


def widened(x):
    """The bits of a float32 as those of the float64 of its value."""
    return wide_bits(float64(x))


def narrowed(bits):
    """The float32 with the value of the bits of a float64."""
    return float32(wide_value(bits))


def make_each(identity):
    """The loop of the deterministic roundings."""

    def each(x, y, values):
        """y = kernel(x); returns whether x has a NaN. x and y are different arrays."""
        identity  # noqa: B018
        p, q = full_fields(values), quick_fields(values)
        top_tame = values[tame]
        has_nan = False
        for start in range(0, x.size, CHUNK):
            source = x[start : start + CHUNK]
            target = y[start : start + CHUNK]
            top = ZERO
            for i in range(source.size):
                bits = to_bits(get(source, i))
                top = maximum(top, word(bits & MAGNITUDE))
                put(target, i, store(quick(bits, ZERO, q)))
            if top > top_tame:
                for i in range(source.size):
                    put(target, i, store(kernel(to_bits(get(source, i)), ZERO, p)))
            has_nan |= top > INFINITY
        return has_nan

    return each


def make_each_found(identity):
    """The same where ``quick`` is in two parts: ``find``, which gives the place of a pair of words, and ``finish``,
    which goes on from these. Between both they are looked up, one at a time: in one loop, or by a compiler that made
    vectors of it, all would go through the vector unit's narrow door."""

    def each_found(x, y, values):
        """y = kernel(x); returns whether x has a NaN. x and y are different arrays."""
        identity  # noqa: B018
        p, q = full_fields(values), quick_fields(values)
        top_tame = values[tame]
        places, found = empty(GROUP, word), empty(GROUP, int64)
        words = found.view(word)
        has_nan = False
        for start in range(0, x.size, CHUNK):
            source = x[start : start + CHUNK]
            target = y[start : start + CHUNK]
            top = ZERO
            for first in range(0, source.size, GROUP):
                part = source[first : first + GROUP]
                results = target[first : first + GROUP]
                for i in range(part.size):
                    bits = to_bits(get(part, i))
                    top = maximum(top, word(bits & MAGNITUDE))
                    put_kept(places, i, find(bits, q))
                for i in range(part.size):
                    found[i] = look_up_pair(q.table, places[i])
                for i in range(part.size):
                    pair = get_kept(words, 2 * i), get_kept(words, 2 * i + 1)
                    put(results, i, store(finish(to_bits(get(part, i)), *pair, q)))
            if top > top_tame:
                for i in range(source.size):
                    put(target, i, store(kernel(to_bits(get(source, i)), ZERO, p)))
            has_nan |= top > INFINITY
        return has_nan

    return each_found


def make_each_pair(identity):
    """The loop of the deterministic roundings to codes of four bits, two to a byte."""

    def each_pair(x, y, values):
        """y = the codes of x, of an even size, the first of two in the low half of a byte; returns
        whether x has a NaN."""
        identity  # noqa: B018
        p, q = full_fields(values), quick_fields(values)
        top_tame = values[tame]
        pairs = empty(CHUNK // 2, uint16)
        codes = pairs.view(uint8)
        has_nan = False
        for start in range(0, x.size, CHUNK):
            source = x[start : start + CHUNK]
            target = y[start // 2 : start // 2 + CHUNK // 2]
            top = ZERO
            for i in range(source.size):
                bits = to_bits(source[i])
                top = maximum(top, word(bits & MAGNITUDE))
                codes[i] = store(quick(bits, ZERO, q))
            if top > top_tame:
                for i in range(source.size):
                    codes[i] = store(kernel(to_bits(source[i]), ZERO, p))
            has_nan |= top > INFINITY
            for i in range(target.size):
                target[i] = uint8(pairs[i] | (pairs[i] >> 4))
        return has_nan

    return each_pair


def make_each_random(identity):
    """The loop of the stochastic roundings."""

    def each_random(x, y, values, key0, key1, offset):
        """y = kernel(x, R), element i taking the random bits of element offset + i; returns
        whether x has a NaN. x and y are different arrays."""
        identity  # noqa: B018
        p, q = full_fields(values), quick_fields(values)
        top_tame = values[tame]
        random = empty(DRAWN + ROOM, int32)
        has_nan = False
        size = DRAWN - int64(offset % uint64(DRAWN))  # the next chunk begins with a whole vector of counters
        start = 0
        while start < x.size:
            source = x[start : start + size]
            target = y[start : start + size]
            for at in range(start, start + size, LINE // x.itemsize):  # the next chunk comes while numbers are drawn
                fetch(x, at + size)
                fetch(y, at + size)
            lead = draw(random, source.size, offset + uint64(start), p.bits, key0, key1)
            drawn = random[lead : lead + source.size]
            top = ZERO
            for i in range(source.size):
                bits = to_bits(get(source, i))
                top = maximum(top, word(bits & MAGNITUDE))
                put(target, i, store(quick(bits, word(get_kept(drawn, i)), q)))
            if top > top_tame:
                for i in range(source.size):
                    put(target, i, store(kernel(to_bits(get(source, i)), word(get_kept(drawn, i)), p)))
            has_nan |= top > INFINITY
            start += size
            size = DRAWN
        return has_nan

    return each_random


def make_lookup(identity):
    """The loop of a table lookup."""

    def lookup(codes, y, table):
        """y = table[codes]."""
        identity  # noqa: B018
        for i in range(codes.size):
            y[i] = table[codes[i]]

    return lookup
