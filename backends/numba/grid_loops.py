"""Loops over rows of elements and the numbers of the tiles that they cross: see fmtemu.backends.numba.grids.

Names that are not defined here are bound, as in fmtemu.backends.numba.block_loops.
"""
# mypy: ignore-errors

from __future__ import annotations


def make_mapped(identity):
    """The loop from elements and three numbers of their tiles to results."""

    def mapped(x, y, first, second, third, bands, columns, width, across):
        """y = step(x, first, second, third)."""
        identity  # noqa: B018
        for row in range(bands.size):
            at, place = row * columns, bands[row] * across
            if width == 1:
                for j in range(columns):
                    a, b, c = get_kept(first, place + j), get_kept(second, place + j), get_kept(third, place + j)
                    put(y, at + j, step(get(x, at + j), a, b, c))
            else:
                for start in range(0, columns, width):
                    a, b, c = get_kept(first, place), get_kept(second, place), get_kept(third, place)
                    for j in range(at + start, at + min(start + width, columns)):
                        put(y, j, step(get(x, j), a, b, c))
                    place += 1

    return mapped


def make_tops(identity):
    """The loop that finds the greatest words of tiles."""

    def tops_of_tiles(x, tops, bands, columns, width, across, flip, mask):
        """tops = at least the bits of the tiles' elements, flipped and masked."""
        identity  # noqa: B018
        flip, mask = flip[0], mask[0]
        for row in range(bands.size):
            at, place = row * columns, bands[row] * across
            if width == 1:
                for j in range(columns):
                    bits = word(word(to_bits(get(x, at + j)) ^ flip) & mask)
                    put_kept(tops, place + j, maximum(get_kept(tops, place + j), bits))
            else:
                for start in range(0, columns, width):
                    top = get_kept(tops, place)
                    for j in range(at + start, at + min(start + width, columns)):
                        top = maximum(top, word(word(to_bits(get(x, j)) ^ flip) & mask))
                    put_kept(tops, place, top)
                    place += 1

    return tops_of_tiles


def divide(x, factor, *_):
    """x / factor in float64; what underflows becomes its smallest number."""
    near = double(x) / factor
    return wide_value(wide_bits(near) | where((near == ZERO_DOUBLE) & (x != 0), WIDE_ONE, WIDE_ZERO))


def divide_to_odd(x, inverse, *_):
    """x / f as a float32 rounded to odd, where ``inverse`` is 1 / f in float64."""
    return from_bits(quotient(x, inverse))


def multiply_once(x, inverse, lost, *_):
    """x * inverse in float32; what underflows becomes ``lost``, with its sign."""
    product = real(x * inverse)
    return from_bits(word(to_bits(product) | where((product == 0) & (x != 0), to_bits(lost), ZERO)))


def multiply(x, scale, outer, *_):
    """x * scale * outer, each product rounded."""
    return real(real(x * scale) * outer)


def move(x, low, high, zero):
    """x between low and high, plus zero; a NaN stays one."""
    inside = low if low > x else x
    return real((high if high < inside else inside) + zero)
