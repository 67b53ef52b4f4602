"""STUDY: the model to explore, read from the user's Python file."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

FUNCTION = "study"  # what a file is asked for when no function is named


class ExploreError(ValueError):
    """Something in the study, the settings or the storage that its user can put right."""


@dataclass(frozen=True)
class Study:
    """What is explored: a trained model, inputs to calibrate scales on, and its score.

    ``model``: a trained torch module on the CPU, or a function that trains and returns one (called
    once; the result is kept in the output folder). ``calibration``: a tensor, a tuple of positional
    arguments, or a list of either, as the model is called with. ``evaluate``: model -> score, the
    higher the better. ``layers``: names of the layers to quantize; None is every Linear and Conv.
    """

    model: nn.Module | Callable[[], nn.Module]
    calibration: Any
    evaluate: Callable[[nn.Module], float]
    layers: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Source:
    """Where a study was loaded from: what was given, its name, and the SHA-256 of its file."""

    spec: str
    name: str
    digest: str


def load_study(spec: str) -> tuple[Study, Source]:
    """The Study that ``spec`` gives: "file.py", "file.py:function" or "package.module:function".

    The function (``study`` unless named) takes no arguments and returns a Study. Raises
    ExploreError where the file, the function or what it returns is not as it must be.
    """
    where, function = _split(spec)
    module = _load_file(Path(where)) if where.endswith(".py") else _load_module(where, spec)
    make = getattr(module, function, None)
    if not callable(make):
        raise ExploreError(
            f"{where} has no function {function}(): it must return fmtemu.explore.Study(model, calibration, evaluate)"
        )
    found = make()
    _check(found, f"{function}() of {where}")
    path = Path(inspect.getfile(module))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return found, Source(spec, path.stem, digest)


def _split(spec: str) -> tuple[str, str]:
    where, colon, function = spec.rpartition(":")
    if not colon or function.endswith(".py"):  # the colon of a Windows drive is none of ours
        where, function = spec, FUNCTION
    if not where or not function.isidentifier():
        raise ExploreError(f"STUDY must be file.py, file.py:function or module:function, got {spec!r}")
    return where, function


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ExploreError(f"no such file: {path}")
    # A name that is the same in every process, so that the pickled model finds its classes again.
    name = f"fmtemu_study_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # the path ends in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if str(path.parent.resolve()) not in sys.path:  # as `python file.py` would find its neighbours
        sys.path.insert(0, str(path.parent.resolve()))
    spec.loader.exec_module(module)
    return module


def _load_module(name: str, spec: str) -> ModuleType:
    if "" not in sys.path and os.getcwd() not in sys.path:  # as `python -m` would find it
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise  # the module is there, something it imports is not
        raise ExploreError(f"no module {name!r} for STUDY {spec!r}; a file's name must end in .py") from error


def _check(found: object, where: str) -> None:
    from torch import nn

    if not isinstance(found, Study):
        raise ExploreError(f"{where} must return fmtemu.explore.Study(model, calibration, evaluate), got {found!r}")
    if not isinstance(found.model, nn.Module) and not callable(found.model):
        raise ExploreError(f"{where}: model must be a torch module or a function that returns one, got {found.model!r}")
    if not callable(found.evaluate):
        raise ExploreError(f"{where}: evaluate must be a function of the model, got {found.evaluate!r}")
    if found.calibration is None or (isinstance(found.calibration, list) and not found.calibration):
        raise ExploreError(f"{where}: calibration holds no inputs")
