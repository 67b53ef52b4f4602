"""Casts on a scaled grid: scale * Q(x / scale), the quotient rounded once."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from fmtemu.backends.numba.routes import check_carrier, number_format
from fmtemu.formats import as_format
from fmtemu.formats.carrier import fits
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import Stochastic

#: Significant bits up to which a decision boundary is seen exactly: x and scale have at most 24
#: each, so x / scale and a boundary of b bits that differ do so by a relative 2**-(24 + b) at
#: least, and their float64 roundings, off by 2**-53, stay on the same sides.
_BOUNDARY_BITS = 28


def cast_scaled(
    cast: Callable[..., Any],
    x: Any,
    quantizer: Quantizer,
    scale: Any,
    seed: Any,
    stream: Any,
    offset: int,
    dtype: Any,
    out: Any,
) -> Any:
    """The values scale * Q(x / scale), through ``cast`` on the float64 quotient, each product rounded
    once more (nearest, ties to even) to the result's dtype; see fmtemu.cast."""
    fmt, source, float32 = quantizer.format, number_format(x.dtype), as_format("float32")
    if source is None or not fits(source, float32):
        raise TypeError(
            f"cast: with scale=, x must be exact in float32 to be rounded once, got {x.dtype}; cast x to float32 first"
        )
    random_bits = quantizer.rounding.bits if isinstance(quantizer.rounding, Stochastic) else 1
    if fmt.precision + random_bits > _BOUNDARY_BITS or not fits(fmt, float32):
        raise ValueError(
            f"cast: with scale=, {quantizer} cannot be rounded once: its precision and random bits "
            f"must be at most {_BOUNDARY_BITS} together, and float32 hold the format"
        )
    scale = _check_scale(scale)
    try:
        quotient = x.astype(np.float64) / np.broadcast_to(scale, x.shape)
    except ValueError as error:
        raise ValueError(f"cast: scale of shape {scale.shape} does not broadcast to x's shape {x.shape}") from error
    if dtype is None and x.dtype.kind in "iu":
        raise TypeError(f"cast: x is {x.dtype}, which holds no fractions: give dtype=float32")
    result = x.dtype if dtype is None else dtype
    check_carrier(fmt, result)
    reach = max(fmt.largest, -fmt.lowest) * Fraction(float(scale.max(initial=0)))
    if reach > as_format(result).largest:
        raise ValueError(f"cast: scale times the largest {fmt} is {float(reach):g}, more than {result} holds")
    on_grid = Quantizer(fmt, quantizer.rounding, quantizer.edges)
    values = cast(quotient, on_grid, None, seed, stream, offset, None, None) * scale  # exact: at most 48 bits
    return cast(values, Quantizer(result), None, None, (), 0, result, out)


def _check_scale(scale: Any) -> Any:
    """The scale as a float32 array; a Python number is rounded to it."""
    if isinstance(scale, (int, float)):
        with np.errstate(over="ignore", under="ignore"):  # refused below
            scale = np.float32(min(scale, 1e300))
    scale = np.asarray(scale)
    if scale.dtype.kind != "f" or scale.dtype.itemsize > 4:
        raise TypeError(f"cast: scale must be float32, float16 or a Python number, got {scale.dtype}")
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise ValueError("cast: scale must be positive and finite in float32")
    return scale.astype(np.float64)
