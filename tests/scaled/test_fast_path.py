"""The loops over whole blocks with power-of-two scales: the same bits as the definition and the general path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tiles import cast_exactly

import fmtemu as fe
from fmtemu.backends.numba import blocks
from fmtemu.backends.numba.power_blocks import find_power_blocks
from fmtemu.quantizer import Quantizer

RULES = ("floor", "ceil", "rceil", "even")
ELEMENTS = ("e4m3fn", "e5m2", "e3m2fn", "e2m1fn", "fixed<2,6>", "int8", "int4sym", "fixed<0,8>", "e5m8none")
TAKEN = [f"block<{element},32,e8m0fnu,rule={rule}>" for element in ELEMENTS for rule in RULES]
TAKEN += [
    "block<e2m1fn,8,e8m0fnu,lowest=0.25,highest=8>",
    "block<e4m3fn,64,float<4,0,unsigned>>",
    "msfp12",
    "mxfp4",
]
LEFT = [
    "nvfp4",
    "mxfp4 | toward_zero",
    "block<e2m1fn,32,e8m0fnu,rule=nearest>",
    "block<e2m1fn,32,e8m0fnu,apply=reciprocal>",
    "block<e2m1fn,32@0,e8m0fnu>",
    "block<int8,32,e8m0fnu,affine>",
    "block<e2m1fn,2x16,e8m0fnu>",
    "mxfp8_e5m2 | overflow=infinity",
]


def numbers(size: int, seed: int) -> Any:
    """Every float32 is as likely as any other, but for infinities and NaN; some blocks are subnormal or zero."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2**32, size=(size, 64), dtype=np.uint32)
    scales = rng.integers(0, 255, size=(size, 1), dtype=np.uint32)
    exponents = np.clip(scales.astype(np.int64) - rng.integers(0, 12, size=(size, 64)), 0, 254).astype(np.uint32)
    x = ((bits & 0x807FFFFF) | (exponents << 23)).view(np.float32)
    x[:4] = [[0.0], [-0.0], [2.0**-149], [3.4e38]]
    x[4:8, ::2] = np.round(x[4:8, ::2], 1)
    edges = np.exp2(np.arange(64.0) * 4 - 128).astype(np.float32)
    x[8], x[9], x[10] = edges, np.nextafter(edges, np.float32(0)), np.nextafter(edges, np.float32(np.inf))
    return x


@pytest.mark.parametrize("spec", TAKEN)
def test_values_and_codes_equal_the_general_path(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quantizer = fe.as_quantizer(spec)
    assert find_power_blocks(quantizer, to_codes=False)
    assert find_power_blocks(quantizer, to_codes=True)
    x = numbers(100, seed=4)
    values, encoded = fe.cast(x, quantizer), fe.encode(x, quantizer)
    monkeypatch.setattr(blocks, "find_power_blocks", lambda *args, **kwargs: None)
    np.testing.assert_array_equal(values.view(np.uint32), fe.cast(x, quantizer).view(np.uint32))
    general = fe.encode(x, quantizer)
    np.testing.assert_array_equal(encoded.codes, general.codes)
    np.testing.assert_array_equal(encoded.scales, general.scales)
    assert encoded.scales.dtype == general.scales.dtype


@pytest.mark.parametrize("spec", TAKEN[::5])
def test_values_equal_the_definition(spec: str) -> None:
    quantizer = fe.as_quantizer(spec)
    x = numbers(20, seed=5)
    np.testing.assert_array_equal(fe.cast(x, quantizer).view(np.uint32), cast_exactly(x, quantizer).view(np.uint32))


@pytest.mark.parametrize("spec", LEFT)
def test_others_are_left_to_the_general_path(spec: str) -> None:
    assert find_power_blocks(fe.as_quantizer(spec), to_codes=False) is None


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_specials_are_left_to_the_general_path(special: float) -> None:
    x = numbers(20, seed=6)
    x[7, 5] = special
    quantizer = fe.as_quantizer("mxfp8_e4m3")
    expected = cast_exactly(x, quantizer)
    assert np.isnan(expected[7]).sum() == 32
    np.testing.assert_array_equal(fe.cast(x, quantizer), expected)
    encoded = fe.encode(x, quantizer)
    assert (encoded.scales == 255).sum() == 1


def test_threads_and_dtypes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = numbers(40, seed=7)
    quantizer = Quantizer("mxfp4")
    expected = fe.cast(x, quantizer)
    monkeypatch.setattr("fmtemu.backends.numba.run.THREADED", 256)
    monkeypatch.setattr("fmtemu.backends.numba.run.config.NUMBA_NUM_THREADS", 3)
    np.testing.assert_array_equal(fe.cast(x, quantizer), expected)
    np.testing.assert_array_equal(fe.cast(x, quantizer, dtype=np.float64).astype(np.float32), expected)
    np.testing.assert_array_equal(fe.cast(np.asfortranarray(x), quantizer), expected)
