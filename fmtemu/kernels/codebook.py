"""The steps of codebooks: where a source goes from one entry to the next; and the numbers of their short cut."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from fmtemu import exact
from fmtemu.formats.codebook import Codebook
from fmtemu.kernels.bits import float_bits
from fmtemu.kernels.drawn_quick import MOST_NUMBERS
from fmtemu.kernels.sections import Section
from fmtemu.kernels.steps import Steps, first_key
from fmtemu.rounding import Rounding, Stochastic


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


def few_fields(fmt: Codebook, rounding: Stochastic) -> dict[str, int] | None:
    """The fields of fmtemu.kernels.drawn_quick.DRAWN_FEW, or None where its kernels do not serve."""
    numbers = fmt.entries
    if len(numbers) > MOST_NUMBERS or 0.0 not in numbers or rounding.bits > 16 or rounding.variant == "equal":
        return None
    gaps = [b - a for a, b in pairwise(numbers)]
    if fmt.precision > 24 or not 2.0**-100 <= min(gaps) <= max(gaps) <= 2.0**100:  # quotients are of normal numbers
        return None
    padded = [*numbers, *[float("inf")] * (MOST_NUMBERS - len(numbers))]
    units = Fraction(2) ** rounding.bits
    return {
        **{f"number{i}": float_bits(number, 32) for i, number in enumerate(padded)},
        "last": float_bits(numbers[-1], 32),
        "units": float_bits(units, 32),
        "goal": float_bits(units - (Fraction(1, 2) if rounding.variant in "BC" else 0), 32),
        "margin": float_bits(units / 2**21, 32),
        "bits": rounding.bits,
    }
