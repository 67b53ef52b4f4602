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
from fmtemu.backends.numba.loops import make_each, make_each_random, make_nearest
from fmtemu.formats.carrier import fits
from fmtemu.formats.catalog import BY_NAME
from fmtemu.formats.minifloat import Float
from fmtemu.kernels.bind import layout
from fmtemu.kernels.plan import float_bits, make_plan
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import Rounding

#: Elements from which a second thread pays for its start.
THREADED = 1 << 17
#: Elements of an in-place call that pass through a buffer at a time: loops run over two arrays.
BLOCK = 1 << 14

Loop = Callable[..., bool]


@lru_cache(maxsize=4096)
def runner(quantizer: Quantizer, bits: int, to_codes: bool) -> tuple[Loop, tuple[Any, ...]]:
    """(loop, arguments): loop(x, y, *arguments) encodes or casts a flat float array of ``bits``
    bits and returns whether it has a NaN; a stochastic one takes key and offset after them."""
    plan = make_plan(quantizer, bits, to_codes=to_codes)
    values = np.array(plan.values, np.int32 if bits == 32 else np.int64)
    values.setflags(write=False)
    stochastic = quantizer.rounding.is_stochastic
    fast = None if to_codes or stochastic else _nearest_arguments(quantizer, bits)
    if fast is not None:
        return compiled(make_nearest, plan.family, bits, False, False), (values, *fast)
    make = make_each_random if stochastic else make_each
    return compiled(make, plan.family, bits, stochastic, to_codes), (values,)


def _nearest_arguments(quantizer: Quantizer, bits: int) -> tuple[Any, ...] | None:
    """The further arguments of the fast loop for nearest-even floats; None where it does not apply."""
    fmt, outcomes = quantizer.format, quantizer.outcomes
    if not isinstance(fmt, Float) or quantizer.rounding != Rounding("nearest_even"):
        return None
    if not (fmt.signed and fmt.subnormals) or fmt.mantissa_bits < 1 or fmt.exponent_bits < 2:
        return None
    above, below = (fmt.value(code) for code in outcomes.overflow)
    if above != -below or outcomes.flush_below:
        return None  # NaN included: it never equals
    carrier = BY_NAME[f"float{bits}"].format
    extra = carrier.precision - fmt.precision
    if fmt.emax + 1 + extra > carrier.emax or not fits(fmt, carrier):
        return None
    word, real = (np.int32, np.float32) if bits == 32 else (np.int64, np.float64)
    one = carrier.emax << layout(bits)["MANTISSA"]  # the bits of 1.0: the bias is emax
    step = layout(bits)["IMPLICIT"]
    return (
        word(one + fmt.emin * step),
        word(one + (fmt.emax + 1) * step),
        word(extra * step),
        real(fmt.largest),
        real(above),
        real(fmt.value(outcomes.zero[1])),
    )


def run(
    quantizer: Quantizer, x: Any, y: Any, *, to_codes: bool, key: tuple[int, int] | None = None, offset: int = 0
) -> bool:
    """Cast or encode the flat, contiguous float32 or float64 array x into y, which may be x
    itself; returns whether x has a NaN. ``key`` and ``offset`` are for stochastic roundings."""
    loop, arguments = runner(quantizer, 8 * x.itemsize, to_codes)
    if x.size < THREADED and y is not x:
        if key is None:
            return loop(x, y, *arguments)
        return loop(x, y, *arguments, np.uint32(key[0]), np.uint32(key[1]), np.uint64(offset))

    def part(start: int, stop: int) -> bool:
        source, target = x[start:stop], y[start:stop]
        at = () if key is None else (np.uint32(key[0]), np.uint32(key[1]), np.uint64(offset + start))
        if y is not x:
            return loop(source, target, *arguments, *at)
        buffer = source.copy()
        return loop(buffer, target, *arguments, *at)

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
