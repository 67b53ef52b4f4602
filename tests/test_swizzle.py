"""The order of scales for tensor cores: the formula of cuBLAS, and the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fmtemu as fe


@pytest.mark.parametrize("shape", [(128, 4), (256, 12), (1, 1), (130, 5), (33, 8), (0, 4), (5, 0)])
def test_each_scale_is_where_cublas_looks_for_it(shape: tuple[int, int]) -> None:
    scales = np.random.default_rng(0).integers(1, 255, size=shape, dtype=np.uint8)
    swizzled = fe.swizzle_scales(scales)
    across = -(-shape[1] // 4)
    assert swizzled.shape == (-(-shape[0] // 128) * across * 512,)
    assert swizzled.dtype == np.uint8
    for row, column in np.ndindex(shape):
        tile, outer, inner = row // 128 * across + column // 4, row % 128, column % 4
        assert swizzled[tile * 512 + outer % 32 * 16 + outer // 32 * 4 + inner] == scales[row, column]
    assert np.count_nonzero(swizzled) == scales.size  # zeros fill the tiles
    assert np.array_equal(fe.unswizzle_scales(swizzled, shape), scales)


def test_nvfp4_for_a_matrix_product() -> None:
    x = np.random.default_rng(0).normal(size=(130, 96)).astype(np.float32)
    encoded = fe.encode(x, "nvfp4")
    assert encoded.scales.shape == (130, 6)
    assert fe.swizzle_scales(encoded.scales).shape == (256 * 8,)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fe.swizzle_scales([[1]]), TypeError, "scales must be a NumPy array, got list"),
        (lambda: fe.swizzle_scales(np.zeros(4)), ValueError, r"of shape \(rows, blocks\), got \(4,\)"),
        (lambda: fe.unswizzle_scales([1], (1, 1)), TypeError, "swizzled must be a NumPy array, got list"),
        (lambda: fe.unswizzle_scales(np.zeros(4), (1, 1)), ValueError, r"are 512 in a flat array, got .*\(4,\)"),
    ],
)
def test_bad_input(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
