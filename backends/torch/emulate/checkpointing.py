"""Activation checkpointing of emulated models: what the backward pass computes again is emulated as the first time."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch.utils.checkpoint as torch_checkpoint

from fmtemu.backends.torch.emulate.place import here


class _Resumed:
    """A checkpointed function that takes the emulation it was first called in along into the backward pass."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._place = tuple(here.modules), here.place, here.attention

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if here.modules:
            return self._function(*args, **kwargs)
        modules, here.place, here.attention = self._place
        here.modules.extend(modules)
        try:
            with modules[-1].emulation.mode:
                return self._function(*args, **kwargs)
        finally:
            here.modules.clear()


def _resuming(function: Callable[..., Any]) -> Callable[..., Any]:
    return _Resumed(function) if here.modules else function


def follow_checkpoints() -> None:
    """Let torch.utils.checkpoint hand its functions over; done once, and without effect outside of emulations."""
    if hasattr(torch_checkpoint.CheckpointFunction.forward, "__wrapped__"):
        return
    reentrant = torch_checkpoint.CheckpointFunction.forward
    other = torch_checkpoint._checkpoint_without_reentrant_generator

    @wraps(reentrant)
    def forward(ctx: Any, run_function: Callable[..., Any], *args: Any) -> Any:
        return reentrant(ctx, _resuming(run_function), *args)

    @wraps(other)
    def generator(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return other(_resuming(fn), *args, **kwargs)

    torch_checkpoint.CheckpointFunction.forward = staticmethod(forward)  # type: ignore[method-assign]
    torch_checkpoint._checkpoint_without_reentrant_generator = generator
