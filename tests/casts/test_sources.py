"""Sources that are no float16, float32 or float64: integers, to the last bit, and narrow dtypes."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from boundaries import Array, expected

import fmtemu as fe
from fmtemu import Quantizer, Stochastic, exact
from fmtemu.random import random_bits

SEED = 11


def wide_integers(dtype: str) -> Array:
    """Integers about every number of few bits from 2**52 to the ends of the dtype, and others."""
    info = np.iinfo(dtype)
    heads = [(k << e) + d for e in range(44, 64) for k in (128, 129, 191, 192, 193, 255, 383) for d in (-1, 0, 1)]
    tails = [(1 << 63) + (1 << 40) + d for d in (-1, 1)] + [(1 << e) + (1 << (e - 52)) + 1 for e in range(54, 64)]
    random = np.random.default_rng(3).integers(0, 1 << 63, 100).tolist()
    found = {s * m for m in (*heads, *tails, *random, info.max, -info.min) for s in (1, -1)}
    return np.array(sorted(n for n in found if info.min <= n <= info.max), dtype)


INTEGERS = {dtype: wide_integers(dtype) for dtype in ("int64", "uint64")}
QUANTIZERS = (
    "bfloat16", "bfloat16 | toward_negative", "float32 | nearest_away", "float32 | to_odd", "float32 | via=bfloat16",
    "float<11,50> | nearest_up", "float<11,50> | away_from_zero", "e4m3fn", "e5m2 | toward_zero",
    "posit16", "posit<40,3> | toward_positive",
    "int8", "int8 | wrap", "int8 | wrap_sm", "uint4 | wrap(2)", "int50 | wrap", "fixed<64,-40> | jam",
    "fixed<40,-9> | wrap | nearest_even", "fixed<30,-10> | wrap_sm(2) | away_from_zero", "fixed<-2,8> | wrap | to_odd",
    "bfloat16 | stochastic(16)", "float<8,20> | stochastic(30,B)", "fixed<64,-40> | stochastic(16,A)",
)  # fmt: skip


@pytest.mark.parametrize("spec", QUANTIZERS)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_are_rounded_once(dtype: str, spec: str) -> None:
    """Also those that float64 does not hold, as exact.py rounds them."""
    x, quantizer = INTEGERS[dtype], fe.as_quantizer(spec)
    draws, options = [0] * x.size, {}
    if isinstance(quantizer.rounding, Stochastic):
        draws = random_bits(SEED, (), 0, x.size, quantizer.rounding.bits).tolist()
        options = {"seed": SEED}
    truth = [float(exact.cast(int(n), quantizer, r)) for n, r in zip(x, draws, strict=True)]
    values = fe.cast(x.reshape(-1, 1), quantizer, dtype="float64", **options).ravel()
    assert not [(int(n), v, t) for n, v, t in zip(x, values, truth, strict=True) if v != t][:5]
    if spec in ("e4m3fn", "int8 | wrap"):
        assert np.array_equal(fe.decode(fe.encode(x, quantizer), quantizer.format), values)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("float64", "precision and random bits may be 51"),
        ("float<11,51> | toward_zero", "precision and random bits may be 51"),
        ("float<8,23> | stochastic(30)", "precision and random bits may be 51"),
        ("int53 | wrap", r"beyond 2\*\*51"),
    ],
)
@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**64 - 1])
def test_integers_that_cannot_be_rounded_once_are_refused(number: int, spec: str, why: str) -> None:
    x = np.array([1, number], np.uint64 if number >= 1 << 63 else np.int64)
    with pytest.raises(ValueError, match=rf"beyond 2\*\*53.*{why}"):
        fe.cast(x, spec, seed=SEED, dtype="float64")
    held = np.array([2**53, -(2**53), 3 << 60], np.int64)
    assert fe.cast(held, "float64", dtype="float64").tolist() == held.tolist()


@pytest.mark.parametrize("name", ["int2", "uint2", "int4", "uint4"])
@pytest.mark.parametrize("spec", ["e2m1fn", "q4.4 | to_odd", "posit8", "int4 | wrap | via=float32"])
def test_narrow_integers(name: str, spec: str) -> None:
    """ml_dtypes' integers of 2 and 4 bits."""
    limits = ml_dtypes.iinfo(name)
    x = np.arange(limits.min, limits.max + 1).astype(getattr(ml_dtypes, name))
    assert_equals_exact(x, fe.as_quantizer(spec))
    with pytest.raises(TypeError, match=f"{name}, which holds no fractions: give dtype="):
        fe.cast(x, spec)


@pytest.mark.parametrize(
    "name", ["float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu", "float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn"]
)
@pytest.mark.parametrize("spec", ["e2m1fn | nan=zero", "q4.4 | to_odd | nan=zero", "posit8", "e5m2 | via=float16"])
def test_narrow_floats(name: str, spec: str) -> None:
    """Every code of ml_dtypes' floats of 8, 6 and 4 bits."""
    dtype = getattr(ml_dtypes, name)
    x = np.arange(1 << fe.as_format(name).bits, dtype=np.uint8).view(dtype)
    assert_equals_exact(x, fe.as_quantizer(spec))


def assert_equals_exact(x: Array, quantizer: Quantizer) -> None:
    truth = expected(x.astype(np.float64), quantizer, np.dtype(np.float64))
    assert np.array_equal(fe.encode(x, quantizer), truth.codes)
    values: Any = fe.cast(x, quantizer, dtype="float64")
    assert np.array_equal(values.view(np.uint64), truth.values)
