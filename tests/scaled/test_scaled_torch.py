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
