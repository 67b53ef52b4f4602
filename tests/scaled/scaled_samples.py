"""Formats with scales of every kind, and arrays to cast to them."""

from __future__ import annotations

from typing import Any

import numpy as np

import fmtemu as fe
from fmtemu import Scaled

FORMATS = [
    "mxfp8_e4m3",
    "mxfp8_e5m2",
    "mxfp4",
    "mxint8",
    "nvfp4",
    "mx9",
    "msfp12",
    "q4_0",
    "block<e2m1fn,16,ue5m3,rule=rceil>",
    "block<e4m3fn,3x8,e8m0fnu,partial=pad>",
    "block<e4m3fn,3@0,e8m0fnu,rule=even>",
    "block<int8,tensor,float32>",
    "block<int8,channel,float32>",
    "block<int8,token,bfloat16>",
    "block<uint4,8,float16,affine>",
    "block<int8,channel,float32,affine>",
]
SHAPE = (4, 20)


def scaled(spec: str) -> Scaled:
    fmt = fe.as_format(spec)
    assert isinstance(fmt, Scaled)
    return fmt


def encodable(spec: str) -> str:
    """The quantizer that encodes NaN: as 0 where elements have none."""
    return spec if scaled(spec).nan_code is not None else f"{spec} | nan=zero"


def normal(seed: int = 1, shape: tuple[int, ...] = SHAPE) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def assert_same(a: Any, b: Any) -> None:
    """Bit for bit, all NaN being one."""
    assert a.dtype == b.dtype
    a, b = (np.where(np.isnan(x), np.float32(np.nan), x).astype(np.float64).view(np.int64) for x in (a, b))
    np.testing.assert_array_equal(a, b)
