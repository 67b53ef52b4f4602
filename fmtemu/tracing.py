"""What torch.compile is told about functions of this package, without importing torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Function = TypeVar("Function", bound=Callable[..., object])


def constant_when_traced(function: Function) -> Function:
    """Let torch.compile call a pure function of constants while it traces, rather than look inside."""
    function.__dict__["_dynamo_marked_constant"] = True  # what torch.compiler.assume_constant_result does
    return function
