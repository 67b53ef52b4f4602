"""``fmtemu show`` of a format with scales: how its elements share them, then the element."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fmtemu.cli.show import show
from fmtemu.cli.text import decimal, exact
from fmtemu.formats import Scaled, Scaling
from fmtemu.formats.base import floor_log2
from fmtemu.formats.catalog import BY_NAME
from fmtemu.formats.scaled import CHOICES, POWER_RULES, SCALE_RULES


def show_scaled(fmt: Scaled, console: Console) -> None:
    """Print what elements share and how scales are found, and the facts of one element."""
    console.print(f"[bold]{fmt}[/]  {escape(fmt.spelling())}")
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    for name, text in _facts(fmt):
        facts.add_row(name, text)
    console.print(facts)
    console.print("\n[dim]one element, in units of its scale[/]")
    show(fmt.element, console)


def _facts(fmt: Scaled) -> Iterator[tuple[str, str]]:
    scaling = fmt.scaling
    entry = BY_NAME.get(str(fmt))
    if entry:
        if entry.aliases:
            yield "also called", ", ".join(entry.aliases)
        yield "source", entry.source
    yield "value", value_formula(fmt)
    yield "element", f"{fmt.element}, {fmt.bits} bits, at most {decimal(fmt.element.largest)}"
    yield "tile", f"{tile_in_words(scaling)}; {CHOICES['partial'][scaling.partial]}"
    lowest, highest = scaling.bounds
    width = f"{scaling.numbers.bits} bit{'s' * (scaling.numbers.bits > 1)}"
    yield "scale s", f"{scaling.numbers}, {width}, {exact(lowest)} to {exact(highest)}"
    yield "rule", f"{scaling.rule}: {SCALE_RULES[scaling.rule]}"
    if scaling.affine:
        yield "zero point z", f"the integer nearest to lowest - min / s, {fmt.bits} bits; s spans max - min"
    if fmt.outer is not None:
        yield "outer scale t", f"{fmt.outer.numbers}, one for {tile_in_words(fmt.outer)}: {outer_formula(fmt)}"
    yield "apply", f"{scaling.apply}: {CHOICES['apply'][scaling.apply]}"
    yield "not finite", f"{scaling.nonfinite}: {CHOICES['nonfinite'][scaling.nonfinite]}"
    if fmt.outer is not None and fmt.outer.nonfinite == "nan":
        yield "", f"for the outer scale, nan: {CHOICES['nonfinite']['nan']}"
    yield "bits per value", _bits(fmt)


def value_formula(fmt: Scaled) -> str:
    """The value of a code: "element * s", "(element - z) * s" or "element * s * t"."""
    if fmt.scaling.affine:
        return "(element - z) * s"
    return "element * s" if fmt.outer is None else "element * s * t"


def outer_formula(fmt: Scaled) -> str:
    """What t is."""
    assert fmt.outer is not None
    if fmt.outer.rule in POWER_RULES:
        exponent = f"log2(largest magnitude)) - {floor_log2(fmt.outer_largest)}"
        return f"2^({'ceil' if fmt.outer.rule == 'ceil' else 'floor'}({exponent}), 1 for zeros"
    up = ", rounded up" if fmt.outer.rule == "rceil" else ""
    return f"largest magnitude / ({decimal(fmt.element.largest)} * {decimal(fmt.scaling.bounds[1])}){up}, 1 for zeros"


def tile_in_words(scaling: Scaling) -> str:
    """Which elements share a scale: "32 along the last axis", "the whole tensor"."""
    tile, rest = scaling.tile, scaling.rest
    if not tile:
        return "the whole tensor" if rest is None else "one element"
    parts = [f"{'all' if size is None else size} along {_axis(axis)}" for axis, size in tile]
    return " and ".join(parts) + (", all along the others" if rest is None else "")


def _axis(axis: int) -> str:
    return "the last axis" if axis == -1 else f"axis {axis}"


def _bits(fmt: Scaled) -> str:
    share = "a scale per tile besides" if fmt.scaling.size is None else "its share of the scale included"
    if fmt.outer is not None and fmt.scaling.size is not None and fmt.outer.size is not None:
        share = "its shares of both scales included"
    return f"{decimal(fmt.bits_per_value)}, {share}"
