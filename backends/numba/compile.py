"""Compiled loops, made when first needed and kept in Numba's disk cache."""

from __future__ import annotations

import hashlib
from collections import namedtuple
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
from numba import int64, njit, uint32, uint64

from fmtemu import kernels as kernels_package
from fmtemu import random
from fmtemu.backends.numba import loops, words
from fmtemu.kernels.bind import layout
from fmtemu.kernels.plan import FIELDS


@cache
def compiled(make: Callable[[str], Any], family: str, quick: str | None, bits: int, to_codes: bool) -> Any:
    """The loop that ``make`` (of fmtemu.backends.numba.loops) returns, running the kernel of a
    family, and that of ``quick`` on chunks of finite numbers."""
    stochastic = make is loops.make_each_random
    names = dict(_names(bits, stochastic))
    prefix = "encode" if to_codes else "cast"
    names["kernel"] = names[f"{prefix}_{family}"]
    names["quick"] = names[f"{prefix}_{quick or family}"]
    names["tame"] = names["word"](layout(bits)["INFINITY"] - 1 if quick else layout(bits)["MAGNITUDE"])
    names["store"] = names["word" if to_codes else "from_bits"]
    names.update(count=len(FIELDS[family]), quick_count=len(FIELDS[quick or family]))
    names["Fields"] = namedtuple("Fields", FIELDS[family])
    names["QuickFields"] = namedtuple("QuickFields", FIELDS[quick or family])
    return _compile(make(f"{prefix} {family} {quick} {bits} {stochastic} {_source_hash()}"), names)


@cache
def compiled_lookup() -> Any:
    """The loop of a table lookup, for any dtypes of codes and values."""
    return _compile(loops.make_lookup(_source_hash()), {"range": range})


def _compile(loop: Any, names: dict[str, Any]) -> Any:
    names["__name__"] = loops.__name__
    bound = FunctionType(loop.__code__, names, loop.__name__, closure=loop.__closure__)
    return njit(cache=True, nogil=True)(bound)


@cache
def _names(bits: int, stochastic: bool) -> dict[str, Any]:
    """What the loops' code looks up."""
    names = words.kernels(bits, stochastic=stochastic)
    names.update(int64=int64, uint32=uint32, uint64=uint64, empty=np.empty, CHUNK=loops.CHUNK)
    names["to_fixed_tuple"] = loops.to_fixed_tuple
    names["fill_random"] = njit(FunctionType(loops.fill_random.__code__, names, "fill_random"))
    return names


@cache
def _source_hash() -> str:
    """A hash of every source that a compiled loop is made of: by itself Numba's disk cache looks
    at the loop's file only, and would run yesterday's kernel after an edit of another."""
    files = sorted(Path(kernels_package.__file__).parent.glob("*.py"))
    files += [Path(module.__file__) for module in (random, loops, words) if module.__file__]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
