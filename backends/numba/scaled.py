"""cast and encode of NumPy arrays on a grid that is scaled, and moved by a zero point, from outside."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from fmtemu.backends.numba import arrays
from fmtemu.backends.numba.decided import decide_quotients
from fmtemu.backends.numba.routes import as_dtype, check_carrier, code_dtype, number_format
from fmtemu.formats import Codebook, Format, Int, as_format
from fmtemu.formats.carrier import fits
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.lns import LNS
from fmtemu.quantizer import AFFINE_EDGES, Quantizer
from fmtemu.rounding import Stochastic

#: Significant bits up to which a decision boundary is seen exactly: x and scale have at most 24
#: each, so x / scale and a boundary of b bits that differ do so by a relative 2**-(24 + b) at
#: least, and their float64 roundings, off by 2**-53, stay on the same sides.
_BOUNDARY_BITS = 28


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
    """The values scale * Q(x / scale), or scale * (Q(x / scale) - zero_point), each product rounded
    once more (nearest, ties to even) to the result's dtype; see fmtemu.cast."""
    x, scale, zero_point = _arguments("cast", x, quantizer, scale, zero_point)
    fmt = quantizer.format
    if dtype is None and x.dtype.kind in "iu":
        raise TypeError(f"cast: x is {x.dtype}, which holds no fractions: give dtype=float32")
    result = x.dtype if dtype is None else as_dtype(dtype)
    check_carrier(fmt, result)
    reach = (max(fmt.largest, -fmt.lowest) + abs(zero_point).max(initial=0)) * Fraction(scale.max(initial=0))
    if reach > as_format(result).largest:
        raise ValueError(f"cast: scale times the largest {fmt} is {float(reach):g}, more than {result} holds")
    quotient = _quotient("cast", x, scale, quantizer, seed, stream, offset)
    if zero_point.any():
        values = _integers(quotient, quantizer, zero_point, seed, stream, offset) - zero_point
    else:
        carrier = result if fmt.is_carrier_rounded else None
        values = arrays.cast(quotient, _on_grid(quantizer), seed, stream, offset, carrier, None)
        values = values.astype(np.float64, copy=False)
    return arrays.cast(values * scale, Quantizer(result), None, (), 0, result, out)  # exact: at most 48 bits


def encode(
    x: Any, quantizer: Quantizer, scale: Any, zero_point: Any, seed: Any, stream: Any, offset: int, out: Any
) -> Any:
    """The raw codes of Q(x / scale), or of Q(x / scale) + zero_point; see fmtemu.encode."""
    x, scale, zero_point = _arguments("encode", x, quantizer, scale, zero_point)
    quotient = _quotient("encode", x, scale, quantizer, seed, stream, offset)
    if not zero_point.any():
        return arrays.encode(quotient, _on_grid(quantizer), seed, stream, offset, out)
    return as_codes(_integers(quotient, quantizer, zero_point, seed, stream, offset), quantizer, out)


# -- integers with a zero point ----------------------------------------------------------------


def move(steps: Any, zero_point: Any, quantizer: Quantizer) -> Any:
    """Rounded steps as integers of the format, in float64: moved by the zero point, then cut off."""
    fmt = quantizer.format
    if quantizer.edges.nan == "zero":
        steps = np.where(np.isnan(steps), 0.0, steps)
    return np.clip(steps + zero_point, float(fmt.lowest), float(fmt.largest))


def as_codes(integers: Any, quantizer: Quantizer, out: Any = None) -> Any:
    """The raw codes of integers in float64."""
    fmt = quantizer.format
    if np.isnan(integers).any():
        raise ValueError(
            f"encode: x has NaN, which {fmt} cannot encode; say what it becomes: encode(x, '{quantizer} | nan=zero')"
        )
    dtype = code_dtype(fmt)
    codes = integers.astype(np.int64).astype(dtype) & dtype.type((1 << fmt.bits) - 1)
    if out is None:
        return codes
    arrays._check_out(out, codes.shape, dtype)[...] = codes
    return out


@lru_cache(maxsize=256)
def without_ends(quantizer: Quantizer) -> Quantizer:
    """The rounding of a quantizer to integers of which none is the largest in practice."""
    return Quantizer(Int(40), quantizer.rounding)


def _integers(quotient: Any, quantizer: Quantizer, zero_point: Any, seed: Any, stream: Any, offset: int) -> Any:
    steps = arrays.cast(quotient, without_ends(quantizer), seed, stream, offset, None, None)
    return move(steps, zero_point, quantizer)


# -- arguments ---------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _on_grid(quantizer: Quantizer) -> Quantizer:
    """The quantizer without ``via``, which is for the sources of casts without a scale."""
    return Quantizer(quantizer.format, quantizer.rounding, quantizer.edges)


def _arguments(verb: str, x: Any, quantizer: Quantizer, scale: Any, zero_point: Any) -> tuple[Any, Any, Any]:
    """x, and the scale and the zero point as float64 arrays; raises what the docs of fmtemu.cast say."""
    x, fmt, float32 = np.asarray(x), quantizer.format, as_format("float32")
    if quantizer.via is not None:
        x = arrays._round_via(x, quantizer.via)
    source = number_format(x.dtype)
    if source is None or not fits(source, float32):
        raise TypeError(
            f"{verb}: with scale=, x must be exact in float32 for one rounding, not {x.dtype}; cast it to float32 first"
        )
    random_bits = quantizer.rounding.bits if isinstance(quantizer.rounding, Stochastic) else 1
    boundary_bits = fmt.precision + random_bits
    if isinstance(fmt, Codebook):  # of numbers that need not have the last bit in common
        spread = fmt.emax - fmt.lsb_exponent + 1 + random_bits
        boundary_bits = spread if quantizer.rounding.is_stochastic else max(fmt.middle_bits, fmt.precision)
    elif isinstance(fmt, LNS):
        boundary_bits = 0  # see decide_quotients
    if boundary_bits > _BOUNDARY_BITS or not fits(fmt, float32):
        raise ValueError(
            f"{verb}: with scale=, {quantizer} cannot be rounded once: its precision and random bits "
            f"must be at most {_BOUNDARY_BITS} together, and float32 hold the format"
        )
    zero_point = _check_zero_point(verb, zero_point, quantizer)
    try:
        np.broadcast_to(zero_point, x.shape)
    except ValueError as error:
        raise ValueError(
            f"{verb}: zero_point of shape {zero_point.shape} does not broadcast to x's shape {x.shape}"
        ) from error
    return x, _check_scale(verb, scale), zero_point


def _quotient(verb: str, x: Any, scale: Any, quantizer: Quantizer, seed: Any, stream: Any, offset: int) -> Any:
    """Float64 that round as x / scale does."""
    try:
        scale = np.broadcast_to(scale, x.shape)
        quotient = x.astype(np.float64) / scale
    except ValueError as error:
        raise ValueError(f"{verb}: scale of shape {scale.shape} does not broadcast to x's shape {x.shape}") from error
    if not isinstance(quantizer.format, LNS):
        return quotient
    return decide_quotients(x, scale, quotient, _on_grid(quantizer), seed, stream, offset)


def _check_scale(verb: str, scale: Any) -> Any:
    """The scale as a float64 array of float32 numbers; None is 1, a Python number is rounded to float32."""
    if scale is None:
        return np.ones(())
    if isinstance(scale, (int, float)):
        with np.errstate(over="ignore", under="ignore"):  # refused below
            scale = np.float32(min(scale, 1e300))
    scale = np.asarray(scale)
    if scale.dtype.kind != "f" or scale.dtype.itemsize > 4:
        raise TypeError(f"{verb}: scale must be float32, float16 or a Python number, got {scale.dtype}")
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise ValueError(f"{verb}: scale must be positive and finite in float32")
    return scale.astype(np.float64)


def _check_zero_point(verb: str, zero_point: Any, quantizer: Quantizer) -> Any:
    """The zero point as a float64 array; 0 for None."""
    if zero_point is None:
        return np.zeros(())
    fmt: Format = quantizer.format
    if not isinstance(fmt, FixedPoint) or fmt.fraction:
        raise ValueError(f"{verb}: a zero_point is for integer formats, not {fmt}")
    if quantizer.edges not in AFFINE_EDGES:
        raise ValueError(
            f"{verb}: integers with a zero_point saturate, and only nan=zero can be chosen; got {quantizer}"
        )
    zero_point = np.asarray(zero_point)
    if zero_point.dtype.kind not in "iu":
        raise TypeError(f"{verb}: zero_point must be integers, got {zero_point.dtype}")
    lowest, largest = int(fmt.lowest), int(fmt.largest)
    if zero_point.size and not lowest <= int(zero_point.min()) <= int(zero_point.max()) <= largest:
        raise ValueError(f"{verb}: zero_point must be {lowest}..{largest}, the integers of {fmt}")
    return zero_point.astype(np.float64)
