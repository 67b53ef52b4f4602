"""Formats with scales: every cast and code equals fmtemu.exact_scaled, tile by tile."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tiles import cast_exactly, encode_exactly

import fmtemu as fe
from fmtemu.backends.numba import arrays
from fmtemu.formats import Format
from fmtemu.quantizer import Quantizer

FORMATS = [
    "mxfp8_e4m3",
    "mxfp8_e5m2",
    "mxfp6_e3m2",
    "mxfp4",
    "mxint8",
    "nvfp4",
    "msfp12",
    "dfp16",
    "q4_0",
    *(f"block<e2m1fn,8,e8m0fnu,rule={rule}>" for rule in ("floor", "ceil", "rceil", "even", "nearest")),
    *(f"block<e4m3fn,8,e8m0fnu,rule={rule}>" for rule in ("ceil", "rceil", "even")),
    "block<e4m3fn,4,e8m0fnu,lowest=0.5,highest=4>",
    "block<e4m3fn,8,float<8,0,e8m0,bias=140,unsigned>>",  # with scales that have no inverse in float32
    "block<e2m1fn,16,ue5m3,rule=rceil>",
    "block<e2m1fn,16,e4m3fn,lowest=0.015625>",
    "block<e2m1fn,16,e4m3fn,outer=channel>",
    "block<e2m1fn,16,e4m3fn,outer=tensor,apply=reciprocal>",
    "block<int4sym,8,uint4,rule=rceil,outer=channel>",
    "mx9",
    "mx4",
    *(
        f"block<int5sym,2,pow2_4,rule={rule},outer=scaling<8,e8m0fnu,rule={rule}>>"
        for rule in ("ceil", "rceil", "even")
    ),
    "block<int5sym,2,lns<1,0,unsigned,falling,none>,outer=scaling<tensor,e8m0fnu,nonfinite=element>>",
    "block<e2m1fn,4,e8m0fnu,outer=scaling<token,bfloat16>>",
    "block<e2m1fn,4,e4m3fn,outer=scaling<channel,e8m0fnu,lowest=0.25,highest=4>>",
    "block<e2m1fn,4,e4m3fn,outer=scaling<8,float16,rule=rceil,nonfinite=nan>>",
    "block<int5sym,2x4,ue5m3,outer=scaling<4x8,e8m0fnu,rule=nearest>>",
    "block<hif8,8,float32>",
    "block<hif8,tensor,e8m0fnu>",
    "block<posit8,8,float32>",
    "block<posit<8,1>,8,e8m0fnu>",
    "block<fixed<2,4>,8,bfloat16>",
    "block<takum8,8,e8m0fnu>",
    "block<takum8,8,float32,rule=rceil>",
    "block<takumlog8,8,bfloat16>",
    "block<lns8,8,float32>",
    "block<pow2_4,tensor,float32>",
    "block<int28,8,e8m0fnu,rule=nearest>",
    "block<e2m1fn,8,float<8,3,fn,bias=200>>",
    "block<int8,tensor,float32>",
    "block<int8,channel,float32>",
    "block<int8,token,float32>",
    "block<int8,token,float32,rule=rceil>",
    "block<e4m3fn,2x8,float32>",
    "block<e4m3fn,3@0,e8m0fnu>",
    "block<e5m2,8,e8m0fnu,nonfinite=element>",
    "block<e4m3fn,8,float32,nonfinite=nan>",
    "block<uint4,8,float16,affine>",
    "block<int8,channel,float32,affine>",
    "block<int8,8,e8m0fnu,affine,rule=rceil>",
]


def sample(seed: int, shape: tuple[int, ...], specials: bool) -> Any:
    """Numbers of many magnitudes, some exact powers and halves, zeros of both signs, a tile of zeros."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape) * np.exp2(rng.integers(-12, 12, size=shape))
    x = np.where(rng.random(shape) < 0.3, np.round(x * 4) / 4, x)
    x = np.where(rng.random(shape) < 0.1, np.exp2(np.round(np.log2(abs(x) + 1e-9))), x)
    x = np.where(rng.random(shape) < 0.05, -0.0, x).astype(np.float32)
    x[1, :16] = 0.0
    x[2, :16] *= np.float32(2.0**-140)
    x[3, :16] *= np.float32(2.0**100)
    if specials:
        x[4, 3], x[4, 11], x[5, 2] = np.nan, np.inf, -np.inf
    return x


@pytest.mark.parametrize("specials", [False, True])
@pytest.mark.parametrize("spec", FORMATS)
def test_cast_equals_the_definition(spec: str, specials: bool) -> None:
    x = sample(7, (7, 20), specials)
    expected = cast_exactly(x, fe.as_quantizer(spec))
    np.testing.assert_array_equal(fe.cast(x, spec).view(np.uint32), canonical(expected).view(np.uint32))


@pytest.mark.parametrize("spec", FORMATS)
def test_float64_results_are_rounded_to_float64_only(spec: str) -> None:
    x = sample(7, (7, 20), specials=False)
    expected = cast_exactly(x, fe.as_quantizer(spec), carrier="float64")
    np.testing.assert_array_equal(fe.cast(x, spec, dtype=np.float64), expected)


def test_one_outer_scale_serves_float64_results() -> None:
    x = np.float32([1.3, 0.7, 24.1])
    expected = cast_exactly(x, fe.as_quantizer("nvfp4"), carrier="float64")
    np.testing.assert_array_equal(fe.cast(x, "nvfp4", dtype=np.float64), expected)


@pytest.mark.parametrize("spec", FORMATS)
def test_codes_equal_the_definition_and_decode_to_the_cast(spec: str) -> None:
    quantizer = fe.as_quantizer(f"{spec} | nan=zero" if as_format(spec).nan_code is None else spec)
    x = sample(8, (7, 20), specials=True)
    encoded = fe.encode(x, quantizer)
    fmt: Any = quantizer.format
    scales = encoded.scales.astype(np.float64)
    if fmt.scaling.scale is not None:
        scales = arrays.decode(encoded.scales, fmt.scaling.scale, np.float64, None)
    for number, (part, tile, t) in enumerate(encode_exactly(x, quantizer)):
        assert encoded.codes[part].ravel().tolist() == tile.codes
        np.testing.assert_equal(scales.ravel()[number], float(tile.scale))
        if fmt.scaling.affine:
            assert encoded.zero_points.ravel()[number] == tile.zero_point
        if fmt.outer is not None and fmt.outer.tile == ():
            outer = fmt.outer.scale
            found = encoded.outer_scales if outer is None else fe.decode(encoded.outer_scales, outer)
            np.testing.assert_equal(found.item(), float(t))
    decoded, values = fe.decode(encoded), fe.cast(x, quantizer)
    np.testing.assert_array_equal(decoded.view(np.uint32), values.view(np.uint32))


def as_format(spec: str) -> Format:
    return fe.as_format(spec)


@pytest.mark.parametrize("rounding", ["nearest_away", "toward_zero", "toward_positive", "away_from_zero", "to_odd"])
@pytest.mark.parametrize(
    "spec",
    ["mxfp4", "nvfp4", "mx6", "block<int8,channel,float32,affine>", "block<posit8,8,float32>", "block<lns8,8,float32>"],
)
def test_elements_take_every_rounding(spec: str, rounding: str) -> None:
    x = sample(9, (6, 20), specials=False)
    quantizer = Quantizer(spec, rounding)
    np.testing.assert_array_equal(fe.cast(x, quantizer), cast_exactly(x, quantizer))


@pytest.mark.parametrize("rounding", ["stochastic(8)", "stochastic(16,A)", "stochastic_equal(4)"])
@pytest.mark.parametrize(
    "spec",
    [
        "mxfp4",
        "nvfp4",
        "mx9",
        "block<hif8,8,float16>",
        "block<nf4,8,float32>",
        "block<lns8,8,ue5m3>",
        "block<e4m3fn,3@0,e8m0fnu>",
        "block<int8,channel,float32,affine>",
    ],
)
def test_stochastic_elements_take_the_bits_of_their_place_in_the_tensor(spec: str, rounding: str) -> None:
    x = sample(10, (6, 50), specials=False)
    quantizer = fe.as_quantizer(f"{spec} | {rounding}")
    np.testing.assert_array_equal(fe.cast(x, quantizer, seed=5), cast_exactly(x, quantizer, seed=5))


@pytest.mark.parametrize("spec", ["mxfp4", "mxfp8_e5m2", "block<e4m3fn,4,e8m0fnu,rule=rceil>", "dfp16", "mx9"])
def test_float64_sources_under_powers_of_two(spec: str) -> None:
    x = sample(11, (6, 20), specials=True).astype(np.float64) * (1 + 2.0**-45)
    x[0, :4] = [1.0, 5e-324, -5e-324, 1e-300]
    quantizer = fe.as_quantizer(f"{spec} | away_from_zero")
    np.testing.assert_array_equal(fe.cast(x, quantizer), cast_exactly(x, quantizer, carrier="float64"))


@pytest.mark.parametrize("spec", ["mxfp4", "nvfp4", "block<int8,tensor,float32,affine>"])
@pytest.mark.parametrize("shape", [(20,), (3, 20), (2, 3, 20), (2, 1, 2, 20)])
def test_any_number_of_axes(spec: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    quantizer = fe.as_quantizer(spec)
    np.testing.assert_array_equal(fe.cast(x, spec), cast_exactly(x, quantizer))
    strided = np.repeat(x, 2, axis=-1)[..., ::2]
    np.testing.assert_array_equal(fe.cast(strided, spec), fe.cast(x, spec))


def canonical(values: Any) -> Any:
    return np.where(np.isnan(values), np.float32(np.nan), values)
