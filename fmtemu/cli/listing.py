"""``fmtemu list``: the formats that have a name."""

from __future__ import annotations

import difflib
from itertools import groupby

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from fmtemu.formats.catalog import ENTRIES
from fmtemu.formats.entry import Entry


def list_formats(group: str | None, console: Console) -> None:
    """Print the catalog by group; raises ValueError for a group that does not exist."""
    groups = list(dict.fromkeys(entry.group for entry in ENTRIES))
    if group is not None and group not in groups:
        near = difflib.get_close_matches(group, groups, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown group {group!r}: {hint}groups: {', '.join(groups)}")
    for name in groups if group is None else [group]:
        _print_group(name, [entry for entry in ENTRIES if entry.group == name], console)
    spelt = "posit<6,1>, float<3,2,none>, fixed<4,4>, int5, q4.4, e3m2none, block<int4,32,float16>"
    console.print(f"A format can also be spelt out: {spelt}.")


def _print_group(name: str, entries: list[Entry], console: Console) -> None:
    console.print(f"[bold]{name}[/]")
    for source, of_source in groupby(entries, key=lambda entry: entry.source):
        console.print(f"  [dim]{source}[/]")
        named = Table.grid(padding=(0, 2))
        named.add_column(no_wrap=True, min_width=12)
        plain = []
        for entry in of_source:
            if entry.aliases:
                named.add_row(entry.name, ", ".join(entry.aliases))
            else:
                plain.append(entry.name)
        if named.row_count:
            console.print(Padding(named, (0, 0, 0, 4)))
        if plain:
            console.print(Padding(", ".join(plain), (0, 0, 0, 4)))
    console.print()
