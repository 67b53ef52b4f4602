"""Formats with scales on one thread against a copy of the same array, torchao (where it is installed) and gfloat.

Run with: pytest tests/benchmarks/test_block_speed.py --benchmark-enable --benchmark-only
On a machine that others use at the same time, --benchmark-timer=time.thread_time counts the thread's own time.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any

import gfloat
import gfloat.formats
import numpy as np
import pytest

import fmtemu as fe

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

SIZES = (1 << 20, 1 << 24)
#: Elements that gfloat takes, whose blocks are Python lists.
FEW = 1 << 14
Job = Callable[[Any, Any], Callable[[], Any]]


def copy(x: Any, y: Any) -> Callable[[], Any]:
    return lambda: np.copyto(y, x)


def cast(quantizer: str, **options: Any) -> Job:
    return lambda x, y: lambda: fe.cast(x, quantizer, out=y, **options)


def encode(quantizer: str) -> Job:
    return lambda x, y: lambda: fe.encode(x, quantizer)


def decode(quantizer: str) -> Job:
    def job(x: Any, y: Any) -> Callable[[], Any]:
        encoded = fe.encode(x, quantizer)
        return lambda: fe.decode(encoded, out=y)

    return job


def packed_encode(quantizer: str) -> Job:
    return lambda x, y: lambda: fe.PackedArray.encode(x, quantizer)


def packed_decode(quantizer: str) -> Job:
    def job(x: Any, y: Any) -> Callable[[], Any]:
        packed = fe.PackedArray.encode(x, quantizer)
        return lambda: packed.decode(out=y)

    return job


def torchao_mx(element: Any) -> Job:
    """Codes and scales, and values from them: what cast gives."""

    def job(x: Any, y: Any) -> Callable[[], Any]:
        mx = _torchao("torchao.prototype.mx_formats.mx_tensor")
        tensor = torch.from_numpy(x)

        def run() -> Any:
            scale, data = mx.to_mx(tensor, element, 32)
            return mx.to_dtype(data, scale, element, 32, torch.float32)

        return run

    return job


def torchao_nvfp4(x: Any, y: Any) -> Callable[[], Any]:
    """Codes and scales only; the tensor's scale is given."""
    nvfp4 = _torchao("torchao.prototype.mx_formats.nvfp4_tensor")
    tensor, scale = torch.from_numpy(x), torch.tensor(float(np.abs(x).max()) / (6 * 448))
    return lambda: nvfp4.nvfp4_quantize(tensor, 16, scale)


def gfloat_mx(x: Any, y: Any) -> Callable[[], Any]:
    fmt = gfloat.formats.format_info_mxfp8_e4m3 if hasattr(gfloat.formats, "format_info_mxfp8_e4m3") else None
    fmt = fmt or next(f for f in gfloat.formats.all_block_formats if "fp8" in f.name and "e4m3" in f.name)
    blocks = x.reshape(-1, 32)
    compute = gfloat.block.compute_scale_amax
    return lambda: [gfloat.quantize_block(fmt, block, compute) for block in blocks]


def _torchao(module: str) -> Any:
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(module)


JOBS: dict[str, Job] = {
    "copy": copy,
    "cast e4m3fn": cast("e4m3fn"),
    "cast mxfp8_e4m3": cast("mxfp8_e4m3"),
    "cast mxfp6_e2m3": cast("mxfp6_e2m3"),
    "cast mxfp4": cast("mxfp4"),
    "cast mxint8": cast("mxint8"),
    "cast nvfp4": cast("nvfp4"),
    "cast int4, 32 share a float16": cast("block<int4,32,float16>"),
    "cast int8 per channel": cast("block<int8,token,float32>"),
    "cast mxfp4, toward zero": cast("mxfp4 | toward_zero"),
    "cast mxfp4, stochastic": cast("mxfp4 | stochastic", seed=1),
    "cast e4m3fn, 32 along the first axis": cast("block<e4m3fn,32@0,e8m0fnu>"),
    "cast e4m3fn, 16 x 16": cast("block<e4m3fn,16x16,e8m0fnu>"),
    "cast nvfp4, toward zero": cast("nvfp4 | toward_zero"),
    "cast e2m1fn, 32 along the first axis, stochastic": cast("block<e2m1fn,32@0,e8m0fnu> | stochastic", seed=1),
    "cast int8, 32 share a float16, affine": cast("block<int8,32,float16,affine>"),
    "cast e2m1fn, 16 share an e4m3fn, reciprocal": cast("block<e2m1fn,16,e4m3fn,apply=reciprocal>"),
    "cast int8, 16 share a float32, stochastic": cast("block<int8,16,float32> | stochastic", seed=1),
    "encode mxfp8_e4m3": encode("mxfp8_e4m3"),
    "encode mxfp4": encode("mxfp4"),
    "encode nvfp4": encode("nvfp4"),
    "decode mxfp8_e4m3": decode("mxfp8_e4m3"),
    "decode mxfp4": decode("mxfp4"),
    "decode nvfp4": decode("nvfp4"),
    "encode mxfp4, packed": packed_encode("mxfp4"),
    "encode nvfp4, packed": packed_encode("nvfp4"),
    "decode mxfp4, packed": packed_decode("mxfp4"),
    "decode nvfp4, packed": packed_decode("nvfp4"),
    "peer: torchao mxfp8_e4m3 and back": torchao_mx(torch.float8_e4m3fn),
    "peer: torchao mxfp4 and back": torchao_mx(torch.float4_e2m1fn_x2),
    "peer: torchao nvfp4, encode": torchao_nvfp4,
    "peer: gfloat mxfp8_e4m3": gfloat_mx,
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("what", JOBS)
def test_speed(benchmark: Any, what: str, size: int) -> None:
    few = "gfloat" in what
    if few and size != SIZES[0]:
        pytest.skip("too slow for so many elements")
    x = np.random.default_rng(0).normal(size=(size // 4096, 4096)).astype(np.float32)
    x = x[: FEW // 4096] if few else x
    job = JOBS[what](x, np.empty_like(x))
    job()  # compile
    benchmark.group = f"{size} float32 elements in blocks"
    benchmark.extra_info.update(what=what, size=size, is_copy=what == "copy", share=x.size / size)
    benchmark.pedantic(job, rounds=3 if few else 7 if "peer" in what else 15, iterations=1, warmup_rounds=1)
