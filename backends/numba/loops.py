"""Loops over arrays; Numba compiles each once for every kernel, with the names it needs bound in.

``kernel`` is a function of (bits, random, p); ``Fields`` the named tuple of p; ``count`` its length;
``identity`` (a closure's cell) tells Numba's disk cache the kernel and the version of its source.
"""
# mypy: ignore-errors

from __future__ import annotations

from numba.np.unsafe.ndarray import to_fixed_tuple

#: Elements between two refills of the random buffer and between two looks for infinities: a
#: multiple of the groups of fmtemu.random that stays in the first-level cache.
CHUNK = 2048


def make_each(identity):
    def each(x, y, values):
        """y = kernel(x); returns whether x has a NaN."""
        identity  # noqa: B018
        p = Fields(*to_fixed_tuple(values, count))
        top = ZERO
        for i in range(x.size):
            bits = to_bits(x[i])
            top = maximum(top, word(bits & MAGNITUDE))
            y[i] = store(kernel(bits, ZERO, p))
        return top > INFINITY

    return each


def make_each_random(identity):
    def each_random(x, y, values, key0, key1, offset):
        """y = kernel(x, R), element i taking the random bits of element offset + i; returns
        whether x has a NaN."""
        identity  # noqa: B018
        p = Fields(*to_fixed_tuple(values, count))
        buffer = empty(CHUNK, word)
        lead = int64(offset & uint64(63))  # elements before the first, in its group
        top = ZERO
        start = int64(0)
        while start < x.size:
            size = min(CHUNK - lead, x.size - start)
            fill_random(buffer, offset + uint64(start) - uint64(lead), p.bits, key0, key1)
            for j in range(size):
                bits = to_bits(x[start + j])
                top = maximum(top, word(bits & MAGNITUDE))
                y[start + j] = store(kernel(bits, buffer[lead + j], p))
            start += size
            lead = int64(0)
        return top > INFINITY

    return each_random


def fill_random(buffer, first, bits, key0, key1):
    """R of the elements first, first + 1 ...; first is a multiple of 64."""
    if bits <= 16:
        shift = uint32(16 - bits)
        counter = (first >> uint64(6)) * uint64(16)
        for group in range(CHUNK // 64):
            high = uint32(counter >> uint64(32))  # 16 counters never cross a word: both are multiples of 16
            low = uint32(counter)
            at = group * 64
            for j in range(16):
                w0, w1 = threefry(key0, key1, high, uint32(low + uint32(j)))
                buffer[at + j] = word(uint32(uint32(w0 & uint32(0xFFFF)) >> shift))
                buffer[at + 16 + j] = word(uint32(uint32(w0 >> uint32(16)) >> shift))
                buffer[at + 32 + j] = word(uint32(uint32(w1 & uint32(0xFFFF)) >> shift))
                buffer[at + 48 + j] = word(uint32(uint32(w1 >> uint32(16)) >> shift))
            counter += uint64(16)
    else:
        shift = uint32(32 - bits)
        counter = (first >> uint64(5)) * uint64(16)
        for group in range(CHUNK // 32):
            high = uint32(counter >> uint64(32))
            low = uint32(counter)
            at = group * 32
            for j in range(16):
                w0, w1 = threefry(key0, key1, high, uint32(low + uint32(j)))
                buffer[at + j] = word(uint32(w0 >> shift))
                buffer[at + 16 + j] = word(uint32(w1 >> shift))
            counter += uint64(16)


def make_nearest(identity):
    def nearest(x, y, values, first, last, raise_by, largest, beyond, zero):
        """y = x to the nearest even of a float format, by adding and taking away a power of two.

        |x| + M - M rounds at M's last place; M follows x's exponent between ``first`` (subnormals)
        and ``last`` (one above the largest, so that overflow shows), raised by ``raise_by``. A
        chunk with an infinity or NaN goes through the kernel. ``zero`` is -0, or +0 where the
        format has no -0. Returns False (as make_each does where no NaN matters).
        """
        identity  # noqa: B018
        p = Fields(*to_fixed_tuple(values, count))
        for start in range(0, x.size, CHUNK):
            stop = min(start + CHUNK, x.size)
            top = ZERO
            for i in range(start, stop):
                top = maximum(top, word(to_bits(x[i]) & MAGNITUDE))
            if top < INFINITY:
                for i in range(start, stop):
                    bits = to_bits(x[i])
                    magnitude = word(bits & MAGNITUDE)
                    exponent = minimum(maximum(word(magnitude & INFINITY), first), last)
                    pivot = from_bits(word(exponent + raise_by))
                    value = (from_bits(magnitude) + pivot) - pivot
                    value = where(value > largest, beyond, value)
                    y[i] = from_bits(word(to_bits(value) | word(bits ^ magnitude))) + zero
            else:
                for i in range(start, stop):
                    y[i] = store(kernel(to_bits(x[i]), ZERO, p))
        return False

    return nearest


def make_lookup(identity):
    def lookup(codes, y, table):
        """y = table[codes]."""
        identity  # noqa: B018
        for i in range(codes.size):
            y[i] = table[codes[i]]

    return lookup
