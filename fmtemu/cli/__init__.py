"""The command line: ``fmtemu show | table | list | explain | cast | vectors | check | identify | explore``."""

from __future__ import annotations

import io
import sys

_NEEDED = ("typer", "rich")


def main() -> None:
    """Run the command line; says how to install it where typer or rich is missing."""
    try:
        from fmtemu.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        sys.exit(f"fmtemu: the command line needs {' and '.join(_NEEDED)}: pip install 'fmtemu[cli]'")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a drawing is no reason to fail where "┤" has no code
    app()
