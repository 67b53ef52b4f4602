"""The steps of codebooks: where a source goes from one entry to the next."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from fmtemu import exact
from fmtemu.formats.codebook import Codebook
from fmtemu.kernels.bits import EXPONENT_BIAS, layout
from fmtemu.kernels.steps import Steps, find_cells, first_key
from fmtemu.rounding import Rounding, Stochastic

#: Bits of the integers that the position of a source between two entries is compared with.
_POSITION_BITS = 62


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


def codebook_draws(fmt: Codebook, rounding: Stochastic, results: list[int]) -> tuple[dict[str, int], list[int]]:
    """(fields, table) of the kernel ``drawn`` of fmtemu.kernels.table, whose words have 64 bits;
    ``results`` are the words of the entries. Raises ValueError where positions need more."""
    unit = fmt.lsb_exponent - rounding.bits - 1
    reach = max(fmt.largest, -fmt.lowest, fmt.largest - fmt.lowest) / Fraction(2) ** unit
    spare = _POSITION_BITS - (reach.numerator - 1).bit_length()
    if spare < 0:
        advice = f"use stochastic({rounding.bits + spare}) or fewer bits, or " if rounding.bits + spare > 0 else "use "
        raise ValueError(
            f"{rounding} rounding of {fmt} needs positions of more than {_POSITION_BITS} bits in arrays; "
            f"{advice}fmtemu.exact, one number at a time"
        )
    starts, sections = _sections(fmt)
    fields, trees, slots = find_cells(starts, 64)
    table = [*trees, *slots]
    values = [Fraction(fmt.value(code)) / Fraction(2) ** unit for code in fmt.codes()]
    widths = [abs(values[upper] - values[lower]) / (2 << rounding.bits) for lower, upper in sections]
    falls = [-int(upper < lower) for lower, upper in sections]
    parts = {
        "pairs": [results[code] for pair in sections for code in pair],
        "widths": [int(width) for width in widths],
        "origins": [
            int(-values[lower] if fall else values[lower]) for (lower, _), fall in zip(sections, falls, strict=True)
        ],
        "falls": falls,
    }
    fields["anchor"] = EXPONENT_BIAS[64] + layout(64)["MANTISSA"] + unit
    for name, part in parts.items():
        fields[name] = len(table)
        table = [*table, *part]
    return fields, table


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
