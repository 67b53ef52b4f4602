"""The compiled loops over blocks of adjoining elements: the same bits as the definition and the general path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tiles import cast_exactly

import fmtemu as fe
from fmtemu.backends.numba import blocks
from fmtemu.backends.numba.tiles import adjoining
from fmtemu.quantizer import Quantizer

RULES = ("floor", "ceil", "rceil", "even")
ELEMENTS = ("e4m3fn", "e5m2", "e3m2fn", "e2m1fn", "fixed<2,6>", "int8", "int4sym", "fixed<0,8>", "e5m8none")
TAKEN = [f"block<{element},32,e8m0fnu,rule={rule}>" for element in ELEMENTS for rule in RULES]
TAKEN += [
    "block<e2m1fn,8,e8m0fnu,lowest=0.25,highest=8>",
    "block<e4m3fn,64,float<4,0,unsigned>>",
    "msfp12",
    "nvfp4",
    "block<e2m1fn,16,e4m3fn,outer=channel>",
    "block<e2m1fn,32,e8m0fnu,rule=nearest>",
    "block<e4m3fn,16,float32>",
    "block<int8,token,float32>",
    "block<int8,channel,float32>",
    "block<int8,tensor,float32,rule=rceil>",
    "block<e4m3fn,4x64,bfloat16>",
    "q4_0",
    "dfp16",
]
LEFT = [
    "mxfp4 | toward_zero",
    "block<posit8,16,float32>",
    "block<int4,24,e8m0fnu>",
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


def is_fast(x: Any, quantizer: Quantizer) -> bool:
    return blocks._run_fast(x, quantizer, None, np.empty_like(x), to_codes=False) is not None


@pytest.mark.parametrize("spec", TAKEN)
def test_values_and_codes_equal_the_general_path(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quantizer = fe.as_quantizer(spec)
    x = numbers(100, seed=4)
    assert is_fast(x, quantizer)
    values, encoded = fe.cast(x, quantizer), fe.encode(x, quantizer)
    monkeypatch.setattr(blocks, "_run_fast", lambda *args, **kwargs: None)
    np.testing.assert_array_equal(values.view(np.uint32), fe.cast(x, quantizer).view(np.uint32))
    general = fe.encode(x, quantizer)
    for name in ("codes", "scales", "outer_scales"):
        fast, slow = getattr(encoded, name), getattr(general, name)
        np.testing.assert_array_equal(fast, slow)
        assert fast is None or fast.dtype == slow.dtype


@pytest.mark.parametrize("spec", TAKEN[::5])
def test_values_equal_the_definition(spec: str) -> None:
    quantizer = fe.as_quantizer(spec)
    x = numbers(20, seed=5)
    np.testing.assert_array_equal(fe.cast(x, quantizer).view(np.uint32), cast_exactly(x, quantizer).view(np.uint32))


@pytest.mark.parametrize("spec", LEFT)
def test_others_are_left_to_the_general_path(spec: str) -> None:
    assert not is_fast(numbers(100, seed=4), fe.as_quantizer(spec))


@pytest.mark.parametrize("spec", ["mxfp8_e4m3", "nvfp4"])
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_specials_are_left_to_the_general_path(special: float, spec: str) -> None:
    x = numbers(20, seed=6)
    x[7, 5] = special
    quantizer = fe.as_quantizer(spec)
    assert not is_fast(x, quantizer)
    expected = cast_exactly(x, quantizer)
    np.testing.assert_array_equal(fe.cast(x, quantizer), expected)
    assert np.isnan(fe.cast(x, quantizer)[7, 5])


def test_threads_and_dtypes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = numbers(40, seed=7)
    quantizer = Quantizer("mxfp4")
    expected = fe.cast(x, quantizer)
    monkeypatch.setattr("fmtemu.backends.numba.run.THREADED", 256)
    monkeypatch.setattr("fmtemu.backends.numba.run.config.NUMBA_NUM_THREADS", 3)
    np.testing.assert_array_equal(fe.cast(x, quantizer), expected)
    np.testing.assert_array_equal(fe.cast(x, quantizer, dtype=np.float64).astype(np.float32), expected)
    np.testing.assert_array_equal(fe.cast(np.asfortranarray(x), quantizer), expected)


@pytest.mark.parametrize(
    ("shape", "extents", "expected"),
    [
        ((4, 64), (1, 16), 16),
        ((4, 64), (1, 24), 0),
        ((4, 64), (2, 64), 128),
        ((4, 64), (2, 32), 0),
        ((4, 64), (1, 64), 64),
        ((4, 64), (4, 64), 256),
        ((4, 64), (9, 99), 256),
        ((4, 64), (4, 1), 0),
        ((3, 4, 8), (1, 2, 8), 16),
        ((3, 1, 8), (1, 1, 4), 4),
        ((3, 1, 8), (3, 1, 4), 0),
        ((4, 0), (1, 16), 0),
        ((), (), 1),
    ],
)
def test_which_tiles_are_runs(shape: tuple[int, ...], extents: tuple[int, ...], expected: int) -> None:
    assert adjoining(shape, extents) == expected
