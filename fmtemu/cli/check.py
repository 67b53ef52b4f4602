"""``fmtemu check`` and ``fmtemu identify``: prove how a caster rounds, or find out what it is."""

from __future__ import annotations

import importlib
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from fmtemu.quantizer import Quantizer
from fmtemu.testing import check_caster, identify, read_table


def load_caster(python: str | None, command: str | None, table: Path | None, source: str, returns: str) -> Any:
    """The one caster that the options name; raises ValueError unless it is exactly one."""
    given = [option for option in (python, command, table) if option is not None]
    if len(given) != 1:
        raise ValueError("give one caster: --python MODULE:FUNCTION, --command 'PROGRAM ARGUMENTS' or --table FILE")
    if python is not None:
        return load_function(python)
    if command is not None:
        return shlex.split(command)
    assert table is not None
    return read_table(table, source, returns)


def load_function(name: str) -> Callable[..., Any]:
    """The function that "module:function" names; modules of the current folder are found too."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise ValueError(f"--python takes MODULE:FUNCTION, got {name!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ValueError(f"--python {name}: {error}") from error
    function = getattr(found, attribute, None)
    if not callable(function):
        raise ValueError(f"--python {name}: {module} has no function {attribute!r}")
    return function  # type: ignore[no-any-return]


def check(caster: Any, quantizer: Quantizer, console: Console, **options: Any) -> bool:
    """Print the report of a check; returns whether all laws hold."""
    report = check_caster(caster, quantizer, **options)
    console.print(report, soft_wrap=True)
    return report.ok


def print_identity(caster: Any, source: str, timeout: float | None, console: Console) -> bool:
    """Print what a caster behaves like; returns whether anything fits exactly."""
    candidates = identify(caster, source=source, timeout=timeout)
    if not candidates:
        console.print("no format without scales has these results: the caster may be random, or scale by blocks")
        return False
    for candidate in candidates:
        console.print(f"{candidate.quantizer}: {candidate.agreeing} of {candidate.inputs} inputs agree", soft_wrap=True)
    return candidates[0].is_exact
