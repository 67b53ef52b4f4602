"""``fmtemu show``: what a format is, on one screen."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fmtemu.cli.number_line import precision_profile, value_line
from fmtemu.cli.text import FIELD_STYLES, decimal, exact, hexadecimal
from fmtemu.formats import LNS, Codebook, Fixed, Float, Format, HiFloat8, Posit, Takum
from fmtemu.formats.catalog import BY_NAME
from fmtemu.formats.lns import EXPONENTS, LNS_SPECIALS
from fmtemu.formats.minifloat import SPECIALS
from fmtemu.formats.tapered import Tapered
from fmtemu.quantizer import Quantizer

#: The entries of a codebook that are shown in its constructor; `fmtemu table` lists all.
_MOST_ENTRIES = 16


def show(fmt: Format, console: Console) -> None:
    """Print the format's facts and a drawing of its values."""
    many = isinstance(fmt, Codebook) and fmt.count > _MOST_ENTRIES
    name = "codebook" if many and str(fmt) == fmt.spelling() else str(fmt)
    console.print(f"[bold]{name}[/]  {f'Codebook of {fmt.count} entries' if many else escape(repr(fmt))}")
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    for name, text in _facts(fmt):
        facts.add_row(name, text)
    console.print(facts)
    console.print()
    drawn = value_line(fmt, console.width)
    if drawn is None:
        drawn = precision_profile(fmt, console.width)
        console.print("[dim]significant bits of the values at each power of two[/]")
    for line in drawn:
        console.print(escape(line), no_wrap=True, soft_wrap=True)


def _facts(fmt: Format) -> Iterator[tuple[str, str]]:
    entry = BY_NAME.get(str(fmt))
    if entry:
        if entry.aliases:
            yield "also called", ", ".join(entry.aliases)
        yield "source", entry.source
    yield "bits", f"{fmt.bits}: {_layout(fmt)}"
    if isinstance(fmt, Float):
        yield "special codes", SPECIALS[fmt.specials]
        yield "bias", str(fmt.bias)
    if isinstance(fmt, LNS):
        yield "value", f"2**{'L' if fmt.log_step == 1 else f'(L * {fmt.log_step})'} for the exponent L"
        yield "least exponent", LNS_SPECIALS[str(fmt.specials)]
    yield "precision", f"{fmt.precision} significant bit{'s' * (fmt.precision > 1)}{_precision_note(fmt)}"
    yield "exponents", f"emin {fmt.emin}, emax {fmt.emax}"
    yield "values", f"{fmt.count} different finite values"
    yield "largest", _both(fmt.largest)
    if fmt.lowest != -fmt.largest:
        yield "lowest", _both(fmt.lowest)
    if isinstance(fmt, Float):
        for name, value in [("normal", fmt.smallest_normal), ("subnormal", fmt.smallest_subnormal)]:
            yield f"smallest {name}", "none" if value is None else _both(value)
    else:
        yield "smallest positive", _both(fmt.smallest)
    if fmt.eps is not None:
        yield "eps", f"{_both(fmt.eps)}, from 1 to the next value"
    yield "zero", _zeros(fmt)
    yield "infinity", _infinities(fmt)
    yield "NaN", _nans(fmt)
    yield "overflow", _overflow(fmt)


def _layout(fmt: Format) -> str:
    if isinstance(fmt, Float):
        parts = [("sign", int(fmt.signed)), ("exponent", fmt.exponent_bits), ("mantissa", fmt.mantissa_bits)]
        return " | ".join(f"[{FIELD_STYLES[name]}]{name} {bits}[/]" for name, bits in parts if bits)
    if isinstance(fmt, LNS):
        sign = "[red]sign 1[/] | " if fmt.signed else ""
        return f"{sign}[green]exponent {fmt.bits - fmt.signed}[/], {EXPONENTS[fmt.exponent]}"
    if isinstance(fmt, Posit):
        regime = f"2..{fmt.longest_run}" if fmt.longest_run > 1 else "1"
        return f"[red]sign 1[/] | [yellow]regime {regime}[/] | [green]exponent {fmt.es}[/] | [cyan]fraction[/]"
    if isinstance(fmt, HiFloat8):
        fields = {"sign": "1", "dot": "2..4", "exponent": "0..4", "mantissa": "1..3"}
        return _ranges(fields)
    if isinstance(fmt, Takum):
        fields = {"sign": "1", "direction": "1", "regime": "3", "characteristic": "0..7", "mantissa": ""}
        return _ranges(fields)
    if isinstance(fmt, Codebook):
        return f"[{FIELD_STYLES['index']}]index[/] of {fmt.count} entries"
    kind = "two's complement" if fmt.has_negative else "unsigned"
    if isinstance(fmt, Fixed):
        return f"{kind}, integer {fmt.int_bits} | fraction {fmt.frac_bits}"
    return kind


def _ranges(fields: dict[str, str]) -> str:
    """Fields of varying width, and how many bits each has."""
    return " | ".join(f"[{FIELD_STYLES[name]}]{f'{name} {bits}'.strip()}[/]" for name, bits in fields.items())


def _precision_note(fmt: Format) -> str:
    if fmt.is_carrier_rounded or (isinstance(fmt, Takum) and fmt.logarithmic):
        return ", to which irrational values are rounded"
    if isinstance(fmt, Tapered | HiFloat8):
        return " at most, near 1"
    return " with the hidden one" if isinstance(fmt, Float) else ""


def _both(value: Fraction) -> str:
    """The value in decimal and, where that says more, exactly."""
    near, true = decimal(value), exact(value)
    return near if near == true else f"{near}  =  {true}" if not near.startswith("≈") else f"{true}  {near}"


def _zeros(fmt: Format) -> str:
    if not fmt.has_zero:
        return "none"
    zero = hexadecimal(fmt, fmt.join(False, 0))
    return f"+0 {zero}, -0 {hexadecimal(fmt, fmt.join(True, 0))}" if fmt.has_negative_zero else f"{zero}, no -0"


def _infinities(fmt: Format) -> str:
    plus, minus = fmt.infinity_code, fmt.negative_infinity_code
    if plus is None:
        return "none"
    return hexadecimal(fmt, plus) if minus is None else f"{hexadecimal(fmt, plus)}, -inf {hexadecimal(fmt, minus)}"


def _nans(fmt: Format) -> str:
    if fmt.nan_code is None:
        return "none"
    name = "NaR " if isinstance(fmt, Tapered) else ""
    others = fmt.count + fmt.has_negative_zero
    others += sum(code is not None for code in (fmt.infinity_code, fmt.negative_infinity_code))
    every_code_means_something = not (isinstance(fmt, Float) and not fmt.subnormals)
    count = (1 << fmt.bits) - others if every_code_means_something else 1
    return f"{name}{hexadecimal(fmt, fmt.nan_code)}" + (f", the canonical one of {count}" if count > 1 else "")


def _overflow(fmt: Format) -> str:
    """What the default edges and rounding make of too large numbers, infinities and NaN."""
    outcomes = Quantizer(fmt).outcomes
    large, infinite = fmt.value(outcomes.overflow[0]), fmt.value(outcomes.infinity[0])
    finite = f"saturates at {decimal(large)}" if large == fmt.largest else f"becomes {_special(fmt, large)}"
    infinity = f"saturates at {decimal(infinite)}" if infinite == fmt.largest else f"becomes {_special(fmt, infinite)}"
    if isinstance(large, float):
        return f"by default {finite}"
    if finite == infinity:
        return f"by default {finite}, infinity too"
    return f"by default {finite}; infinity {infinity}"


def _special(fmt: Format, value: Fraction | float) -> str:
    return "NaR" if isinstance(fmt, Tapered) and value != value else {"inf": "infinity", "nan": "NaN"}[str(value)]
