"""Short cuts for evenly spaced numbers under saturation.

To nearest, x + 1.5 * 2**k - 1.5 * 2**k rounds either sign at the last place of 2**k, here a step of the
format; stochastically |x| + 2**k is rounded at a finer place, and the random integer added there.
fmtemu.kernels.shortcut says for which quantizers. Sources with an infinity or NaN go through
fmtemu.kernels.fixed.
"""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.words import MAGNITUDE, ZERO, from_bits, maximum, minimum, shr, to_bits, where, word

#: lowest, highest, pivot: float bits of the ends and of 1.5 * 2**k; mask: the code's bits; sure: float
#: bits of half a step, less 2**-22 times the largest magnitude.
EVEN = ("lowest", "highest", "pivot", "mask", "sure")
#: lowest, highest: the most steps below and above zero; cap: float bits of the largest magnitude;
#: fine, pivot: of what has 2**-bits steps, and a step, in its last place; mask: the code's bits.
RANDOM_STEPS = ("lowest", "highest", "cap", "fine", "pivot", "bits", "mask")


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


def random_steps(x: Any, random: Any, p: Any) -> Any:
    """The number of steps between zero and the rounded value; k has its ties to even."""
    magnitude = minimum(word(x & MAGNITUDE), p.cap)
    fine = word(to_bits(from_bits(magnitude) + from_bits(p.fine)) - p.fine)
    return minimum(shr(word(fine + random), p.bits), where(x < ZERO, p.lowest, p.highest))


def cast_random_steps(x: Any, random: Any, p: Any) -> Any:
    """Bits of the rounded value from the bits of a finite source."""
    value = from_bits(word(p.pivot + random_steps(x, random, p))) - from_bits(p.pivot)
    return to_bits(from_bits(word(to_bits(value) | word(x & ~MAGNITUDE))) + from_bits(ZERO))  # -0 becomes +0


def encode_random_steps(x: Any, random: Any, p: Any) -> Any:
    """The raw code from the bits of a finite source."""
    steps = random_steps(x, random, p)
    return word(where(x < ZERO, word(-steps), steps) & p.mask)
