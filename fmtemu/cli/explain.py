"""``fmtemu explain``: why one number becomes the code it becomes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table

from fmtemu import exact as oracle
from fmtemu.cli.edge_reasons import edge_reason
from fmtemu.cli.neighbours import Neighbours, find_neighbours, is_finite
from fmtemu.cli.text import decimal, exact, hexadecimal, markup, telling_digits
from fmtemu.formats import LNS, Format
from fmtemu.formats.base import Value
from fmtemu.formats.tapered import Tapered
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import Stochastic

_BAR = 41
Row = tuple[str, RenderableType]


def explain(typed: str, x: Value, quantizer: Quantizer, console: Console) -> None:
    """Print how ``x`` is rounded by ``quantizer``; ``typed`` is how the user wrote x."""
    console.print(f"[bold]{escape(typed)}[/] in [bold]{quantizer.format}[/], {escape(str(quantizer.rounding))}")
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="dim", no_wrap=True)
    lines.add_column()
    for name, text in rows(x, quantizer):
        lines.add_row(name, text)
    console.print(lines)


def rows(number: Value, quantizer: Quantizer) -> Iterator[Row]:
    """What there is to say about a number and a quantizer without scales, by name."""
    yield "number", describe(number)
    x = number
    if quantizer.via is not None and number == number:
        x = oracle.cast(number, Quantizer(quantizer.via))
        yield "via", f"rounded to {quantizer.via} first: {describe(x)}"
    neighbours = find_neighbours(x, quantizer)
    if neighbours is not None:
        yield from _neighbour_rows(neighbours, quantizer)
        yield "rounding", f"{quantizer.rounding}: {quantizer.rounding.definition}"
        if isinstance(quantizer.rounding, Stochastic) and neighbours.d:
            yield from _stochastic_rows(number, x, neighbours, quantizer)
            return
        yield "", _decision(neighbours, quantizer)
    yield from _outcome_rows(number, x, neighbours, quantizer, random=0)


def describe(x: Value) -> str:
    """x exactly, and in decimal where that says more."""
    near, true = decimal(x), exact(x)
    return (
        near
        if near == true or len(true) > 60 or true[0] == "≈"
        else f"{true} {near}"
        if near[0] == "≈"
        else f"{near} = {true}"
    )


def _neighbour_rows(neighbours: Neighbours, quantizer: Quantizer) -> Iterator[Row]:
    if neighbours.note:
        yield "neighbours", neighbours.note
        return
    if neighbours.d == 0:
        place = "it is a value of the format" if neighbours.pair[0][1] is not None else _past(neighbours, quantizer)
        yield "neighbours", f"none needed: {place}"
        return
    shown = Table.grid(padding=(0, 2))
    for value, code in neighbours.pair:
        near = decimal(value, telling_digits(quantizer.format))
        if code is None:
            shown.add_row(near, f"[dim]{_past(neighbours, quantizer)}[/]")
        else:
            shown.add_row(near, markup(quantizer.format, code), hexadecimal(quantizer.format, code))
    yield "neighbours", shown
    at = min(max(round(neighbours.d * (_BAR - 1)), 1), _BAR - 2)
    bar = "├" + "─" * (at - 1) + "●" + "─" * (_BAR - 2 - at) + "┤"
    yield "position", f"{bar}  d {_position(neighbours.d)}"
    where = _coordinate(quantizer.format)
    if where and neighbours.position_in_value != neighbours.d:
        yield "", f"(in the {where}, where it rounds; by value the position is another)"


def _coordinate(fmt: Format) -> str:
    """Where the format rounds, if not in value."""
    if isinstance(fmt, LNS):
        return "logarithm" if fmt.coordinate == "log" else ""
    return f"{fmt.family}'s encoding" if isinstance(fmt, Tapered) else ""


def _past(neighbours: Neighbours, quantizer: Quantizer) -> str:
    """Why a value on the grid continued without end is not one of the format."""
    fmt = quantizer.format
    if neighbours.negative and not fmt.has_negative:
        return "the format has no negative numbers"
    return f"past {decimal(fmt.lowest if neighbours.negative else fmt.largest)}, the last one"


def _position(d: Fraction) -> str:
    text = exact(d)
    irrational = d.denominator >> 64  # known no better than that
    return f"= {text}" if len(text) <= 32 and text[0] != "≈" and not irrational else decimal(d)


def _decision(neighbours: Neighbours, quantizer: Quantizer) -> str:
    name, so = quantizer.rounding.name, f"so {decimal(neighbours.chosen_value, telling_digits(quantizer.format))}"
    if neighbours.d == 0 and not neighbours.note and name != "jam":
        return "nothing to round"
    if not name.startswith("nearest") or neighbours.note:
        return so
    half = Fraction(1, 2)
    if neighbours.d == half:
        return f"d = 1/2 is a tie, {so}"
    return f"d {'<' if neighbours.d < half else '>'} 1/2, {so}"


def _stochastic_rows(number: Value, x: Value, neighbours: Neighbours, quantizer: Quantizer) -> Iterator[Row]:
    """The two outcomes, with their probabilities."""
    rounding = quantizer.rounding
    assert isinstance(rounding, Stochastic)
    whole = 1 << rounding.bits
    k = oracle.probability(neighbours.d, rounding)
    yield "", f"k = {k}, so the second neighbour has probability {k}/{whole}"
    for weight, random, upper in ((whole - k, 0, False), (k, whole - 1, True)):
        if weight:
            yield "", ""
            yield "probability", f"{weight}/{whole}{f' = {exact(Fraction(weight, whole))}' if weight % 2 == 0 else ''}"
            yield from _outcome_rows(number, x, neighbours.choosing(upper), quantizer, random)


def _outcome_rows(
    number: Value, x: Value, neighbours: Neighbours | None, quantizer: Quantizer, random: int
) -> Iterator[Row]:
    yield "edges", edge_reason(x, neighbours, quantizer)
    fmt, code = quantizer.format, oracle.encode(number, quantizer, random)
    if code is None:
        yield "result", "NaN in the array's own type; there is no code for it"
        return
    value = fmt.value(code)
    name = "NaR" if isinstance(fmt, Tapered) and value != value else decimal(value, telling_digits(fmt))
    shown = Table.grid(padding=(0, 2))
    shown.add_row(f"[bold]{name}[/]", markup(fmt, code), hexadecimal(fmt, code))
    yield "result", shown
    if is_finite(number) and is_finite(value):
        yield "error", _error(Fraction(value) - Fraction(number), Fraction(number), neighbours)


def _error(error: Fraction, x: Fraction, neighbours: Neighbours | None) -> str:
    if error == 0:
        return "0: exact"
    parts = [signed(error)]
    if neighbours is not None and neighbours.ulp:
        parts.append(f"{signed(error / neighbours.ulp)} ulp")
    if x:
        parts.append(f"{signed(100 * error / abs(x), 3)} % of the number")
    return ", ".join(parts)


def signed(x: Fraction, digits: int = 6) -> str:
    """x in decimal, with its sign."""
    text = decimal(abs(x), digits)
    sign = "+" if x > 0 else "-" if x < 0 else ""
    return f"≈ {sign}{text[2:]}" if text.startswith("≈") else f"{sign}{text}"
