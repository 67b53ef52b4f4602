"""pack and unpack on one thread against a copy of the float32 array that the codes come from.

Run with: pytest tests/benchmarks/test_packing_speed.py --benchmark-enable --benchmark-only
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fmtemu as fe

SIZES = (1 << 20, 1 << 24)
Job = Callable[[Any], Callable[[], Any]]


def copy(x: Any) -> Callable[[], Any]:
    y = np.empty_like(x)
    return lambda: np.copyto(y, x)


def encode(fmt: str) -> Job:
    def job(x: Any) -> Callable[[], Any]:
        codes = fe.encode(x, fmt)
        return lambda: fe.encode(x, fmt, out=codes)

    return job


def pack(fmt: str, bits: int) -> Job:
    def job(x: Any) -> Callable[[], Any]:
        codes = fe.encode(x, fmt)
        packed = fe.pack(codes, bits)
        return lambda: fe.pack(codes, bits, out=packed)

    return job


def unpack(fmt: str, bits: int) -> Job:
    def job(x: Any) -> Callable[[], Any]:
        codes = fe.encode(x, fmt)
        packed = fe.pack(codes, bits)
        return lambda: fe.unpack(packed, bits, x.size, out=codes)

    return job


def encode_and_pack(fmt: str, bits: int) -> Job:
    def job(x: Any) -> Callable[[], Any]:
        codes = fe.encode(x, fmt)
        packed = fe.pack(codes, bits)
        return lambda: fe.pack(fe.encode(x, fmt, out=codes), bits, out=packed)

    return job


def packed_array(fmt: str) -> Job:
    return lambda x: lambda: fe.PackedArray.encode(x, fmt)


def packed_values(fmt: str) -> Job:
    def job(x: Any) -> Callable[[], Any]:
        packed, y = fe.PackedArray.encode(x, fmt), np.empty_like(x)
        return lambda: packed.decode(out=y)

    return job


def unpack_and_decode(fmt: str, bits: int) -> Job:
    def job(x: Any) -> Callable[[], Any]:
        codes = fe.encode(x, fmt)
        packed = fe.pack(codes, bits)
        return lambda: fe.decode(fe.unpack(packed, bits, x.size, out=codes), fmt, out=x)

    return job


def numpy_pack(x: Any) -> Callable[[], Any]:
    codes = fe.encode(x, "e2m1fn")
    return lambda: codes[0::2] | codes[1::2] << 4


JOBS: dict[str, Job] = {"copy": copy}
for fmt, bits in (("e2m1fn", 4), ("e2m3fn", 6), ("float<5,6>", 12)):
    JOBS[f"encode {fmt}"] = encode(fmt)
    JOBS[f"pack {bits} bits"] = pack(fmt, bits)
    JOBS[f"unpack {bits} bits"] = unpack(fmt, bits)
    JOBS[f"encode {fmt} and pack"] = encode_and_pack(fmt, bits)
    JOBS[f"unpack and decode {fmt}"] = unpack_and_decode(fmt, bits)
JOBS["PackedArray.encode e2m1fn, one pass"] = packed_array("e2m1fn")
JOBS["PackedArray.decode e2m1fn, one pass"] = packed_values("e2m1fn")
JOBS["PackedArray.encode int4, one pass"] = packed_array("int4")
JOBS["PackedArray.encode mxfp4"] = packed_array("mxfp4")
JOBS["peer: NumPy expression, pack 4 bits"] = numpy_pack


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("what", JOBS)
def test_speed(benchmark: Any, what: str, size: int) -> None:
    x = np.random.default_rng(0).normal(size=size).astype(np.float32)
    job = JOBS[what](x)
    job()  # compile
    benchmark.group = f"{size} codes"
    benchmark.extra_info.update(what=what, size=size, is_copy=what == "copy")
    benchmark.pedantic(job, rounds=100 if size < 1 << 24 else 25, warmup_rounds=1)
