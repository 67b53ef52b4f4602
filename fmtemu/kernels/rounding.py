"""Dropping low bits under every rounding: the one place where kernels round."""

from __future__ import annotations

from typing import Any, NamedTuple

from fmtemu.kernels.words import DEEPEST, ONE, WORD_BITS, ZERO, maximum, minimum, shl, shr, where, word
from fmtemu.rounding import Rounding, Stochastic


class Mode(NamedTuple):
    """A rounding as numbers, so that one compiled kernel serves all modes.

    bit = (last kept bit & parity) ^ (negative & sign) ^ constant says, for a tie of the nearest
    modes (half = -1, step = 1) or for any inexact number of the others (half = 0, step = -1),
    whether the magnitude goes up; jam is or-ed into the truncated code. Stochastic: the bits of
    the random integer, and masks that choose the variant.
    """

    parity: int
    sign: int
    constant: int
    half: int
    step: int
    jam: int
    bits: int
    rounds: int
    evens: int
    equal: int


#: The part of every kernel's parameters that is its rounding.
MODE = Mode._fields

_NEAREST, _DIRECTED = (-1, 1), (0, -1)
_MODES = {
    "nearest_even": (1, 0, 0, *_NEAREST),
    "nearest_odd": (1, 0, 1, *_NEAREST),
    "nearest_away": (0, 0, 1, *_NEAREST),
    "nearest_zero": (0, 0, 0, *_NEAREST),
    "nearest_up": (0, 1, 1, *_NEAREST),
    "nearest_down": (0, 1, 0, *_NEAREST),
    "toward_zero": (0, 0, 0, *_DIRECTED),
    "away_from_zero": (0, 0, 1, *_DIRECTED),
    "toward_positive": (0, 1, 1, *_DIRECTED),
    "toward_negative": (0, 1, 0, *_DIRECTED),
    "to_odd": (1, 0, 1, *_DIRECTED),
    "jam": (0, 0, 0, *_DIRECTED),
}


def mode_of(rounding: Rounding, *, twos_complement: bool) -> Mode:
    """The numbers of a rounding; jam truncates two's complement codes toward minus infinity."""
    if isinstance(rounding, Stochastic):
        variant = rounding.variant
        masks = (-int(variant in "BC"), -int(variant == "C"), -int(variant == "equal"))
        return Mode(0, 0, 0, 0, 0, 0, rounding.bits, *masks)
    name = rounding.name
    truncation = "toward_negative" if name == "jam" and twos_complement else name
    return Mode(*_MODES[truncation], int(name == "jam"), 0, 0, 0, 0)


def deterministic(significand: Any, deep: Any, negative: Any, random: Any, p: Any) -> Any:
    """significand / 2**deep as an integer, rounded by the mode in p; negative is 0 or 1."""
    drop = minimum(deep, DEEPEST)
    below = word(shl(ONE, drop) - ONE)
    last = shr(significand, drop)
    bit = word(word(last & p.parity) ^ word(negative & p.sign) ^ p.constant)
    increment = word(word(shr(below, ONE) & p.half) + word(below & word(bit * p.step)))
    return shr(word(significand + increment), drop)


def nearest_even(significand: Any, deep: Any, negative: Any, random: Any, p: Any) -> Any:
    """What ``deterministic`` gives for nearest_even, in fewer steps."""
    drop = minimum(deep, DEEPEST)
    below = word(shl(ONE, drop) - ONE)
    last = word(shr(significand, drop) & word(below & ONE))
    return shr(word(significand + word(shr(below, ONE) + last)), drop)


def stochastic(significand: Any, deep: Any, negative: Any, random: Any, p: Any) -> Any:
    """significand / 2**deep, up with probability k / 2**bits: when k + random >= 2**bits.

    k is the dropped part in units of 2**-bits, by variant: floor (A), ties up (B), ties to even
    (C), or one half unless it is zero ("equal").
    """
    drop = minimum(deep, word(WORD_BITS - ONE))
    dropped = word(significand & word(shl(ONE, drop) - ONE))
    excess = word(deep - p.bits)  # dropped bits beyond those that k keeps
    cut = minimum(maximum(excess, ONE), word(WORD_BITS - word(ONE + ONE)))
    half = word(shl(ONE, word(cut - ONE)) & p.rounds)
    tie = word(word(word(shr(dropped, cut) & ONE) - ONE) & p.evens)
    fine = shr(word(dropped + word(half + tie)), cut)
    coarse = shl(dropped, maximum(minimum(word(ZERO - excess), p.bits), ZERO))
    k = where(excess > ZERO, fine, coarse)
    fair = where(dropped > ZERO, shl(ONE, word(p.bits - ONE)), ZERO)
    k = where(p.equal != ZERO, fair, k)
    return word(shr(significand, drop) + shr(word(k + random), p.bits))
