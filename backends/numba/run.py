"""Running a loop over a flat array: in one piece, by blocks in place, or on several threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
from numba import config

from fmtemu.backends.numba.routes import Route

#: Elements from which a second thread pays for its start, measured on two virtual cores; each further
#: thread takes half as many.
THREADED = 1 << 23
#: Elements of an in-place call that pass through a buffer at a time: loops run over two arrays.
BLOCK = 1 << 14


def run(route: Route, x: Any, y: Any, key: tuple[int, int] | None = None, offset: int = 0) -> bool:
    """Run the route's loop from the flat array x into y, which may be x itself; returns whether x
    has a NaN. ``key`` and the element ``offset`` are for stochastic roundings."""
    if key is None and x.size < THREADED and y is not x:
        return route.loop(x, y, route.values)  # type: ignore[no-any-return]

    def part(start: int, stop: int) -> bool:
        source, target = x[start:stop], y[start:stop]
        if y is x:
            source = source.copy()
        at = () if key is None else (np.uint32(key[0]), np.uint32(key[1]), np.uint64(offset + start))
        return route.loop(source, target, route.values, *at)  # type: ignore[no-any-return]

    return run_parts(part, x.size, 1, BLOCK if y is x else None)


def run_parts(part: Callable[[int, int], bool], size: int, multiple: int, step: int | None = None) -> bool:
    """Call part(start, stop) for parts of ``size`` elements, ``step`` each or one per thread, that start
    at multiples of ``multiple``; returns whether any call did return True. In a call that is such a part there are no
    further threads: all may be waiting as it does."""
    threads = 1 if _is_worker() else max(min(config.NUMBA_NUM_THREADS, 2 * size // THREADED), 1)
    if threads == 1 and step is None:
        return part(0, size)
    step = step or -(-size // (threads * multiple)) * multiple
    starts = range(0, size, step)
    stops = [min(start + step, size) for start in starts]
    found = list(map(part, starts, stops) if threads == 1 else _pool().map(part, starts, stops))
    return any(found)


_worker = threading.local()


def _is_worker() -> bool:
    """Whether this thread is one of the pool's."""
    return getattr(_worker, "is_one", False)


def _start_worker() -> None:
    _worker.is_one = True


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(config.NUMBA_NUM_THREADS, thread_name_prefix="fmtemu", initializer=_start_worker)


# A forked child has the pool but not its threads.
os.register_at_fork(after_in_child=_pool.cache_clear)
