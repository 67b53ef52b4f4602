"""Step functions of sources as tables: from sorted thresholds to the fields of fmtemu.kernels.table."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from fmtemu.formats.base import Value
from fmtemu.kernels.bits import float_bits, layout, value_of_bits
from fmtemu.kernels.table import THRESHOLDS

#: Cells of one sign, up to which the leading bits may tell apart what a deeper search would.
_MOST_CELLS = 2048


class Steps(NamedTuple):
    """A monotone function of a source's key (fmtemu.kernels.table.key_of): ``codes[0]`` below
    ``starts[0]``, and ``codes[i + 1]`` from ``starts[i]`` on. ``starts`` ascend."""

    starts: Sequence[int]
    codes: Sequence[int]


def key_of_bits(word: int, bits: int) -> int:
    """The key of a signed word of a source, and the word of a key: the map is its own inverse."""
    return word ^ layout(bits)["MAGNITUDE"] if word < 0 else word


def value_of_key(key: int, bits: int) -> Value:
    """The number of a key; -0 is the number 0 here."""
    infinity = layout(bits)["INFINITY"]
    if not -infinity <= key < infinity:
        return math.inf if key > 0 else -math.inf
    return value_of_bits(key_of_bits(key, bits), bits)


def first_key(bound: Fraction, bits: int, *, above: bool = False) -> int:
    """The lowest key of a source that is at least ``bound``, or above it. Both zeros are 0."""
    near = max(min(bound, _largest(bits)), -_largest(bits))
    key = key_of_bits(float_bits(float(near), bits), bits)
    while bound < value_of_key(key - 1, bits) or (bound == value_of_key(key - 1, bits) and not above):
        key -= 1
    while bound > value_of_key(key, bits) or (bound == value_of_key(key, bits) and above):
        key += 1
    return key


def _largest(bits: int) -> Fraction:
    return value_of_bits(layout(bits)["INFINITY"] - 1, bits)


def step_fields(steps: Steps, results: Callable[[int], int], bits: int) -> tuple[str, dict[str, int], list[int]]:
    """(family, fields, table) of the kernel that looks steps up; ``results`` gives a code's word."""
    words = [results(code) for code in steps.codes]
    never = layout(bits)["MAGNITUDE"]  # the key of a NaN
    if len(steps.starts) <= THRESHOLDS:
        unused = THRESHOLDS - len(steps.starts)
        starts, words = [*steps.starts, *[never] * unused], [*words, *words[-1:] * unused]
        fields = {f"start{i + 1}": start for i, start in enumerate(starts)}
        return "few", fields | {f"result{i}": word for i, word in enumerate(words)}, []
    fields, trees, slots = find_cells(steps.starts, bits)
    return "table", fields, [*trees, *(words[step] for step in slots)]


def find_cells(starts: Sequence[int], bits: int) -> tuple[dict[str, int], list[int], list[int]]:
    """The fields CELLS of fmtemu.kernels.table, the search trees of all cells, and the number of the
    step of each of their slots. The trees are as flat as a limited number of cells allows."""
    sides = ([start for start in starts if start >= 0], [~start for start in reversed(starts) if start < 0])
    depth, shift, first, last = next(_divisions(sides, len(starts), bits))
    cells = range(first, last + 1)
    ends = [0, *((cell + 1) << shift for cell in cells[:-1]), 1 << bits]
    # Keys of a cell: from its first to before its end; those of a negative number are -1 - magnitude.
    keys = [*pairwise(ends), *((-end, -start) for start, end in pairwise(ends))]
    width, never = 1 << depth, layout(bits)["MAGNITUDE"]
    trees, slots = [], []
    for low, end in keys:
        inside = range(bisect_left(starts, low), bisect_left(starts, end))
        thresholds = [*(starts[i] for i in inside), *[never] * (width - 1 - len(inside))]
        trees += [never, *(thresholds[_rank(node, depth)] for node in range(1, width))]
        slots += [inside.start + min(slot, len(inside)) for slot in range(width)]
    return {"shift": shift, "first": first, "last": last - first, "depth": depth, "results": len(trees)}, trees, slots


def _rank(node: int, depth: int) -> int:
    """The place in sorted order of a node of a full tree of this depth, numbered by levels from 1."""
    level = node.bit_length() - 1
    return ((2 * (node - (1 << level)) + 1) << (depth - 1 - level)) - 1


def _divisions(sides: Sequence[Sequence[int]], count: int, bits: int) -> Iterator[tuple[int, int, int, int]]:
    """(depth, shift, first, last) of the divisions into cells that can be searched so deep."""
    for depth in range(1, bits):
        most = (1 << depth) - 1
        for shift in range(layout(bits)["MANTISSA"], -1, -1):
            first, last = _window(sides, shift, most)
            if last - first >= max(_MOST_CELLS, count):
                break
            if _fits(sides, shift, first, most):
                yield depth, shift, first, last


def _window(sides: Iterable[Sequence[int]], shift: int, most: int) -> tuple[int, int]:
    """The first and last cell: from the highest that still has, with all below it, ``most`` thresholds
    of either sign, to the one of the greatest magnitude."""
    firsts = [(side[most] >> shift) - 1 for side in sides if len(side) > most]
    last = max(side[-1] >> shift for side in sides if side)
    return max(min(firsts, default=last), 0), last


def _fits(sides: Iterable[Sequence[int]], shift: int, first: int, most: int) -> bool:
    """Whether no cell has more than ``most`` thresholds; magnitudes below the first are in it."""
    for side in sides:
        cells = [max(magnitude >> shift, first) for magnitude in side]
        if any(cells[i] == cells[i + most] for i in range(len(cells) - most)):
            return False
    return True
