"""A short cut for evenly spaced numbers under nearest_even and saturation.

x + 1.5 * 2**k - 1.5 * 2**k rounds either sign at the last place of 2**k, here a step of the format;
fmtemu.kernels.shortcut says for which quantizers. Sources with an infinity or NaN go through
fmtemu.kernels.fixed.
"""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.words import MAGNITUDE, from_bits, maximum, minimum, to_bits, word

#: lowest, highest, pivot: float bits of the ends and of 1.5 * 2**k; mask: the code's bits; sure: float
#: bits of half a step, less 2**-22 times the largest magnitude.
EVEN = ("lowest", "highest", "pivot", "mask", "sure")


def moved_pivot(x: Any, p: Any) -> Any:
    """The pivot's bits, moved by the rounded number of steps."""
    inside = minimum(maximum(from_bits(x), from_bits(p.lowest)), from_bits(p.highest))
    return to_bits(inside + from_bits(p.pivot))


def cast_even(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of a finite source."""
    return to_bits(from_bits(moved_pivot(x, p)) - from_bits(p.pivot))


def encode_even(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of a finite source."""
    return word(word(moved_pivot(x, p) - p.pivot) & p.mask)


def doubt_even(x: Any, p: Any) -> Any:
    """Not negative where a number within a relative 2**-23 of x may become another integer than x does."""
    inside = minimum(maximum(from_bits(x), from_bits(p.lowest)), from_bits(p.highest))
    pivot = from_bits(p.pivot)
    return word(word(to_bits(inside - (inside + pivot - pivot)) & MAGNITUDE) - p.sure)
