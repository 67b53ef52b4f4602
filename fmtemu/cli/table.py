"""``fmtemu table``: every code of a format."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table

from fmtemu.cli.text import FIELD_STYLES, decimal, exact, fields, hexadecimal, markup
from fmtemu.formats import Float, Format, HiFloat8, Posit, Scaled, Takum
from fmtemu.formats.base import Value
from fmtemu.formats.tapered import Tapered

#: The widest formats that are listed at all, and those that get a drawn table.
LARGEST_BITS = 16
_DRAWN_BITS = 8


def table(fmt: Format, console: Console, plain: bool) -> None:
    """Print all codes with their fields and values; raises ValueError above 16 bits."""
    if fmt.bits > LARGEST_BITS:
        raise ValueError(
            f"{fmt} has 2^{fmt.bits} codes; table lists formats of at most {LARGEST_BITS} bits "
            f"(`fmtemu show {fmt}` gives the facts)"
        )
    if isinstance(fmt, Scaled):
        console.print(f"{fmt}: its elements, in units of their scale")
        fmt = fmt.element
    if plain or fmt.bits > _DRAWN_BITS:
        _print_plain(fmt, console)
    else:
        _print_drawn(fmt, console)


def _print_drawn(fmt: Format, console: Console) -> None:
    console.print(f"[bold]{fmt}[/]: {' | '.join(f'[{FIELD_STYLES[name]}]{name}[/]' for name in _field_names(fmt))}")
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("code", "bits", "exact", "decimal", "kind"):
        drawn.add_column(name, justify="right" if name in ("code", "exact", "decimal") else "left")
    for code in fmt.codes():
        value = fmt.value(code)
        drawn.add_row(hexadecimal(fmt, code), markup(fmt, code), exact(value), decimal(value), kind(fmt, code, value))
    console.print(drawn)


def _print_plain(fmt: Format, console: Console) -> None:
    """One line per code with fixed columns: for a pager, grep or a spreadsheet."""
    width = fmt.bits + 3
    print("code".ljust(8), "bits".ljust(width), "exact".rjust(16), "decimal".rjust(16), "kind", file=console.file)
    for code in fmt.codes():
        value = fmt.value(code)
        bits = " ".join(field for _, field in fields(fmt, code))
        columns = (hexadecimal(fmt, code).ljust(8), bits.ljust(width), exact(value).rjust(16), decimal(value).rjust(16))
        print(*columns, kind(fmt, code, value), file=console.file)


def _field_names(fmt: Format) -> Iterator[str]:
    if isinstance(fmt, Posit):
        return iter(("sign", "regime", "exponent", "fraction"))
    if isinstance(fmt, HiFloat8):
        return iter(("sign", "dot", "exponent", "mantissa"))
    if isinstance(fmt, Takum):
        return iter(("sign", "direction", "regime", "characteristic", "mantissa"))
    return (name for name, _ in fields(fmt, 0))


def kind(fmt: Format, code: int, value: Value) -> str:
    """What sort of number a code is: "", "zero", "subnormal", "infinity", "NaN" or "NaR"."""
    if isinstance(value, float):
        if math.isnan(value):
            return "NaR" if isinstance(fmt, Tapered) else "NaN"
        return "zero" if value == 0 else "infinity"
    if value == 0:
        return "zero"
    if isinstance(fmt, Float) and fmt.has_zero and abs(value).numerator < 2**fmt.emin * abs(value).denominator:
        return "subnormal"
    return ""
