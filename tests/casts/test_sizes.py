"""Arrays of no element, of no axis, and of more than 2**31 elements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fmtemu as fe
from fmtemu.random import random_bits

NUMBERS = ["e4m3fn", "posit16", "int8 | stochastic", "takum8 | to_odd"]
BLOCKS = ["mxfp4", "nvfp4 | stochastic", "block<int8,channel,float32>", "block<uint4,4,float16,affine>"]
EMPTY = [(0,), (0, 3), (3, 0), (0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0), (2, 0, 0, 5)]
SEED = {"seed": 1, "stream": (2,), "offset": 3}


@pytest.mark.parametrize("shape", EMPTY, ids=str)
@pytest.mark.parametrize("spec", NUMBERS)
def test_no_element(spec: str, shape: tuple[int, ...]) -> None:
    x = np.zeros(shape)
    values, codes = fe.cast(x, spec, **SEED), fe.encode(x, spec, **SEED)
    bits = fe.as_quantizer(spec).format.bits
    assert (values.shape, values.dtype) == (shape, x.dtype)
    assert (codes.shape, codes.dtype) == (shape, np.min_scalar_type((1 << bits) - 1))
    assert fe.cast(x, spec, out=x, **SEED) is x
    decoded = fe.decode(codes, spec.split(" ")[0])
    assert decoded.shape == shape
    packed = fe.pack(codes, bits)
    assert packed.shape == (*shape[:-1], shape[-1] * bits // 8)
    assert fe.unpack(packed, bits, shape[-1]).shape == shape
    stored = fe.PackedArray.encode(x, spec, **SEED)
    assert (stored.shape, stored.decode(np.float64).shape) == (shape, shape)


@pytest.mark.parametrize("shape", EMPTY, ids=str)
@pytest.mark.parametrize("spec", BLOCKS)
def test_no_element_in_blocks(spec: str, shape: tuple[int, ...]) -> None:
    x = np.zeros(shape, np.float32)
    encoded = fe.encode(x, spec, **SEED)
    assert fe.cast(x, spec, **SEED).shape == fe.decode(encoded).shape == encoded.codes.shape == shape
    assert encoded.scales.size == 0
    stored = fe.PackedArray.encode(x, spec, **SEED)
    assert stored.decode().shape == shape
    if "stochastic" not in spec:
        assert fe.find_scale(x, spec).size == 0


@pytest.mark.parametrize("method", ["absmax", "percentile", "least_squares", "octav"])
def test_scales_of_no_element(method: str) -> None:
    """Of nothing at all, and of each index of an axis that has any."""
    for shape in EMPTY:
        x = np.zeros(shape, np.float32)
        assert fe.find_scale(x, "int8", method=method) == 1
        for axis, length in enumerate(shape):
            scale = fe.find_scale(x, "int8", method=method, axis=axis)
            assert scale.shape == tuple(length if i == axis else 1 for i in range(len(shape)))
            assert (scale == 1).all()
            assert fe.cast(x, "int8", scale=scale).shape == shape
            observer = fe.Observer("int8", method=method, axis=axis)
            observer.update(x)
            assert np.array_equal(observer.scale(), scale)


@pytest.mark.parametrize("spec", NUMBERS)
def test_no_axis(spec: str) -> None:
    """Arrays without axes give arrays without axes, numbers give numbers."""
    x, row = np.array(1.3), fe.cast(np.array([1.3]), spec, **SEED)
    values, codes, fmt = fe.cast(x, spec, **SEED), fe.encode(x, spec, **SEED), spec.split(" ")[0]
    assert isinstance(values, np.ndarray)
    assert isinstance(codes, np.ndarray)
    assert values.shape == codes.shape == ()
    assert values == row[0] == fe.cast(1.3, spec, **SEED)
    decoded = fe.decode(codes, fmt)
    assert decoded.shape == ()
    assert decoded == row[0] == fe.decode(fe.encode(1.3, spec, **SEED), fmt)
    assert fe.cast(x, spec, out=x, **SEED) is x
    assert x == row[0]
    stored = fe.PackedArray.encode(x, spec, **SEED)
    assert stored.shape == stored.decode(np.float64).shape == ()
    assert stored.decode(np.float64) == row[0]


def test_what_needs_an_axis() -> None:
    number = np.array(1.5, np.float32)
    assert fe.find_scale(number, "int8") == fe.find_scale(number.reshape(1), "int8")
    with pytest.raises(ValueError, match="axis 0 is out of range for an array of 0 dimensions"):
        fe.find_scale(number, "int8", axis=0)
    with pytest.raises(ValueError, match=r"must have a last axis.*reshape\(1\)"):
        fe.pack(fe.encode(number, "int8"), 8)
    with pytest.raises(ValueError, match=r"must have a last axis.*reshape\(1\)"):
        fe.unpack(np.array(0, np.uint8), 8, 1)


# -- more than 2**31 elements ------------------------------------------------------------------

ROW = 1 << 20
ROWS = (1 << 11) + 1
HUGE = ROWS * ROW
#: Rows to look at: both ends, and around where a signed 32-bit index ends.
SAMPLES = (0, 1, 1023, 2046, 2047, 2048)


def one_row() -> Any:
    return np.random.default_rng(1).normal(size=ROW).astype(np.float32)


@pytest.fixture
def codes(tmp_path: Path) -> Any:
    """uint8 codes, 2 GiB in a file."""
    return np.memmap(tmp_path / "codes", np.uint8, "w+", shape=(ROWS, ROW))


@pytest.mark.slow
@pytest.mark.parametrize("offset", [0, 2**32 - 2**30, 2**63 - 2**30, 2**64 - HUGE])
def test_huge_stochastic_encode(offset: int, codes: Any) -> None:
    """k = 2**16 - R goes up, one less does not: every element has its own R, past 2**31, 2**32 and 2**63."""
    chosen = np.float32(0.3)
    x = np.broadcast_to(chosen, (ROWS, ROW))
    fe.encode(x, "int8", rounding="stochastic(16)", seed=5, offset=offset, out=codes)
    step = round(float(chosen) * 2**16)
    for row in SAMPLES:
        random = random_bits(5, (), offset + row * ROW, ROW, 16)
        assert np.array_equal(codes[row], random + step >= 1 << 16)


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["e4m3fn", "posit8 | to_odd"])
def test_huge_encode_and_decode(spec: str, codes: Any, tmp_path: Path) -> None:
    row = one_row()
    fe.encode(np.broadcast_to(row, (ROWS, ROW)), spec, out=codes)
    truth = fe.encode(row, spec)
    for sample in SAMPLES:
        assert np.array_equal(codes[sample], truth)
    fmt = spec.split(" ")[0]
    values = np.memmap(tmp_path / "values", np.float16, "w+", shape=(ROWS, ROW))
    fe.decode(codes, fmt, dtype=np.float16, out=values)
    for sample in SAMPLES:
        assert np.array_equal(values[sample], fe.decode(truth, fmt, dtype=np.float16))


@pytest.mark.slow
@pytest.mark.parametrize("bits", [4, 5])
def test_huge_pack(bits: int, codes: Any) -> None:
    """As one row of more than 2**31 codes."""
    row = np.random.default_rng(2).integers(0, 1 << bits, ROW).astype(np.uint8)
    codes[:] = row
    packed = fe.pack(codes.reshape(-1), bits)
    whole = packed.reshape(ROWS, -1)
    for sample in SAMPLES:
        assert np.array_equal(whole[sample], fe.pack(row, bits))
    codes[:] = 0
    fe.unpack(packed, bits, HUGE, out=codes.reshape(-1))
    for sample in SAMPLES:
        assert np.array_equal(codes[sample], row)
