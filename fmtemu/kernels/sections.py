"""Stochastic roundings between known numbers: from sections of the number line to the kernel ``drawn``."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from fmtemu.formats import Format
from fmtemu.kernels.bits import EXPONENT_BIAS, layout
from fmtemu.kernels.steps import find_cells
from fmtemu.rounding import Stochastic

#: Bits of the integers that positions are compared with.
_POSITION_BITS = 62


class Section(NamedTuple):
    """Sources from the key ``start`` on, up to the next section's, lie between two numbers, the lower one
    being that of smaller magnitude, and become one of two results; of the same number there is one."""

    start: int
    lower: Fraction
    upper: Fraction
    results: tuple[int, int]


def draw_fields(sections: Sequence[Section], fmt: Format, rounding: Stochastic) -> tuple[dict[str, int], list[int]]:
    """(fields, table) of the kernel ``drawn`` of fmtemu.kernels.table, whose words have 64 bits; the first
    section begins below all others. Raises ValueError where positions need more."""
    fields, trees, slots = find_cells([section.start for section in sections[1:]], 64)
    table = [*trees, *slots]
    frames, widths, origins, spare = [], [], [], _POSITION_BITS
    for _, lower, upper, _ in sections:
        unit = min(map(_last_place, (lower, upper))) - rounding.bits - 1
        low, high = (abs(end) / Fraction(2) ** unit for end in (lower, upper))
        width, falls = abs(upper - lower) / Fraction(2) ** unit, upper < lower
        if width:
            spare = min(spare, _POSITION_BITS - (int(max(low, high, width)) - 1).bit_length())
        frames.append(2 * (EXPONENT_BIAS[64] + layout(64)["MANTISSA"] + unit) + falls)
        widths.append(int(width) >> (rounding.bits + 1))
        origins.append(int(-lower / Fraction(2) ** unit if falls else lower / Fraction(2) ** unit))
    if spare < 0:
        advice = f"use stochastic({rounding.bits + spare}) or fewer bits, or " if rounding.bits + spare > 0 else "use "
        raise ValueError(
            f"{rounding} rounding of {fmt} needs positions of more than {_POSITION_BITS} bits in arrays; "
            f"{advice}fmtemu.exact, one number at a time"
        )
    pairs = [result for section in sections for result in section.results]
    for name, part in (("pairs", pairs), ("widths", widths), ("origins", origins), ("frames", frames)):
        fields[name] = len(table)
        table = [*table, *part]
    return fields, table


def _last_place(number: Fraction) -> int:
    """The exponent of the last bit of a number that a float holds; of 0 that of 1."""
    n = number.numerator or number.denominator
    return (n & -n).bit_length() - number.denominator.bit_length()
