"""The steps of codebooks: where a source goes from one entry to the next."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from fmtemu import exact
from fmtemu.formats.codebook import Codebook
from fmtemu.kernels.sections import Section
from fmtemu.kernels.steps import Steps, first_key
from fmtemu.rounding import Rounding


def codebook_steps(fmt: Codebook, rounding: Rounding, bits: int) -> Steps:
    """The steps of a codebook under a deterministic rounding, for sources of ``bits`` bits."""
    codes = range(fmt.count)
    return Steps([_first_up(fmt, code, rounding, bits) for code in codes[:-1]], codes)


def _first_up(fmt: Codebook, code: int, rounding: Rounding, bits: int) -> int:
    """The lowest key of a source that goes to the entry after ``code``.

    Between two entries a rounding decides at their middle, at zero or nowhere: at most three
    intervals go one way as a whole.
    """
    low, high = Fraction(fmt.value(code)), Fraction(fmt.value(code + 1))
    points = sorted({low, (low + high) / 2, high} | ({Fraction(0)} if low < 0 < high else set()))

    def is_up(x: Fraction) -> bool:
        return x == high or exact.choose_entry(fmt, *fmt.between(code, x), rounding, 0) > code

    for start, end in pairwise(points):
        if is_up((start + end) / 2):
            return first_key(start, bits, above=True)
        if is_up(end):
            return first_key(end, bits)
    raise AssertionError("the higher entry goes to itself")


def codebook_sections(fmt: Codebook, words: list[int]) -> list[Section]:
    """The sections that stochastic roundings of sources of 64 bits draw between; ``words`` are the entries' results."""
    starts, codes = _sections(fmt)
    values = [Fraction(fmt.value(code)) for code in range(fmt.count)]
    first = [starts[0] - 1, *starts]
    return [
        Section(start, values[a], values[b], (words[a], words[b])) for start, (a, b) in zip(first, codes, strict=True)
    ]


def _sections(fmt: Codebook) -> tuple[list[int], list[tuple[int, int]]]:
    """The keys at which the neighbours of a number change, and the (lower, upper) codes up to the
    first, between them, and from the last on."""
    starts: list[int] = []
    sections = [(0, 0)]
    for code in range(fmt.count - 1):
        low, high = Fraction(fmt.value(code)), Fraction(fmt.value(code + 1))
        points = [low, Fraction(0), high] if low == -high else [low, high]
        for start, end in pairwise(points):
            lower, upper, _ = fmt.between(code, (start + end) / 2)
            # Where the upper one is the smaller, the lower end is its; there the position would be 1.
            starts.append(first_key(start, 64, above=upper < lower and start == low))
            sections.append((lower, upper))
    starts.append(first_key(fmt.largest, 64))
    return starts, [*sections, (fmt.count - 1, fmt.count - 1)]
