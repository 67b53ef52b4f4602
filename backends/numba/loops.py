"""Loops over flat arrays; Numba compiles each once for every kernel, with the names it needs bound in.

``kernel`` and ``quick`` are functions of (bits, random, p); ``full_fields`` and ``quick_fields`` make
their p of ``values``, where the greatest magnitude bits that ``quick`` takes stand at ``tame``; a
chunk with others is done again. ``identity``, a closure's cell, tells Numba's disk cache the kernel and
the version of its source. Loops go by chunks and by slices, whose indices the compiler knows to be
positive.
"""
# mypy: ignore-errors

from __future__ import annotations

#: Elements of a chunk: they stay in the first-level cache, and a multiple of the groups of
#: fmtemu.random.
CHUNK = 2048
#: Elements whose words are looked up together.
GROUP = 128


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
        random = empty(CHUNK, word)
        has_nan = False
        start = int64(0)
        while start < x.size:
            first = offset + uint64(start)
            lead = int64(first & uint64(63))  # elements before the first, in its group
            size = min(CHUNK, x.size - start) & ~63 if lead == 0 else 0
            inside = size == 0  # the array begins or ends inside a group
            if inside:
                size = min(64 - lead, x.size - start)
            source = x[start : start + size]
            target = y[start : start + size]
            top = greatest(source)
            if inside or top > top_tame:
                fill_random(random, lead + size, first - uint64(lead), p.bits, key0, key1)
                for i in range(source.size):
                    target[i] = store(kernel(to_bits(source[i]), random[lead + i], p))
            else:
                quick_groups(source, target, first, q, key0, key1)
            has_nan |= top > INFINITY
            start += size
        return has_nan

    return each_random


def quick_groups(x, y, first, q, key0, key1):
    """y = quick(x, R) over whole groups of 64 elements, planes of 16 counters at a time."""
    if q.bits <= 16:
        shift = word(word(16) - q.bits)
        counter = (first >> uint64(6)) * uint64(16)
        for group in range(x.size // 64):
            high = uint32(counter >> uint64(32))  # the same for 16 counters: they start at a multiple of 16
            low = uint32(counter)
            at = group * 64
            for j in range(16):
                w0, w1 = threefry(key0, key1, high, uint32(low + uint32(j)))
                r0, r1 = word(w0 & uint32(0xFFFF)), word(uint32(w0 >> uint32(16)))
                r2, r3 = word(w1 & uint32(0xFFFF)), word(uint32(w1 >> uint32(16)))
                y[at + j] = store(quick(to_bits(x[at + j]), shr(r0, shift), q))
                y[at + 16 + j] = store(quick(to_bits(x[at + 16 + j]), shr(r1, shift), q))
                y[at + 32 + j] = store(quick(to_bits(x[at + 32 + j]), shr(r2, shift), q))
                y[at + 48 + j] = store(quick(to_bits(x[at + 48 + j]), shr(r3, shift), q))
            counter += uint64(16)
    else:
        shift = word(word(31) - q.bits)
        counter = (first >> uint64(5)) * uint64(16)
        for group in range(x.size // 32):
            high = uint32(counter >> uint64(32))
            low = uint32(counter)
            at = group * 32
            for j in range(16):
                w0, w1 = threefry(key0, key1, high, uint32(low + uint32(j)))
                r0, r1 = word(uint32(w0 >> uint32(1))), word(uint32(w1 >> uint32(1)))
                y[at + j] = store(quick(to_bits(x[at + j]), shr(r0, shift), q))
                y[at + 16 + j] = store(quick(to_bits(x[at + 16 + j]), shr(r1, shift), q))
            counter += uint64(16)


def buffered_groups(x, y, first, q, key0, key1):
    """The same for a ``quick`` that takes no vectors: the random integers first."""
    random = empty(CHUNK, word)
    draw_groups(random[: x.size], random[: x.size], first, q, key0, key1)
    for i in range(x.size):
        put(y, i, store(quick(to_bits(get(x, i)), random[i], q)))


def only_random(bits, random, q):
    """What ``quick`` is where the random integers are all that is wanted."""
    return random


def greatest(x):
    """The greatest magnitude bits."""
    top = ZERO
    for i in range(x.size):
        top = maximum(top, word(to_bits(x[i]) & MAGNITUDE))
    return top


def fill_random(buffer, size, first, bits, key0, key1):
    """R of the elements first .. first + size - 1, one by one; first is a multiple of 64."""
    for i in range(size):
        at = first + uint64(i)
        lane = (at >> uint64(4)) & uint64(3)
        counter = (at >> uint64(6 if bits <= 16 else 5)) * uint64(16) + (at & uint64(15))
        w0, w1 = threefry(key0, key1, uint32(counter >> uint64(32)), uint32(counter))
        if bits <= 16:
            half = uint32((w1 if lane >= uint64(2) else w0) >> uint32(16 if lane & uint64(1) else 0)) & uint32(0xFFFF)
            buffer[i] = word(half) >> word(word(16) - bits)
        else:
            chosen = w1 if lane & uint64(1) else w0
            buffer[i] = word(uint32(chosen >> uint32(1))) >> word(word(31) - bits)


def make_lookup(identity):
    """The loop of a table lookup."""

    def lookup(codes, y, table):
        """y = table[codes]."""
        identity  # noqa: B018
        for i in range(codes.size):
            y[i] = table[codes[i]]

    return lookup
