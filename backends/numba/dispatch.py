"""cast, encode and decode of NumPy arrays: plain, on a grid scaled from outside, or with scales of their own."""

from __future__ import annotations

from typing import Any

from fmtemu.backends.numba import arrays, blocks, scaled
from fmtemu.encoded import Encoded
from fmtemu.formats import Format, Scaled
from fmtemu.quantizer import Quantizer


def cast(
    x: Any,
    quantizer: Quantizer,
    scale: Any,
    zero_point: Any,
    seed: Any,
    stream: Any,
    offset: int,
    dtype: Any,
    out: Any,
) -> Any:
    """See fmtemu.cast."""
    if type(quantizer.format) is Scaled:
        return blocks.cast(x, quantizer, scale, zero_point, seed, stream, offset, dtype, out)
    if scale is None and zero_point is None:
        return arrays.cast(x, quantizer, seed, stream, offset, dtype, out)
    return scaled.cast(x, quantizer, scale, zero_point, seed, stream, offset, dtype, out)


def encode(
    x: Any, quantizer: Quantizer, scale: Any, zero_point: Any, seed: Any, stream: Any, offset: int, out: Any
) -> Any:
    """See fmtemu.encode."""
    if type(quantizer.format) is Scaled:
        return blocks.encode(x, quantizer, scale, zero_point, seed, stream, offset, out)
    if scale is None and zero_point is None:
        return arrays.encode(x, quantizer, seed, stream, offset, out)
    return scaled.encode(x, quantizer, scale, zero_point, seed, stream, offset, out)


def decode(codes: Any, fmt: Format | None, dtype: Any, out: Any) -> Any:
    """See fmtemu.decode; ``codes`` are an array of ``fmt``, or an Encoded."""
    if isinstance(codes, Encoded):
        return blocks.decode(codes, dtype, out)
    assert fmt is not None
    return arrays.decode(codes, fmt, dtype, out)
