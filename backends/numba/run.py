"""Running a loop over a flat array: in one piece, by blocks in place, or on several threads."""

from __future__ import annotations

import os
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

    threads = max(min(config.NUMBA_NUM_THREADS, 2 * x.size // THREADED), 1)
    step = max(BLOCK if y is x else -(-x.size // threads), 1)
    starts = range(0, x.size, step)
    stops = [min(start + step, x.size) for start in starts]
    found = list(map(part, starts, stops) if threads == 1 else _pool().map(part, starts, stops))
    return any(found)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(config.NUMBA_NUM_THREADS, thread_name_prefix="fmtemu")


# A forked child has the pool but not its threads.
os.register_at_fork(after_in_child=_pool.cache_clear)
