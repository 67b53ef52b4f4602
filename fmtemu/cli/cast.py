"""``fmtemu cast``: files of tensors in another number format."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from fmtemu.cli.cast_tally import Tally
from fmtemu.cli.cast_tensor import Advance, Job
from fmtemu.cli.cast_work import cast_file
from fmtemu.formats import Scaled


def cast(job: Job, source: Path, target: Path, console: Console) -> None:
    """Cast a file, with a progress bar on standard error, and print what became of it."""
    with _progress_bar() as start:
        tallies, copied = cast_file(job, source, target, start)
    total = Tally()
    for tally in tallies.values():
        total += tally
    console.print(f"[bold]{escape(str(target))}[/]", soft_wrap=True)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    for name, text in _facts(job, tallies, total, copied):
        facts.add_row(name, escape(text))
    console.print(facts)


def _facts(job: Job, tallies: dict[str, Tally], total: Tally, copied: int) -> Iterator[tuple[str, str]]:
    yield "format", str(job.quantizer)
    yield "tensors", f"{len(tallies)} cast" + (f", {copied} copied as they are" if copied else "")
    share = f" ({100 * total.changed / total.values:.3g} %)" if total.values else ""
    yield "values", f"{total.values}, of which the cast changed {total.changed}{share}"
    if total.lost:
        yield "lost", f"{total.lost} of the finite values became infinite or NaN; they do not count in the SQNR"
    yield "SQNR", _decibels(total.sqnr)
    if len(tallies) > 1:
        worst = min(tallies, key=lambda name: (math.isnan(tallies[name].sqnr), tallies[name].sqnr))
        yield "lowest SQNR", f"{_decibels(tallies[worst].sqnr)}, of {worst}"
    in_file = 8 * total.bytes / max(total.values, 1)
    fmt = job.quantizer.format
    bits = float(fmt.bits_per_value) if isinstance(fmt, Scaled) else fmt.bits
    yield "bits per value", f"{bits:.6g} in the format, {in_file:.6g} in the file"


def _decibels(sqnr: float) -> str:
    if math.isnan(sqnr):
        return "beyond float64"
    return "infinite: no value has an error" if sqnr == math.inf else f"{sqnr:.2f} dB"


@contextmanager
def _progress_bar() -> Iterator[Callable[[int], Advance]]:
    """A bar on standard error if that is a terminal: call it with the number of words to come."""
    console = Console(stderr=True)
    columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("left {task.description}"))
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:

        def start(total: int) -> Advance:
            bar = progress.add_task("", total=total)
            return lambda name, done: progress.update(bar, advance=done, description=escape(name))

        yield start
