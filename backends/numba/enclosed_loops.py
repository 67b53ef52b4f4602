"""The loops of the kernels that leave a code open where their bounds do not decide, and that of random bits.

Numba compiles each once for every kernel, with the names it needs bound in; see fmtemu.backends.numba.loops.
"""
# mypy: ignore-errors

from __future__ import annotations

#: Elements that are looked through one by one where any of them is left open.
FEW = 32


def make_enclosed(identity):
    """The loop of fmtemu.kernels.enclosed."""

    def enclosed(x, random, codes, places, values):
        """codes = kernel(x, random); returns how many are open, whose ``places`` are the first so many, and
        whether x has a NaN. What ``quick`` leaves open goes through the kernel."""
        identity  # noqa: B018
        p = full_fields(values)
        top = ZERO
        for i in range(x.size):
            bits = to_bits(get(x, i))
            top = maximum(top, word(bits & MAGNITUDE))
            code, is_open = quick(bits, word(get_kept(random, i)), p)
            put(codes, i, code)
            put(places, i, word(is_open))
        count = 0
        for i in range(x.size):
            if places[i]:
                codes[i], is_open = kernel(to_bits(x[i]), word(random[i]), p)
                places[count] = i
                count += is_open
        return count, top > INFINITY

    return enclosed


def make_singles(identity):
    """The loop of fmtemu.kernels.enclosed_single, by chunks that stay in the first-level cache."""

    def singles(x, y, results, places, drawn, values, quick_values, key0, key1, offset):
        """y = what ``finish`` makes of the codes of x, element i taking the random bits of element offset + i; returns
        how many are open, of which the first so many ``places`` and ``drawn`` integers are, and whether x has a NaN.
        What ``quick`` leaves open goes through the kernels for float64."""
        identity  # noqa: B018
        p, q = full_fields(values), quick_fields(quick_values)
        codes, doubts, random = empty(CHUNK, word), empty(CHUNK, word), zeros(CHUNK + ROOM, int32)
        count, top = 0, ZERO
        for start in range(0, x.size, CHUNK):
            source = x[start : start + CHUNK]
            target = y[start : start + CHUNK]
            lead = draw(random, source.size, offset + uint64(start), q.bits, key0, key1)
            own = random[lead : lead + source.size]
            for i in range(source.size):
                bits = to_bits(get(source, i))
                top = maximum(top, word(bits & MAGNITUDE))
                code, is_open = quick(bits, get_kept(own, i), q)
                put_kept(codes, i, code)
                put_kept(doubts, i, word(is_open))
            for first in range(0, source.size, FEW):
                end = min(first + FEW, source.size)
                doubtful = ZERO
                for i in range(first, end):
                    doubtful |= get_kept(doubts, i)
                if doubtful == ZERO:
                    continue
                for i in range(first, end):
                    if get_kept(doubts, i):
                        code, is_open = surely(source[i], own[i], p)
                        codes[i] = word(code)
                        if is_open:
                            places[count], drawn[count] = start + i, own[i]
                            count += 1
            for i in range(source.size):
                put(target, i, finish(get_kept(codes, i), results))
        return count, top > INFINITY

    return singles


def draw_nothing(random, size, first, bits, key0, key1):
    """What ``draw`` of fmtemu.backends.numba.draws is for the deterministic roundings."""
    return int64(0)


def surely(x, random, p):
    """(code, is_open) of a float32 by the kernels for float64."""
    bits, integer = wide_bits(float64(x)), wide(random)
    if (bits & wide_magnitude) == 0:  # the most frequent of all numbers
        return where(bits < 0, p.zero_neg, p.zero_pos), False
    code, is_open = wide_quick(bits, integer, p)
    return kernel(bits, integer, p) if is_open else (code, False)


def surely_drawn(x, random, p):
    """The result for a float32 by fmtemu.kernels.table.choose_drawn, which leaves none open."""
    return narrowed(kernel(wide_bits(float64(x)), wide(random), p)), False


def narrowed_value(bits):
    """The bits of the float32 with the value of the bits of a float64."""
    return to_bits(float32(wide_value(bits)))


def result_of(code, results):
    """The result of a code by a table of all."""
    return get(results, code)


def code_alone(code, results):
    """The code itself."""
    return code


def value_alone(bits, results):
    """The value of these bits."""
    return from_bits(bits)


def make_draws(identity):
    """The loop of random integers."""

    def draws(random, size, first, bits, key0, key1):
        """See fmtemu.backends.numba.draws.draw."""
        identity  # noqa: B018
        return draw(random, size, first, bits, key0, key1)

    return draws
