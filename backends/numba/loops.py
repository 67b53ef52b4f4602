"""Loops over flat arrays; Numba compiles each once for every kernel, with the names it needs bound in.

``kernel`` and ``quick`` are functions of (bits, random, p); ``Fields`` and ``QuickFields`` the named
tuples of their p, of ``count`` and ``quick_count`` words; sources of magnitude bits above ``tame``
are not for ``quick``. ``identity``, a closure's cell, tells Numba's disk cache the kernel and the
version of its source. Loops go by chunks and by slices, whose indices the compiler knows to be
positive.
"""
# mypy: ignore-errors

from __future__ import annotations

from numba.np.unsafe.ndarray import to_fixed_tuple

#: Elements of a chunk: they stay in the first-level cache, and a multiple of the groups of
#: fmtemu.random.
CHUNK = 2048


def make_each(identity):
    def each(x, y, values):
        """y = kernel(x); returns whether x has a NaN. x and y are different arrays."""
        identity  # noqa: B018
        p = Fields(*to_fixed_tuple(values, count))
        q = QuickFields(*to_fixed_tuple(values[count:], quick_count))
        has_nan = False
        for start in range(0, x.size, CHUNK):
            source = x[start : start + CHUNK]
            target = y[start : start + CHUNK]
            top = ZERO
            for i in range(source.size):
                bits = to_bits(source[i])
                top = maximum(top, word(bits & MAGNITUDE))
                target[i] = store(quick(bits, ZERO, q))
            if top > tame:
                for i in range(source.size):
                    target[i] = store(kernel(to_bits(source[i]), ZERO, p))
            has_nan |= top > INFINITY
        return has_nan

    return each


def make_each_random(identity):
    def each_random(x, y, values, key0, key1, offset):
        """y = kernel(x, R), element i taking the random bits of element offset + i; returns
        whether x has a NaN. x and y are different arrays."""
        identity  # noqa: B018
        p = Fields(*to_fixed_tuple(values, count))
        q = QuickFields(*to_fixed_tuple(values[count:], quick_count))
        buffer = empty(CHUNK, word)
        lead = int64(offset & uint64(63))  # elements before the first, in its group
        has_nan = False
        start = int64(0)
        while start < x.size:
            size = min(CHUNK - lead, x.size - start)
            fill_random(buffer, size + lead, offset + uint64(start) - uint64(lead), p.bits, key0, key1)
            source = x[start : start + size]
            target = y[start : start + size]
            random = buffer[lead : lead + size]
            top = ZERO
            for i in range(source.size):
                bits = to_bits(source[i])
                top = maximum(top, word(bits & MAGNITUDE))
                target[i] = store(quick(bits, random[i], q))
            if top > tame:
                for i in range(source.size):
                    target[i] = store(kernel(to_bits(source[i]), random[i], p))
            has_nan |= top > INFINITY
            start += size
            lead = int64(0)
        return has_nan

    return each_random


def fill_random(buffer, size, first, bits, key0, key1):
    """R of the elements first .. first + size - 1, in whole groups; first is a multiple of 64."""
    if bits <= 16:
        shift = uint32(16 - bits)
        counter = (first >> uint64(6)) * uint64(16)
        for start in range(0, size, 64):
            high = uint32(counter >> uint64(32))  # the same for 16 counters: they start at a multiple of 16
            low = uint32(counter)
            group = buffer[start : start + 64]
            for j in range(16):
                w0, w1 = threefry(key0, key1, high, uint32(low + uint32(j)))
                group[j] = word(uint32(uint32(w0 & uint32(0xFFFF)) >> shift))
                group[16 + j] = word(uint32(uint32(w0 >> uint32(16)) >> shift))
                group[32 + j] = word(uint32(uint32(w1 & uint32(0xFFFF)) >> shift))
                group[48 + j] = word(uint32(uint32(w1 >> uint32(16)) >> shift))
            counter += uint64(16)
    else:
        shift = uint32(32 - bits)
        counter = (first >> uint64(5)) * uint64(16)
        for start in range(0, size, 32):
            high = uint32(counter >> uint64(32))
            low = uint32(counter)
            group = buffer[start : start + 32]
            for j in range(16):
                w0, w1 = threefry(key0, key1, high, uint32(low + uint32(j)))
                group[j] = word(uint32(w0 >> shift))
                group[16 + j] = word(uint32(w1 >> shift))
            counter += uint64(16)


def make_lookup(identity):
    def lookup(codes, y, table):
        """y = table[codes]."""
        identity  # noqa: B018
        for i in range(codes.size):
            y[i] = table[codes[i]]

    return lookup
