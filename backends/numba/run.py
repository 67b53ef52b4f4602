"""Running a quantizer over a flat array: the right loop, its arguments, threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
from numba import config

from fmtemu.backends.numba.compile import compiled
from fmtemu.kernels.plan import make_plan
from fmtemu.quantizer import Quantizer

#: Elements from which a second thread pays for its start.
THREADED = 1 << 17
#: Elements of an in-place call that pass through a buffer at a time: loops run over two arrays.
BLOCK = 1 << 14

Loop = Callable[..., bool]


@lru_cache(maxsize=4096)
def runner(quantizer: Quantizer, bits: int, to_codes: bool) -> tuple[Loop, Any]:
    """(loop, values): loop(x, y, values) encodes or casts a flat float array of ``bits`` bits and
    returns whether it has a NaN; a stochastic one takes key and offset after them."""
    plan = make_plan(quantizer, bits, to_codes=to_codes)
    words = (*plan.values, *(plan.quick_values or plan.values), plan.tame)
    values = np.array(words, np.int32 if bits == 32 else np.int64)
    values.setflags(write=False)
    name = quantizer.rounding.name
    rounding = "stochastic" if quantizer.rounding.is_stochastic else name if name == "nearest_even" else "any"
    return compiled(plan.family, plan.quick, rounding, bits, to_codes), values


def run(
    quantizer: Quantizer, x: Any, y: Any, *, to_codes: bool, key: tuple[int, int] | None = None, offset: int = 0
) -> bool:
    """Cast or encode the flat, contiguous float32 or float64 array x into y, which may be x
    itself; returns whether x has a NaN. ``key`` and ``offset`` are for stochastic roundings."""
    loop, values = runner(quantizer, 8 * x.itemsize, to_codes)
    if x.size < THREADED and y is not x:
        if key is None:
            return loop(x, y, values)
        return loop(x, y, values, np.uint32(key[0]), np.uint32(key[1]), np.uint64(offset))

    def part(start: int, stop: int) -> bool:
        source, target = x[start:stop], y[start:stop]
        at = () if key is None else (np.uint32(key[0]), np.uint32(key[1]), np.uint64(offset + start))
        if y is not x:
            return loop(source, target, values, *at)
        buffer = source.copy()
        return loop(buffer, target, values, *at)

    if x.size < THREADED:
        return any([part(start, min(start + BLOCK, x.size)) for start in range(0, x.size, BLOCK)])
    step = BLOCK if y is x else -(-x.size // config.NUMBA_NUM_THREADS)
    bounds = [(start, min(start + step, x.size)) for start in range(0, x.size, step)]
    if config.NUMBA_NUM_THREADS == 1:
        return any([part(*bound) for bound in bounds])
    return any(list(_pool().map(lambda bound: part(*bound), bounds)))


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(config.NUMBA_NUM_THREADS, thread_name_prefix="fmtemu")


# A forked child has the pool but not its threads.
os.register_at_fork(after_in_child=_pool.cache_clear)
