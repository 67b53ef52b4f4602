"""Casts, encodes and decodes on one thread against a copy of the same array and against peers.

Run with: pytest tests/benchmarks --benchmark-enable --benchmark-only
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fmtemu as fe

jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")
torch.set_num_threads(1)

SIZES = (1 << 12, 1 << 20, 1 << 24)
Job = Callable[[Any, Any], Callable[[], Any]]


def cast(quantizer: str, **options: Any) -> Job:
    return lambda x, y: lambda: fe.cast(x, quantizer, out=y, **options)


def encode(fmt: str) -> Job:
    def job(x: Any, y: Any) -> Callable[[], Any]:
        codes = np.empty(x.shape, np.uint8 if fe.as_quantizer(fmt).format.bits <= 8 else np.uint16)
        return lambda: fe.encode(x, fmt, out=codes, seed=1)

    return job


def decode(fmt: str) -> Job:
    def job(x: Any, y: Any) -> Callable[[], Any]:
        codes = fe.encode(x, fmt)
        return lambda: fe.decode(codes, fmt, out=y)

    return job


def in_float64(job: Job) -> Job:
    """The job on the same numbers in float64, for formats that float32 does not hold."""
    return lambda x, y: job(x.astype(np.float64), y.astype(np.float64))


def copy(x: Any, y: Any) -> Callable[[], Any]:
    return lambda: np.copyto(y, x)


def ml_dtypes_round_trip(dtype: Any) -> Job:
    return lambda x, y: lambda: x.astype(dtype).astype(np.float32)


def ml_dtypes_encode(dtype: Any) -> Job:
    return lambda x, y: lambda: x.astype(dtype)


def ml_dtypes_decode(dtype: Any) -> Job:
    def job(x: Any, y: Any) -> Callable[[], Any]:
        codes = x.astype(dtype)
        return lambda: codes.astype(np.float32)

    return job


def torch_round_trip(dtype: Any) -> Job:
    def job(x: Any, y: Any) -> Callable[[], Any]:
        tensor = torch.from_numpy(x)
        return lambda: tensor.to(dtype).to(torch.float32)

    return job


def jax_round_trip(dtype: Any) -> Job:
    def job(x: Any, y: Any) -> Callable[[], Any]:
        function = jax.jit(lambda v: v.astype(dtype).astype(np.float32))
        array = jax.numpy.asarray(x)
        return lambda: function(array).block_until_ready()

    return job


JOBS: dict[str, Job] = {
    "copy": copy,
    "copy, float64": in_float64(copy),
    "cast e4m3fn": cast("e4m3fn"),
    "cast e5m2": cast("e5m2"),
    "cast e4m3fnuz": cast("e4m3fnuz"),
    "cast e2m1fn": cast("e2m1fn"),
    "cast float16": cast("float16"),
    "cast bfloat16": cast("bfloat16"),
    "cast tf32": cast("tf32"),
    "cast e4m3fn, toward zero": cast("e4m3fn | toward_zero"),
    "cast e4m3fn, stochastic": cast("e4m3fn | stochastic", seed=1),
    "cast bfloat16, stochastic": cast("bfloat16 | stochastic", seed=1),
    "cast posit8": cast("posit8"),
    "cast posit16": cast("posit16"),
    "cast bposit16, float64": in_float64(cast("bposit16")),
    "cast takum16, float64": in_float64(cast("takum16")),
    "cast lns8": cast("lns8"),
    "cast lns16": cast("lns16"),
    "cast lns8, stochastic": cast("lns8 | stochastic", seed=1),
    "cast lns16, stochastic": cast("lns16 | stochastic", seed=1),
    "encode takumlog16": encode("takumlog16"),
    "encode takumlog16, stochastic": encode("takumlog16 | stochastic"),
    "cast int8": cast("int8"),
    "cast nf4": cast("nf4"),
    "cast dynamic8": cast("dynamic8"),
    "cast nf4, stochastic": cast("nf4 | stochastic", seed=1),
    "encode e4m3fn": encode("e4m3fn"),
    "encode posit8": encode("posit8"),
    "encode nf4": encode("nf4"),
    "decode e4m3fn": decode("e4m3fn"),
    "decode posit8": decode("posit8"),
    "decode nf4": decode("nf4"),
    "peer: ml_dtypes e4m3fn and back": ml_dtypes_round_trip(ml_dtypes.float8_e4m3fn),
    "peer: ml_dtypes bfloat16 and back": ml_dtypes_round_trip(ml_dtypes.bfloat16),
    "peer: ml_dtypes encode e4m3fn": ml_dtypes_encode(ml_dtypes.float8_e4m3fn),
    "peer: ml_dtypes decode e4m3fn": ml_dtypes_decode(ml_dtypes.float8_e4m3fn),
    "peer: torch e4m3fn and back": torch_round_trip(torch.float8_e4m3fn),
    "peer: torch bfloat16 and back": torch_round_trip(torch.bfloat16),
    "peer: jax e4m3fn and back": jax_round_trip(ml_dtypes.float8_e4m3fn),
    "peer: jax bfloat16 and back": jax_round_trip(ml_dtypes.bfloat16),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("what", JOBS)
def test_speed(benchmark: Any, what: str, size: int) -> None:
    x = np.random.default_rng(0).normal(size=size).astype(np.float32)
    job = JOBS[what](x, np.empty_like(x))
    job()  # compile
    benchmark.group = f"{size} float32 elements"
    benchmark.extra_info.update(what=what, size=size, is_copy=what == "copy")
    many = max(1, (1 << 19) // size)
    benchmark.pedantic(job, rounds=200 if size < 1 << 20 else 25, iterations=many, warmup_rounds=1)
