"""Quantizers as step functions: a search in sorted thresholds gives the result, whatever the format.

``few`` compares with up to 15 thresholds in registers. ``table`` goes by the number's sign and
leading bits to a cell, and searches the few thresholds there. ``drawn``, for the stochastic
roundings, finds the step in the same way, with two results and the position between them; its words
have 64 bits.
"""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.edges import specials
from fmtemu.kernels.words import (
    DEEPEST,
    FRACTION,
    IMPLICIT,
    MAGNITUDE,
    MANTISSA,
    ONE,
    WORD_BITS,
    ZERO,
    look_up,
    maximum,
    minimum,
    shl,
    shr,
    where,
    word,
)

#: The results where the source is an infinity or NaN.
SPECIAL = ("inf_pos", "inf_neg", "nan_pos", "nan_neg")
#: The thresholds of ``few`` and what the number becomes from each on; unused ones are never reached.
THRESHOLDS = 15
FEW = (
    *SPECIAL,
    *(f"start{i}" for i in range(1, THRESHOLDS + 1)),
    *(f"result{i}" for i in range(THRESHOLDS + 1)),
)
#: shift: magnitude bits below those that tell cells apart; first, last: the cells' range; depth: of
#: the search tree in a cell, with which the table begins; results, ...: where its further parts do.
CELLS = ("shift", "first", "last", "depth", "results")
TABLE = (*SPECIAL, *CELLS, "table")
#: bits, rounds, evens, equal: as in fmtemu.kernels.rounding.Mode. Of each step: pairs: its results;
#: widths, origins: its length and its lower end in units of its own; frames: twice the biased source
#: exponent at which a significand counts these, and 1 where the lower end is the greater number.
DRAWN = (
    *SPECIAL, *CELLS, "bits", "rounds", "evens", "equal",
    "pairs", "widths", "origins", "frames", "table",
)  # fmt: skip
#: The fields of every kernel here; one kernel both casts and encodes, as its results are words.
TABLES = {"few": FEW, "table": TABLE, "drawn": DRAWN}
KERNELS = {"few": "choose_few", "table": "choose_slot", "drawn": "choose_drawn"}


def key_of(x: Any) -> Any:
    """A word that is ordered as the numbers are, -0 just below +0."""
    return word(x ^ word(shr(x, word(WORD_BITS - ONE)) & MAGNITUDE))


# -- few -------------------------------------------------------------------------------------------


def choose_few(x: Any, random: Any, p: Any) -> Any:
    """The value, or code, of the last threshold that is not above the number."""
    key = key_of(x)
    # Written out, so that all of it stays in vector registers.
    result = where(key >= p.start1, p.result1, p.result0)
    result = where(key >= p.start2, p.result2, result)
    result = where(key >= p.start3, p.result3, result)
    result = where(key >= p.start4, p.result4, result)
    result = where(key >= p.start5, p.result5, result)
    result = where(key >= p.start6, p.result6, result)
    result = where(key >= p.start7, p.result7, result)
    result = where(key >= p.start8, p.result8, result)
    result = where(key >= p.start9, p.result9, result)
    result = where(key >= p.start10, p.result10, result)
    result = where(key >= p.start11, p.result11, result)
    result = where(key >= p.start12, p.result12, result)
    result = where(key >= p.start13, p.result13, result)
    result = where(key >= p.start14, p.result14, result)
    result = where(key >= p.start15, p.result15, result)
    return specials(word(x & MAGNITUDE), x < ZERO, result, p)


# -- table -----------------------------------------------------------------------------------------


def cell_of(x: Any, p: Any) -> Any:
    """The cell of a number: those of positive numbers by magnitude, then those of negative ones."""
    cell = word(shr(word(x & MAGNITUDE), p.shift) - p.first)
    cell = minimum(maximum(cell, ZERO), p.last)
    return word(cell + word(shr(x, word(WORD_BITS - ONE)) & word(p.last + ONE)))


def slot_of(x: Any, cell: Any, p: Any) -> Any:
    """Which of the slots of its cell a number falls into: a search tree of the cell's thresholds,
    whose node n has the children 2 n and 2 n + 1. All numbers go down as far, by no branch."""
    key = key_of(x)
    tree = shl(cell, p.depth)
    node, left = ONE, p.depth
    while left > ZERO:
        start = look_up(p.table, word(tree + node))
        node = word(word(node + node) + word(key >= start))
        left = word(left - ONE)
    return word(word(tree + node) - shl(ONE, p.depth))


def choose_slot(x: Any, random: Any, p: Any) -> Any:
    """The value, or code, of the slot that a number falls into."""
    result = look_up(p.table, word(p.results + slot_of(x, cell_of(x, p), p)))
    return specials(word(x & MAGNITUDE), x < ZERO, result, p)


# -- drawn -----------------------------------------------------------------------------------------


def distance_of(x: Any, step: Any, p: Any) -> Any:
    """How far a number is from the lower result of its step, in whole units, and what is left: 0 or 1
    as it is nothing or something less than a unit."""
    magnitude = word(x & MAGNITUDE)
    exponent = shr(magnitude, MANTISSA)
    significand = word(word(magnitude & FRACTION) | where(exponent > ZERO, IMPLICIT, ZERO))
    frame = look_up(p.table, word(p.frames + step))
    shift = word(maximum(exponent, ONE) - shr(frame, ONE))
    down = minimum(maximum(word(ZERO - shift), ZERO), word(WORD_BITS - ONE))
    whole = shr(significand, down)
    rest = word(shl(whole, down) != significand)
    whole = shl(whole, minimum(maximum(shift, ZERO), DEEPEST))
    falls = word(ZERO - word(frame & ONE))
    against = word(falls ^ shr(x, word(WORD_BITS - ONE)))  # -1 where x points from upper to lower
    whole = word(word(word(whole + word(rest & against)) ^ against) - against)
    return word(whole - look_up(p.table, word(p.origins + step))), rest


def choose_drawn(x: Any, random: Any, p: Any) -> Any:
    """The value, or code, of the upper result where k + random >= 2**bits, else of the lower one.

    A unit is a width over 2**(bits + 1), so that k reaches a count c where the distance reaches
    (2 c - rounds) widths; the tie of an odd c is left below where ties go to even.
    """
    step = look_up(p.table, word(p.results + slot_of(x, cell_of(x, p), p)))
    distance, rest = distance_of(x, step, p)
    count = word(shl(ONE, p.bits) - random)
    goal = word(word(count + count + p.rounds) * look_up(p.table, word(p.widths + step)))
    goal = word(goal + word(word(count & word(ONE - rest)) & p.evens))
    fair = where(word(distance + rest) > ZERO, shl(ONE, word(p.bits - ONE)), ZERO) >= count
    up = where(p.equal != ZERO, fair, distance >= goal)
    result = look_up(p.table, word(word(p.pairs + word(step + step)) + word(up)))
    return specials(word(x & MAGNITUDE), x < ZERO, result, p)
