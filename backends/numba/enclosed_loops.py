"""The loop of the kernels that leave a code open where their bounds do not decide, and that of random bits.

Numba compiles each once for every kernel, with the names it needs bound in; see fmtemu.backends.numba.loops.
"""
# mypy: ignore-errors

from __future__ import annotations


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


def make_draws(identity):
    """The loop of random integers."""

    def draws(random, size, first, bits, key0, key1):
        """See fmtemu.backends.numba.draws.draw."""
        identity  # noqa: B018
        return draw(random, size, first, bits, key0, key1)

    return draws
