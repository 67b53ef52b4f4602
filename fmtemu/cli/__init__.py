"""The command line: ``fmtemu show | table | list | explain | explore``."""

from __future__ import annotations

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
    app()
