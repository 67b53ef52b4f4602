"""Explore which formats a trained model survives, and at what cost.

Write a Python file with a function ``study()`` that returns a ``Study``, then call ``run`` or
``fmtemu explore file.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fmtemu.explore.study import ExploreError, Study

if TYPE_CHECKING:
    from fmtemu.explore.front import pareto_front
    from fmtemu.explore.sweep import Exploration, run

__all__ = ["Exploration", "ExploreError", "Study", "pareto_front", "run"]

_LAZY = {"Exploration": "sweep", "run": "sweep", "pareto_front": "front"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    except ModuleNotFoundError as error:
        raise needs_extra(error) from error


def needs_extra(error: ModuleNotFoundError) -> ImportError:
    """The error that says how to install what is missing."""
    return ImportError(f"explore needs {error.name}, which is not installed: pip install 'fmtemu[explore]'")
