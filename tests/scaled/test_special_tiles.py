"""Tiles of zeros, NaN, infinities, subnormal and largest numbers, and tiles that are short or empty."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scaled_samples import FORMATS, SHAPE, assert_same, encodable, normal, scaled
from tiles import cast_exactly

import fmtemu as fe

LARGEST = np.finfo(np.float32).max
EVERY_SEVENTH = np.arange(80).reshape(SHAPE) % 7 == 0
TILES = {
    "zeros": np.zeros(SHAPE),
    "negative zeros": np.full(SHAPE, -0.0),
    "NaN": np.full(SHAPE, np.nan),
    "infinities": np.full(SHAPE, -np.inf),
    "some NaN": np.where(EVERY_SEVENTH, np.nan, normal()),
    "some infinities": np.where(EVERY_SEVENTH, np.inf, normal()),
    "smallest": np.full(SHAPE, 2.0**-149),
    "subnormals": normal() * 2.0**-140,
    "largest": np.full(SHAPE, LARGEST),
    "lowest": np.full(SHAPE, -LARGEST),
    "everything": np.resize([0, -0.0, np.nan, np.inf, -np.inf, 1, -1, 2.0**-149, LARGEST, -LARGEST], SHAPE),
}


@pytest.mark.parametrize("name", TILES)
@pytest.mark.parametrize("spec", FORMATS)
def test_decode_of_encode_is_cast(spec: str, name: str) -> None:
    x, q = TILES[name].astype(np.float32), encodable(spec)
    assert_same(fe.decode(fe.encode(x, q)), fe.cast(x, q))


@pytest.mark.parametrize("spec", FORMATS)
def test_zeros_have_the_smallest_scale_and_keep_their_sign(spec: str) -> None:
    fmt, encoded = scaled(spec), fe.encode(np.zeros(SHAPE, np.float32), spec)
    scales = encoded.scales if fmt.scaling.scale is None else fe.decode(encoded.scales, fmt.scaling.scale)
    assert (scales == float(fmt.scaling.bounds[0])).all()
    if fmt.outer is not None:
        outers = encoded.outer_scales if fmt.outer.scale is None else fe.decode(encoded.outer_scales, fmt.outer.scale)
        assert (outers == 1).all()
    values = fe.cast(np.full(SHAPE, -0.0, np.float32), spec)
    assert (values == 0).all()
    assert (np.signbit(values) == fmt.has_negative_zero).all()


@pytest.mark.parametrize("spec", FORMATS)
def test_nan_and_infinity_go_by_rule(spec: str) -> None:
    """nonfinite="nan": the whole tile, or outer tile, is NaN; "element": each is its element's affair, and leaves the
    rest alone."""
    fmt, x = scaled(spec), normal()
    x[0, 3], x[1, 3], x[2, 3] = np.nan, np.inf, -np.inf
    wild, y = ~np.isfinite(x), fe.cast(x, spec)
    ruined = next((level for level in (fmt.outer, fmt.scaling) if level and level.nonfinite == "nan"), None)
    if ruined is not None:
        height, width = ruined.extents(SHAPE)
        for top in range(0, SHAPE[0], height):
            for left in range(0, SHAPE[1], width):
                part = np.s_[top : top + height, left : left + width]
                assert np.isnan(y[part]).all() == wild[part].any() == np.isnan(y[part]).any()
    else:
        assert_same(y[~wild], fe.cast(np.where(wild, np.float32(0), x), spec)[~wild])
        assert np.isnan(y[0, 3])
        assert y[1, 3] == np.nanmax(y if fmt.scaling.tile == () else y[1])
        assert y[2, 3] == np.nanmin(y if fmt.scaling.tile == () else y[2])


def test_an_infinity_in_an_element_that_has_one() -> None:
    x = np.array([1.0, np.inf, -np.inf, np.nan], np.float32)
    spec = "block<e5m2,4,e8m0fnu,nonfinite=element>"
    np.testing.assert_array_equal(fe.cast(x, spec), x)
    assert fe.cast(x, f"{spec} | saturate_all").tolist()[:3] == [1.0, 1.75, -1.75]
    np.testing.assert_array_equal(fe.cast(x, spec.replace("element", "nan")), np.full(4, np.nan))


def test_a_product_beyond_float32_is_infinite() -> None:
    """Decoding rounds element * scale in the carrier like any product; float64 holds it."""
    x = np.full(4, LARGEST)
    assert fe.cast(x, "block<int8,tensor,float32>").tolist() == [np.inf] * 4
    assert fe.cast(x, "block<int8,tensor,float32>", dtype=np.float64)[0] > LARGEST
    assert fe.cast(-x, "mxint8").tolist() == [-np.inf] * 4  # -2 * 2**127


def test_an_outer_scale_is_cut_off_at_the_largest_float32() -> None:
    """Where the largest element times the largest scale is below 1."""
    x, spec = np.full(4, LARGEST), "block<fixed<-2,8>,4,ufixed<0,8>,outer=tensor>"
    assert fe.encode(x, spec).outer_scales.tolist() == [LARGEST]
    assert_same(fe.cast(x, spec), cast_exactly(x, fe.as_quantizer(spec)))


@pytest.mark.parametrize("spec", FORMATS)
@pytest.mark.parametrize("shape", [(0,), (0, 5), (5, 0), (2, 0, 3), (0, 0), (1, 1), (1, 3, 2, 5)])
def test_arrays_of_any_size(spec: str, shape: tuple[int, ...]) -> None:
    if "3x8" in spec and len(shape) == 1:
        return
    x = normal(5, shape)
    y, encoded = fe.cast(x, spec), fe.encode(x, spec)
    assert y.shape == shape
    assert encoded.shape == shape
    assert len(encoded.scales.shape) == len(shape)
    assert_same(fe.decode(encoded), y)
    assert (x.size == 0) == (encoded.scales.size == 0)


@pytest.mark.parametrize(
    "spec",
    [
        "dfp16",
        "uint8_tensor",
        "fp8_tensor | via=float32",
        "block<int4,element,e4m3fn,outer=tensor>",
        "block<int8,tensor,float32,affine,partial=pad>",
    ],
)
def test_a_number_is_a_tensor_without_axes(spec: str) -> None:
    encoded = fe.encode(np.float32(-2.0), spec)
    assert encoded.codes.shape == encoded.scales.shape == ()
    assert encoded.zero_points is None or encoded.zero_points.shape == ()
    assert fe.decode(encoded) == fe.cast(np.float32(-2.0), spec) == -2.0
    assert fe.PackedArray.encode(np.array(-2.0, np.float32), spec).decode() == -2.0


def test_a_python_number_is_a_float64() -> None:
    assert fe.cast(5.0, "dfp16") == 5.0


@pytest.mark.parametrize("spec", ["block<int8sym,1,float32>", "block<e4m3fn,1x1,e8m0fnu>", "block<e2m1fn,1,e4m3fn>"])
def test_tiles_of_one_element(spec: str) -> None:
    """Each element has a scale of its own: as near as a product of the two comes."""
    x, fmt = normal(6), scaled(spec)
    y = fe.cast(x, spec)
    assert fe.encode(x, spec).scales.shape == x.shape
    step = {"int8sym": 2.0**-23, "e4m3fn": 2.0**-3, "e2m1fn": 2.0**-4 + 2.0**-10}[str(fmt.element)]
    big = np.abs(x) > 0.1
    assert (np.abs(y - x) <= step * np.abs(x))[big].all()


# -- the last tile of an axis --------------------------------------------------------------------
@pytest.mark.parametrize("partial", ["short", "pad"])
@pytest.mark.parametrize(("size", "padded"), [("8", (4, 24)), ("3x8", (6, 24)), ("3@0", (6, 20)), ("4x5", (4, 20))])
def test_short_tiles(size: str, padded: tuple[int, int], partial: str) -> None:
    x, spec = normal(7), f"block<e4m3fn,{size},e8m0fnu,partial={partial}>"
    encoded = fe.encode(x, spec)
    assert encoded.codes.shape == (padded if partial == "pad" else SHAPE)
    assert (encoded.codes[SHAPE[0] :] == 0).all()
    assert (encoded.codes[:, SHAPE[1] :] == 0).all()
    assert_same(fe.decode(encoded), fe.cast(x, spec))
    filled = np.zeros(padded, np.float32)
    filled[: SHAPE[0], : SHAPE[1]] = x
    assert_same(fe.cast(filled, spec)[: SHAPE[0], : SHAPE[1]], fe.cast(x, spec))


def test_short_tiles_refused() -> None:
    spec = "block<e4m3fn,8,e8m0fnu,partial=error>"
    assert fe.cast(normal(7, (4, 16)), spec).shape == (4, 16)
    with pytest.raises(ValueError, match="axis 1 of length 20 ends inside a tile of 8, which partial='error' refuses"):
        fe.cast(normal(7), spec)
    with pytest.raises(ValueError, match="partial='error'"):
        fe.encode(normal(7), spec)


@pytest.mark.parametrize("factor", [2.0**-149, 2.0**-147, 2.0**-130, 2.0**123])
def test_reciprocals_at_the_ends_of_float32(factor: float) -> None:
    """1 / (s * t) is at most the largest float32, also where s * t rounds to zero: zeros stay zero."""
    x = (np.arange(-16, 16).reshape(2, 16) * np.float32(factor)).astype(np.float32)
    quantizer = fe.as_quantizer("block<e2m1fn,16,e4m3fn,outer=tensor,apply=reciprocal>")
    assert_same(fe.cast(x, quantizer), cast_exactly(x, quantizer))


def test_subnormal_scales() -> None:
    """A float32 scale may be subnormal; the smallest is 2**-149, under which elements are 0 or the tiniest."""
    x = np.array([[2.0**-149 * n for n in (127, 64, 3, -1)]], np.float32)
    encoded: Any = fe.encode(x, "block<int8,token,float32>")
    assert encoded.scales.tolist() == [[2.0**-149]]
    assert_same(fe.decode(encoded), x)
    x = np.array([[2.0**-140, 2.0**-147]], np.float32)
    assert fe.encode(x, "mxfp4").scales.tolist() == [[0]]
    assert fe.cast(x, "mxfp4").tolist() == [[0.0, 0.0]]
    assert fe.encode(np.full((1, 16), 2.0**-148, np.float32), "nvfp4").outer_scales.item() == 2.0**-149


@pytest.mark.parametrize("via", ["", " | via=float32"])
def test_nan_keeps_its_sign(via: str) -> None:
    """Where the edges give NaN of either sign a code of its own, before and after a first rounding."""
    x = np.array([0x7FC00000, 0xFFC00000, 0x3F800000, 0x40000000], np.uint32).view(np.float32)
    quantizer = fe.as_quantizer(f"block<int8,4,e8m0fnu,nonfinite=element> | nan=1,0{via}")
    assert fe.cast(x, quantizer).tolist() == [2.0**-5, 0, 1, 2]
    assert cast_exactly(x, quantizer).tolist() == [2.0**-5, 0, 1, 2]
