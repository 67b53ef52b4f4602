"""``fmtemu explain --block``: what a number becomes beside the others of its tile, and why."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fmtemu import exact as oracle
from fmtemu import exact_scaled
from fmtemu.cli.explain import Row, describe, rows, signed
from fmtemu.cli.number import parse_number
from fmtemu.cli.show_scaled import outer_formula, tile_in_words, value_formula
from fmtemu.cli.text import decimal, hexadecimal
from fmtemu.formats import Scaled
from fmtemu.formats.base import Value
from fmtemu.formats.scaled import CHOICES, POWER_RULES, SCALE_RULES
from fmtemu.quantizer import Quantizer


def parse_block(text: str | None, x: Value, quantizer: Quantizer) -> list[Value]:
    """The numbers of a tile beside x, and of the outer tile where that has a size, from ``text`` with commas between
    them, in which x may be or not; raises ValueError for a format without scales and for more numbers than that."""
    if text is None:
        return []
    fmt = quantizer.format
    if not isinstance(fmt, Scaled):
        raise ValueError(f"--block is for formats with scales such as mxfp4, and {fmt} has none")
    others = [parse_number(part) for part in text.split(",")]
    if x in others:
        others.remove(x)
    what, size = "a tile", fmt.scaling.size
    if fmt.outer is not None and fmt.outer.size is not None:
        what, size = "an outer tile", fmt.outer.size
    if size is not None and len(others) >= size:
        raise ValueError(f"--block: {what} of {fmt} has {size} numbers, got {len(others) + 1}")
    return others


def explain_scaled(typed: str, x: Value, others: list[Value], quantizer: Quantizer, console: Console) -> None:
    """Print how ``x`` is rounded in a tile with ``others``: its scale, its quotient, and its value."""
    console.print(f"[bold]{escape(typed)}[/] in [bold]{quantizer.format}[/], {escape(str(quantizer.rounding))}")
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="dim", no_wrap=True)
    lines.add_column()
    for name, text in _rows(x, others, quantizer):
        lines.add_row(name, text)
    console.print(lines)


def _rows(number: Value, others: list[Value], quantizer: Quantizer) -> Iterator[Row]:
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    tile = [number, *others]
    yield "number", describe(number)
    if quantizer.via is not None:
        tile = [oracle.cast(x, Quantizer(quantizer.via)) for x in tile]
        yield "via", f"all rounded to {quantizer.via} first: {describe(tile[0])}"
    everything, tile = tile, tile[: fmt.scaling.size]
    beside = f"with {len(tile) - 1} other{'s' * (len(tile) > 2)}" if others else "this number alone"
    yield "tile", f"{beside}; {tile_in_words(fmt.scaling)}"
    finite = [Fraction(x) for x in tile if exact_scaled.is_finite(x)]
    if fmt.scaling.nonfinite == "nan" and len(finite) < len(tile):
        yield "scale s", f"NaN: {CHOICES['nonfinite']['nan']}"
        yield "value", "NaN"
        return
    found = exact_scaled.outer_scale(everything, fmt) if fmt.outer is not None else Fraction(1)
    if found != found:
        yield "outer t", f"NaN: {CHOICES['nonfinite']['nan']}"
        yield "value", "NaN"
        return
    t = Fraction(found)
    s = exact_scaled.find_scale(tile, fmt, t)
    yield from _scale_rows(finite, fmt, s, t)
    quotient = exact_scaled.divide(tile[0], fmt, s, t)
    yield "quotient", f"{_quotient_formula(fmt)}{_equals(quotient)}"
    if fmt.scaling.affine:
        yield from _affine_rows(tile, quotient, quantizer, s)
    else:
        yield from _element_rows(quotient, quantizer.element)
    if not quantizer.rounding.is_stochastic:
        yield from _value_rows(number, tile, quantizer, s, t)


def _scale_rows(finite: list[Fraction], fmt: Scaled, s: Fraction, t: Fraction) -> Iterator[Row]:
    scaling = fmt.scaling
    low, high = min([*finite, Fraction(0)]), max([*finite, Fraction(0)])
    a = max(high, -low)
    yield "a", f"{describe(a)}, the largest magnitude of the tile"
    if fmt.outer is not None:
        yield "outer t", f"{describe(t)}: {outer_formula(fmt)}; of these numbers alone"
    if scaling.affine:
        span = fmt.element.largest - fmt.element.lowest
        r = (high - low) / span
        yield "r", f"(max - min) / {decimal(span)}{_equals(r)}"
    elif scaling.rule in POWER_RULES and a:
        r = fmt.power_scale(a / t)
        yield "power", f"emax of {fmt.element} is {fmt.element.emax}, so the rule gives {describe(r)}"
    else:
        r = a / (t * fmt.element.largest)
        yield (
            "r",
            f"a / {f'(t * {decimal(fmt.element.largest)})' if fmt.outer else decimal(fmt.element.largest)}{_equals(r)}",
        )
    code = oracle.encode(s, Quantizer(scaling.numbers))
    assert code is not None
    yield "scale s", f"{describe(s)}, {scaling.numbers} {hexadecimal(scaling.numbers, code)}"
    lowest, highest = scaling.bounds
    end = ", cut off at the smallest" if r < lowest else ", cut off at the largest" if r > highest else ""
    yield "", f"{scaling.rule}: {SCALE_RULES[scaling.rule]}{end}" if a else "the smallest, as all is zero"


def _equals(x: Value) -> str:
    """ " = 1/3 ≈ 0.333333", or " ≈ ..." where x is too long to write."""
    text = describe(x)
    return f" {text}" if text.startswith("≈") else f" = {text}"


def _element_rows(quotient: Value, element: Quantizer) -> Iterator[Row]:
    """How the quotient is rounded; errors are told of the value."""
    for name, text in rows(quotient, element):
        if name not in ("number", "error"):
            yield "element" if name == "result" else name, text


def _quotient_formula(fmt: Scaled) -> str:
    if fmt.scaling.apply == "reciprocal":
        return CHOICES["apply"]["reciprocal"].partition(": ")[2].partition(", ")[0]
    return "x / s" if fmt.outer is None else "x / (s * t)"


def _affine_rows(tile: list[Value], quotient: Value, quantizer: Quantizer, s: Fraction) -> Iterator[Row]:
    fmt = quantizer.format
    found = exact_scaled.encode(tile, quantizer)
    yield "zero point", f"{found.zero_point}: lowest - min / s to the nearest integer"
    yield "rounding", f"{quantizer.rounding}: {quantizer.rounding.definition}"
    code = found.codes[0]
    if code is not None and not quantizer.rounding.is_stochastic:
        yield "element", f"{decimal(fmt.value(code))}, within {fmt.lowest}..{fmt.largest}  {hexadecimal(fmt, code)}"


def _value_rows(number: Value, tile: list[Value], quantizer: Quantizer, s: Fraction, t: Fraction) -> Iterator[Row]:
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    value = exact_scaled.decode(exact_scaled.encode(tile, quantizer, t), fmt, t)[0]
    yield "value", f"[bold]{decimal(value, 9)}[/] = {value_formula(fmt)}, in float32"
    if exact_scaled.is_finite(number) and exact_scaled.is_finite(value) and number:
        error = Fraction(value) - Fraction(number)
        percent = f", {signed(100 * error / abs(Fraction(number)), 3)} % of the number" if error else ": exact"
        yield "error", f"{signed(error) if error else '0'}{percent}"
