"""Where a thread is in emulated models."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple


class Running(NamedTuple):
    """A module of an emulated model whose forward runs."""

    emulation: Any
    #: Its qualified name.
    module: str
    #: The step that random bits are drawn for: a tensor without dimensions.
    step: Any


class _Here(threading.local):
    """One for every thread."""

    def __init__(self) -> None:
        #: The modules whose forward runs, the innermost last.
        self.modules: list[Running] = []
        #: The place within an operation that is taken apart.
        self.place: tuple[int, ...] = ()
        #: In multi_head_attention_forward: how many of its stacked products have been seen; else None.
        self.attention: int | None = None


here = _Here()
