"""The result depends on an array's numbers alone: not on its dtype, its layout, or where the result goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from scaled_samples import assert_same, encodable, normal

import fmtemu as fe

FORMATS = ["mxfp8_e4m3", "nvfp4", "block<e4m3fn,3x8,e8m0fnu,partial=pad>", "block<uint4,8,float16,affine>"]

LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "Fortran order": np.asfortranarray,
    "every second column": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "every second row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "backwards": lambda x: np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
    "big-endian": lambda x: x.astype(">f4"),
    "unaligned": lambda x: np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape),
    "read-only": lambda x: np.frombuffer(x.tobytes(), np.float32).reshape(x.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("spec", FORMATS)
def test_layout_does_not_matter(spec: str, layout: str) -> None:
    x = normal(1, (6, 40))
    other = LAYOUTS[layout](x)
    np.testing.assert_array_equal(other, x)
    expected = fe.cast(x, spec)
    assert_same(fe.cast(other, spec), expected)
    assert_same(
        fe.cast(other, spec, rounding="stochastic(8)", seed=1), fe.cast(x, spec, rounding="stochastic(8)", seed=1)
    )
    encoded = fe.encode(other, spec)
    for name in ("codes", "scales"):
        np.testing.assert_array_equal(getattr(encoded, name), getattr(fe.encode(x, spec), name))


def test_a_broadcast_array() -> None:
    x = np.broadcast_to(normal(2, (1, 40)), (6, 40))
    assert_same(fe.cast(x, "mxfp4"), fe.cast(x.copy(), "mxfp4"))
    assert_same(fe.cast(x.T, "block<e2m1fn,32@0,e8m0fnu>").T, fe.cast(x, "mxfp4"))


@pytest.mark.parametrize("spec", FORMATS)
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e5m2, np.int8, np.uint8, np.int16])
def test_narrow_sources_are_their_numbers(spec: str, dtype: Any) -> None:
    x = (normal(3, (6, 40)) * 20).astype(dtype)
    expected = fe.cast(x.astype(np.float32), spec)
    assert_same(fe.cast(x, spec, dtype=np.float32), expected)
    if np.dtype(dtype).kind not in "iu":
        y = fe.cast(x, spec)
        assert y.dtype == x.dtype
        assert_same(y.astype(np.float32), expected.astype(dtype).astype(np.float32))


def test_wide_sources_under_powers_of_two() -> None:
    """float64 and int64 are rounded once: 1 + 2**-40 above a tie goes up, though float32 has it on the tie."""
    x = np.array([6.0, 2.5 + 2.0**-40, 2.5, -(2.5 + 2.0**-40)])
    assert fe.cast(x, "mxfp4").tolist() == [6.0, 3.0, 2.0, -3.0]
    assert fe.cast(x, "mxfp4 | via=float32").tolist() == [6.0, 2.0, 2.0, -2.0]
    assert fe.cast(x, "mxfp4", dtype=np.float32).dtype == np.float32
    big = np.array([6 << 40, (5 << 39) + 1, 5 << 39])
    assert (fe.cast(big, "mxfp4", dtype=np.float64) / 2.0**40).tolist() == [6.0, 3.0, 2.0]


def test_float64_results_keep_what_float32_rounds() -> None:
    x = normal(3, (3, 40))
    wide, narrow = fe.cast(x, "nvfp4", dtype=np.float64), fe.cast(x, "nvfp4")
    assert (wide != narrow).any()
    np.testing.assert_allclose(wide, narrow, rtol=2**-22)
    encoded = fe.encode(x, "nvfp4")
    assert_same(fe.decode(encoded, dtype=np.float64), wide)
    exact = fe.decode(encoded.codes, "e2m1fn") * np.repeat(fe.decode(encoded.scales, "e4m3fn"), 16, axis=1)[:, :40]
    assert_same(wide, exact * encoded.outer_scales.astype(np.float64))


@pytest.mark.parametrize("spec", FORMATS)
def test_out(spec: str) -> None:
    x = normal(5, (6, 40))
    expected, out = fe.cast(x, spec), np.empty_like(x)
    assert fe.cast(x, spec, out=out) is out
    assert_same(out, expected)
    encoded = fe.encode(x, encodable(spec))
    out = np.empty_like(x)
    assert fe.decode(encoded, out=out) is out
    assert_same(out, expected)
    assert fe.cast(x, spec, out=x) is x
    assert_same(x, expected)


@pytest.mark.parametrize("spec", FORMATS)
def test_out_overlapping_x(spec: str) -> None:
    """As if x had been copied first, whichever way the two are shifted."""
    for shift in (0, 1):
        memory = normal(6, (7, 40))
        x, out = memory[shift : shift + 6], memory[1 - shift : 7 - shift]
        expected = fe.cast(x.copy(), spec)
        fe.cast(x, spec, out=out)
        assert_same(out, expected)


@pytest.mark.parametrize("spec", FORMATS)
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_codes_decode_to_narrow_dtypes(spec: str, dtype: Any) -> None:
    x = normal(9, (6, 40))
    y = fe.decode(fe.encode(x, spec), dtype=dtype)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, fe.cast(x, spec, dtype=dtype))


def test_large_arrays_are_cast_in_parts() -> None:
    """Rows far apart have the scales and random bits of their own place."""
    x = normal(7, (40, 1 << 14))
    for spec in ("mxfp4 | stochastic(8)", "nvfp4 | stochastic(8)"):
        whole = fe.cast(x, spec, seed=2)
        assert_same(fe.decode(fe.encode(x, spec, seed=2)), whole)
    part = fe.cast(x[30:], "mxfp4 | stochastic(8)", seed=2, offset=30 << 14)
    assert_same(part, fe.cast(x, "mxfp4 | stochastic(8)", seed=2)[30:])
