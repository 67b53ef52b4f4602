"""Formats with scales on torch tensors: the bits of the NumPy path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fmtemu as fe

torch: Any = pytest.importorskip("torch")

FORMATS = ["mxfp4", "nvfp4", "block<int8,channel,float32,affine>", "block<e4m3fn,3x8,e8m0fnu,partial=pad>"]


@pytest.mark.parametrize("spec", FORMATS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_cast_equals_numpy(spec: str, dtype: str) -> None:
    x = torch.randn(6, 40, generator=torch.Generator().manual_seed(1)).to(getattr(torch, dtype))
    y = fe.cast(x, spec)
    assert y.dtype == x.dtype
    expected = fe.cast(x.float().numpy(), spec)
    assert torch.equal(y, torch.from_numpy(expected).to(x.dtype))


@pytest.mark.parametrize("spec", FORMATS)
def test_an_encoded_holds_tensors_and_decodes_to_the_cast(spec: str) -> None:
    x = torch.randn(6, 40, generator=torch.Generator().manual_seed(2))
    encoded = fe.encode(x, spec)
    arrays = fe.encode(x.numpy(), spec)
    for name in ("codes", "scales", "zero_points", "outer_scales"):
        tensor, array = getattr(encoded, name), getattr(arrays, name)
        assert (tensor is None) == (array is None)
        if array is not None:
            np.testing.assert_array_equal(tensor.numpy(), array)
    out = torch.empty_like(x)
    assert fe.decode(encoded, out=out) is out
    assert torch.equal(out, fe.cast(x, spec))
    out = torch.empty_like(x, dtype=torch.bfloat16)
    assert fe.decode(encoded, dtype=torch.bfloat16, out=out) is out
    assert torch.equal(out, fe.cast(x, spec, dtype=torch.bfloat16))
    assert torch.equal(out, fe.decode(encoded, dtype=torch.bfloat16))


def test_codes_decode_to_dtypes_that_hold_their_values() -> None:
    codes = fe.encode(torch.tensor([1.3, -448.0]), "e4m3fn")
    assert fe.decode(codes, "e4m3fn", dtype=torch.bfloat16).equal(torch.tensor([1.25, -448.0], dtype=torch.bfloat16))
    with pytest.raises(ValueError, match="float8_e5m2 does not hold all values of e4m3fn"):
        fe.decode(codes, "e4m3fn", dtype=torch.float8_e5m2)
    with pytest.raises(TypeError, match=r"must be a floating-point torch dtype, got torch\.int8"):
        fe.decode(codes, "e4m3fn", dtype=torch.int8)
