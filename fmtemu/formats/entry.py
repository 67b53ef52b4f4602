"""A line of the catalog."""

from __future__ import annotations

from dataclasses import dataclass

from fmtemu.formats.base import Format


@dataclass(frozen=True)
class Entry:
    """A named format: its group, the source that defines it, and other names people type."""

    name: str
    format: Format
    group: str
    source: str
    aliases: tuple[str, ...] = ()
