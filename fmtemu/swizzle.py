"""The order in which tensor cores take the scales of blocks."""

from __future__ import annotations

from typing import Any

import numpy as np


def swizzle_scales(scales: Any) -> Any:
    """The scales of a matrix's blocks, of shape (rows, blocks), in the order in which NVIDIA's block-scaled
    matrix products take them: e4m3fn scales of 16 elements (NVFP4) or e8m0 scales of 32 (MX), one byte each.

    Tiles of 128 x 4 scales, zeros filling the last, follow each other row by row; scale (r, c) of a tile is
    its byte (r % 32) * 16 + (r // 32) * 4 + c. Returns a flat NumPy array of the same dtype. Raises TypeError or
    ValueError for what is no matrix. Source: cuBLAS, 1D block scaling factors layout.
    """
    if not isinstance(scales, np.ndarray):
        raise TypeError(f"swizzle_scales: scales must be a NumPy array, got {type(scales).__name__}")
    if scales.ndim != 2:
        raise ValueError(f"swizzle_scales: scales must be of shape (rows, blocks), got {scales.shape}")
    rows, columns = scales.shape
    padded = np.pad(scales, [(0, -rows % 128), (0, -columns % 4)])
    tiles = padded.reshape(padded.shape[0] // 128, 4, 32, padded.shape[1] // 4, 4)  # by tile, r // 32, r % 32, tile, c
    return tiles.transpose(0, 3, 2, 1, 4).reshape(-1)


def unswizzle_scales(swizzled: Any, shape: tuple[int, int]) -> Any:
    """The matrix of scales of a shape that ``swizzle_scales`` made this array of. Raises TypeError or ValueError
    for what is no flat NumPy array of the size that it gives."""
    if not isinstance(swizzled, np.ndarray):
        raise TypeError(f"unswizzle_scales: swizzled must be a NumPy array, got {type(swizzled).__name__}")
    rows, columns = shape
    down, across = -(-rows // 128), -(-columns // 4)
    if swizzled.shape != (down * across * 512,):
        raise ValueError(
            f"unswizzle_scales: scales of shape {(rows, columns)} are {down * across * 512} in a flat array, "
            f"got an array of shape {swizzled.shape}"
        )
    tiles = swizzled.reshape(down, across, 32, 4, 4).transpose(0, 3, 2, 1, 4)
    return tiles.reshape(down * 128, across * 4)[:rows, :columns]
