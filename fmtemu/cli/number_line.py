"""Drawings of where a format's values lie."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

from fmtemu.cli.text import decimal
from fmtemu.formats import Format
from fmtemu.formats.base import floor_log2

_BLOCKS = " ▁▂▃▄▅▆▇█"
_TALLEST = 8
_WIDEST_BAR = 4


def value_line(fmt: Format, width: int) -> list[str] | None:
    """Every value at its place on a line of at most ``width`` characters, with labels where they
    fit; None where the values are too many or too close for that."""
    if fmt.count > width:
        return None
    values = fmt.values()
    span = values[-1] - values[0]
    closest = min(b - a for a, b in itertools.pairwise(values))
    columns_per_step = int((width - 1) * closest / span)
    if columns_per_step == 0:
        return None
    column_of = {v: round((v - values[0]) / closest * columns_per_step) for v in values}
    line, labels = ["─"] * (column_of[values[-1]] + 1), [" "] * (column_of[values[-1]] + 1)
    # The ends and zero are labelled first, then the roundest numbers that still fit.
    by_roundness = sorted(values, key=lambda v: (v not in (values[0], values[-1], 0), _last_bit(v), abs(v)))
    for v in by_roundness:
        column, text = column_of[v], decimal(v)
        line[column] = "┴" if v else "┼"
        start = min(max(column - len(text) // 2, 0), len(labels) - len(text))
        if not "".join(labels[max(start - 1, 0) : start + len(text) + 1]).strip():
            labels[start : start + len(text)] = text
    return ["".join(line), "".join(labels).rstrip()]


def _last_bit(v: Fraction) -> Fraction:
    """The reciprocal of the largest power of two that divides v."""
    return Fraction(v.denominator, v.numerator & -v.numerator) if v else Fraction(0)


def precision_profile(fmt: Format, width: int) -> list[str]:
    """Bars over powers of two, as high as the positive values from there to the next power have
    significant bits (log2 of their count, plus 1), at most ``width`` characters wide."""
    low, high = floor_log2(fmt.smallest), fmt.emax
    room = width - 5
    exponents = range(low, high + 1, -(-(high - low + 1) // room))  # where they are many, a sample
    counts = [_values_between(fmt, e) for e in exponents]
    bars = [math.log2(count) + 1 if count else 0.0 for count in counts]
    bar_width = min(room // len(bars), _WIDEST_BAR)
    top = math.ceil(max(bars))
    rows = min(top, _TALLEST)
    lines = []
    for row in range(rows, 0, -1):
        eighths = [round(8 * min(max(bar * rows / top - row + 1, 0.0), 1.0)) for bar in bars]
        label = f"{top}" if row == rows else "1" if row == 1 and rows == top else ""
        lines.append(f"{label:>3} ┤" + "".join(_BLOCKS[n] * bar_width for n in eighths).rstrip())
    lines.append("    └" + "─" * (bar_width * len(bars)))
    lines.append("     " + _powers(exponents, bar_width, room))
    return lines


def _powers(exponents: range, bar_width: int, room: int) -> str:
    """The powers of two under their bars, as many as fit loosely."""
    longest = max(len(f"2^{e}") for e in (exponents[0], exponents[-1]))
    every = -(-max(longest + 2, 9 if len(exponents) * bar_width > 40 else 0) // bar_width)
    text = ""
    for place, exponent in zip(range(0, room, every * bar_width), exponents[::every], strict=False):
        if place + len(f"2^{exponent}") <= room:
            text = text.ljust(place) + f"2^{exponent}"
    return text


def _values_between(fmt: Format, exponent: int) -> int:
    """How many values v have 2**exponent <= v < 2**(exponent + 1)."""
    beyond = fmt.limits()[0] + 1
    start, end = (_first_code(fmt, Fraction(2) ** e) for e in (exponent, exponent + 1))
    return min(end, beyond) - min(start, beyond)


def _first_code(fmt: Format, magnitude: Fraction) -> int:
    """The lowest magnitude code whose value is not below ``magnitude``."""
    if magnitude > fmt.largest:
        return fmt.limits()[0] + 1
    lower, upper, d = fmt.locate(magnitude)
    return upper if d else lower
