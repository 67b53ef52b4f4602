"""Tiles that are runs of adjoining float32 elements: their loops give what the definition and the general path do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tiles import cast_exactly, encode_exactly

import fmtemu as fe
from fmtemu.backends.numba import grids, runs
from fmtemu.backends.numba.tiles import adjoining
from fmtemu.quantizer import Quantizer

RULES = ("floor", "ceil", "rceil", "even")
ELEMENTS = ("e4m3fn", "e5m2", "e3m2fn", "e2m1fn", "fixed<2,6>", "int8", "int4sym", "fixed<0,8>")
#: Rounded to nearest in one loop with the scales.
FUSED = [f"block<{element},32,e8m0fnu,rule={rule}>" for element in ELEMENTS for rule in RULES]
FUSED += [
    "block<e2m1fn,8,e8m0fnu,lowest=0.25,highest=8>",
    "block<e4m3fn,64,float<4,0,unsigned>>",
    "msfp12",
    "nvfp4",
    "block<e2m1fn,16,e4m3fn,outer=channel>",
    "block<e2m1fn,16,e4m3fn,outer=8@0*all@1>",
    "block<e2m1fn,16,e4m3fn,outer=scaling<32,e8m0fnu,rule=ceil,nonfinite=element>>",
    "block<e2m1fn,16,ue5m3,rule=rceil>",
    "block<e2m1fn,32,e8m0fnu,rule=nearest>",
    "block<e4m3fn,16,float32>",
    "block<int4,32,float16>",
    "block<int8,token,float32>",
    "block<int8,channel,float32>",
    "block<int8,tensor,float32,rule=rceil>",
    "block<e4m3fn,4x64,bfloat16>",
    "block<e2m1fn,32,e8m0fnu,apply=reciprocal>",
    "block<e4m3fn,16,e4m3fn,outer=tensor,apply=reciprocal>",
    "q4_0",
    "dfp16",
]
#: Through quotients, the plain cast and products.
COMPOSED = [
    *(f"{spec} | {rounding}" for spec in ("mxfp4", "nvfp4") for rounding in ("toward_zero", "to_odd", "stochastic(9)")),
    *(f"mxfp8_e4m3 | {rounding}" for rounding in ("nearest_away", "toward_negative", "jam")),
    "block<int8,token,float32> | toward_positive",
    "block<posit8,16,float32>",
    "block<e2m1fn,16,e4m3fn,apply=reciprocal> | away_from_zero",
    "mxfp8_e5m2 | overflow=infinity",
    "block<int8sym,2,lns<1,0,unsigned,falling,none>,rule=floor,outer=scaling<16,e8m0fnu,nonfinite=element>>",
    "block<int5sym,4,e8m0fnu,outer=scaling<32,e8m0fnu,rule=rceil,nonfinite=element>> | stochastic(9)",
]
TAKEN = FUSED + COMPOSED
#: Through quotients in float32, the plain cast and products, whatever the tiles.
SPREAD = [
    "block<int4,24,e8m0fnu>",
    "block<e2m1fn,32@0,e8m0fnu>",
    "block<e2m1fn,2x16,e4m3fn,outer=4x32>",
    "block<e4m3fn,7x9,float32> | toward_zero",
    "block<e2m1fn,3@0*2@1,e8m0fnu> | stochastic",
    "block<e2m1fn,3,e8m0fnu,apply=reciprocal>",
    "block<int8,32,e8m0fnu,affine>",
    "block<uint4,3x20,float16,affine> | toward_positive",
]
#: The same through quotients in float64.
LEFT = [
    "block<int8,16,float32> | stochastic",
    "block<lns8,16,e8m0fnu>",
    "block<e2m1fn,32,fixed<0,8>>",
    "block<int8,32,e8m0fnu> | wrap",
    "block<float<8,4>,32,e8m0fnu>",
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
    return runs.run(x, np.empty_like(x), quantizer, None, 1, (), 0, to_codes=False) is not None


def same(a: Any, b: Any) -> None:
    """Equal in every bit and in dtype."""
    assert (a is None) == (b is None)
    if a is not None:
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a.view(f"u{a.itemsize}"), b.view(f"u{b.itemsize}"))


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Casts and encodes by the general path."""

    def call(function: Any, *args: Any, **options: Any) -> Any:
        with monkeypatch.context() as patched:
            patched.setattr(runs, "run", lambda *args, **kwargs: None)
            patched.setattr(runs, "decode", lambda *args, **kwargs: False)
            return function(*args, **options)

    return call


@pytest.mark.parametrize("special", [None, np.nan, -np.inf])
@pytest.mark.parametrize("spec", TAKEN)
def test_values_and_codes_equal_the_general_path(spec: str, special: Any, slowly: Any) -> None:
    quantizer = fe.as_quantizer(spec)
    x = numbers(100, seed=4)
    assert is_fast(x, quantizer)
    if special is not None:
        x[20, 5] = x[50, 40:] = special
        x[51] = special
    same(fe.cast(x, quantizer, seed=3), slowly(fe.cast, x, quantizer, seed=3))
    if quantizer.element.outcomes.nan is None:
        quantizer = fe.as_quantizer(f"{spec} | nan=zero")
    encoded, general = fe.encode(x, quantizer, seed=3), slowly(fe.encode, x, quantizer, seed=3)
    for name in ("codes", "scales", "outer_scales"):
        same(getattr(encoded, name), getattr(general, name))
    same(fe.decode(encoded), slowly(fe.decode, encoded))


@pytest.mark.parametrize("spec", [*FUSED[::5], *COMPOSED[::3], *SPREAD, *LEFT])
def test_values_equal_the_definition(spec: str) -> None:
    quantizer = fe.as_quantizer(spec)
    x, seed = numbers(20, seed=5), 7 if quantizer.rounding.is_stochastic else None
    same(fe.cast(x, quantizer, seed=seed), cast_exactly(x, quantizer, seed=seed))


@pytest.mark.parametrize("spec", SPREAD + LEFT)
def test_others_are_left_to_the_general_path(spec: str) -> None:
    assert not is_fast(numbers(100, seed=4), fe.as_quantizer(spec))


@pytest.mark.parametrize("spec", ["mxfp8_e4m3", "nvfp4", "block<int8,token,float32>"])
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_specials_equal_the_definition(special: float, spec: str) -> None:
    quantizer = fe.as_quantizer(spec)
    x = numbers(20, seed=6)
    x[7, 5] = special
    y = fe.cast(x, quantizer)
    same(y, cast_exactly(x, quantizer))
    assert np.isnan(y[7, 5]) == (np.isnan(special) or "int8" not in spec)


@pytest.mark.parametrize("rounding", ["nearest_even", "toward_zero", "away_from_zero", "nearest_up"])
@pytest.mark.parametrize(
    "spec", ["block<e2m1fn,8,e4m3fn,outer=tensor>", "block<int4,8,float16>", "block<int8,8,float32>"]
)
def test_quotients_next_to_boundaries_are_decided_exactly(spec: str, rounding: str) -> None:
    """x is the float32 next to a boundary times the scale, on either side, and the boundary itself where it is one."""
    quantizer = fe.as_quantizer(f"{spec} | {rounding}")
    rng = np.random.default_rng(8)
    first = rng.normal(size=(40, 8)).astype(np.float32)
    first[:, 0] = 8 + 8 * rng.random(40)  # what the scales come from
    first[0, 0] = 20
    scales = np.array([[float(tile.scale * t)] for _, tile, t in encode_exactly(first, fe.as_quantizer(spec))])
    halves = rng.integers(-14, 15, size=(40, 7)) / np.float64(4)
    near = (halves * scales).astype(np.float32)
    toward = rng.choice([-np.inf, np.inf], size=near.shape).astype(np.float32)
    first[:, 1:] = np.where(rng.random(near.shape) < 0.4, near, np.nextafter(near, toward))
    same(fe.cast(first, quantizer), cast_exactly(first, quantizer))


@pytest.mark.parametrize(
    "spec", ["block<int8,token,float32>", "block<e2m1fn,16,e4m3fn,outer=tensor>", "block<int4,32,float16>"]
)
def test_few_quotients_next_to_boundaries(spec: str, slowly: Any) -> None:
    """Where float32 quotients do not decide, only the tiles, or parts of them, are done again."""
    x = np.random.default_rng(12).normal(size=(40, 6144)).astype(np.float32)
    top = fe.as_quantizer(spec).element.format.largest
    x[:, ::16] = np.float32(top)  # scales of 1, or about as many for all
    x[0, 0] *= 448 if "outer" in spec else 1
    x[1::2] *= np.float32(0.7)
    ties = np.float32(0.25) * np.arange(-12, 13, dtype=np.float32)
    for row in range(0, 40, 5):
        x[row, 300:325], x[row, 5500:5525] = ties, np.nextafter(ties, np.float32(np.inf))
    same(fe.cast(x, spec), slowly(fe.cast, x, spec))
    same(fe.encode(x, spec).codes, slowly(fe.encode, x, spec).codes)


def test_scales_from_outside(slowly: Any) -> None:
    x = numbers(40, seed=9)[11:]
    scale = np.exp2(np.random.default_rng(1).integers(-3, 4, size=(29, 2))).astype(np.float32)
    largest = np.abs(x).reshape(29, 2, 32).max(axis=-1)
    scale *= np.exp2(np.floor(np.log2(np.clip(largest, 1e-30, 1e30)))).astype(np.float32)
    for spec in ("mxfp4", "mxfp8_e4m3 | toward_zero", "block<int8,32,float32>"):
        same(fe.cast(x, spec, scale=scale), slowly(fe.cast, x, spec, scale=scale))
        same(fe.encode(x, spec, scale=scale).codes, slowly(fe.encode, x, spec, scale=scale).codes)
    x[3, 7] = 1e38  # whose quotient overflows float32, and becomes the largest element
    scale[:] = 2.0**-100
    assert fe.cast(x, "mxfp4", scale=scale)[3, 7] == 6 * np.float32(2.0**-100)


@pytest.mark.parametrize(
    "spec",
    [
        *("mxfp4", "mxfp8_e4m3 | toward_zero", "nvfp4", "mxfp4 | stochastic", "block<int8,tensor,float32>"),
        *("block<e2m1fn,3@0*2@1,e8m0fnu> | stochastic", "block<int4,24,e8m0fnu>"),
        *("block<uint4,3x20,float16,affine> | toward_positive", "block<int8,tensor,float32,affine>"),
    ],
)
def test_slabs_change_nothing(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = numbers(60, seed=10)
    x[30, 3] = np.nan
    expected, codes = fe.cast(x, spec, seed=5), fe.encode(x, f"{spec} | nan=zero", seed=5)
    monkeypatch.setattr(runs, "SLAB", 640)
    monkeypatch.setattr(runs, "PART", 320)
    monkeypatch.setattr(grids, "PART", 40)
    same(fe.cast(x, spec, seed=5), expected)
    sliced = fe.encode(x, f"{spec} | nan=zero", seed=5)
    same(sliced.codes, codes.codes)
    same(sliced.scales, codes.scales)


@pytest.mark.parametrize(
    "spec", ["mxfp4", "nvfp4", "mxfp8_e4m3 | toward_zero", "mxfp4 | stochastic", "block<int8,token,float32>"]
)
def test_threads_and_dtypes_change_nothing(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = numbers(40, seed=7)
    expected, encoded = fe.cast(x, spec, seed=1), fe.encode(x, spec, seed=1)
    monkeypatch.setattr("fmtemu.backends.numba.run.THREADED", 256)
    monkeypatch.setattr("fmtemu.backends.numba.run.config.NUMBA_NUM_THREADS", 3)
    same(fe.cast(x, spec, seed=1), expected)
    threaded = fe.encode(x, spec, seed=1)
    same(threaded.codes, encoded.codes)
    same(threaded.scales, encoded.scales)
    same(fe.decode(threaded), expected)
    same(fe.cast(np.asfortranarray(x), spec, seed=1), expected)
    same(fe.cast(y := x.copy(), spec, seed=1, out=y), expected)
    if spec == "mxfp4":
        same(fe.cast(x, spec, dtype=np.float64).astype(np.float32), expected)


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
