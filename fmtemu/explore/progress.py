"""The progress bar of a sweep."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fmtemu.explore.queue import Queue

_REFRESH = 0.5


@contextlib.contextmanager
def progress_bar(queue: Queue, *, shown: bool) -> Iterator[Callable[[], None]]:
    """A bar with the configurations done and the time left on standard error; call it to bring it up to date."""
    if not shown:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    counts = queue.counts()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("configurations", total=counts.total, completed=counts.done)
        last = time.monotonic()

        def show() -> None:
            nonlocal last
            if time.monotonic() - last >= _REFRESH:  # counting reads every trial
                last = time.monotonic()
                progress.update(bar, completed=queue.counts().done)

        yield show
        progress.update(bar, completed=queue.counts().done)
