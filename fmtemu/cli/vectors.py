"""``fmtemu vectors``: golden vectors for testbenches."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fmtemu.quantizer import Quantizer
from fmtemu.testing.vector_columns import Column
from fmtemu.testing.vector_files import check_kind, manifest_path
from fmtemu.testing.vectors import golden_vectors


def write_vectors(quantizer: Quantizer, source: str, most: int | None, target: Path, console: Console) -> None:
    """Make the vectors, write them, and print what is in the file."""
    check_kind(target)
    vectors = golden_vectors(quantizer, source=source, most=most)
    vectors.save(target)
    console.print(f"[bold]{escape(str(target))}[/]", soft_wrap=True)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    facts.add_row("quantizer", escape(str(quantizer)))
    extent = "every decision of the format" if vectors.complete else "a sample of the decisions; see --most"
    facts.add_row("rows", f"{len(vectors)}, {extent}")
    for column in vectors.columns:
        facts.add_row("given" if column.role == "input" else "expected", escape(_shown(column)))
    facts.add_row("manifest", escape(str(manifest_path(target))))
    console.print(facts)


def _shown(column: Column) -> str:
    each = f"{column.count} of {column.bits} bits" if column.count > 1 else f"{column.bits} bits"
    return f"{column.name}: {column.meaning}, {each}"
