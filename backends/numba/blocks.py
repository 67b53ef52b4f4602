"""cast, encode and decode of NumPy arrays to formats with scales."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fmtemu.backends.numba import arrays, runs
from fmtemu.backends.numba.routes import as_dtype, code_dtype, number_format
from fmtemu.backends.numba.scaled import as_codes, move, without_ends
from fmtemu.backends.numba.scales import Scales, check_exact, find_scales
from fmtemu.backends.numba.tiles import adjoining
from fmtemu.encoded import Encoded
from fmtemu.formats import Scaled, as_format
from fmtemu.formats.base import Format
from fmtemu.formats.carrier import fits
from fmtemu.quantizer import Quantizer

#: Elements that are cast at a time; their quotients are float64.
_SLAB = 1 << 15
_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


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
    x, fmt, given = _source("cast", x, quantizer, zero_point)
    arrays.check_random(quantizer, seed, stream, offset, x.size)
    result = _result_dtype(given, dtype)
    if out is None:
        out = np.empty(x.shape, result)
    else:
        arrays._check_out(out, x.shape, result)
        x = x.copy() if arrays._overlaps(x, out) else x
    carrier = _FLOAT64 if result == _FLOAT64 else _FLOAT32
    if result == _FLOAT32 and runs.run(x, out, quantizer, scale, seed, stream, offset, to_codes=False):
        return out
    x, target, scales = _as_rows(x, out, find_scales(x, fmt, scale))
    for rows, start in _slabs(x.shape):
        quotient = _quotient(x[rows], fmt, scales, x.shape, rows)
        element = _round(quotient, quantizer, seed, stream, offset + start)
        if scales.zero_point is not None:
            zero = scales.spread(scales.zero_point, x.shape, rows)
            element = move(element, zero, quantizer.element) - zero
        with np.errstate(over="ignore"):  # a narrow dtype may be too small for a scale rounded up
            target[rows] = _multiply(element, fmt, scales, x.shape, rows, carrier)
    return out


def encode(
    x: Any, quantizer: Quantizer, scale: Any, zero_point: Any, seed: Any, stream: Any, offset: int, out: Any
) -> Encoded:
    """See fmtemu.encode."""
    if out is not None:
        raise TypeError("encode: out is for formats without scales; Encoded holds arrays of its own")
    x, fmt, _ = _source("encode", x, quantizer, zero_point)
    arrays.check_random(quantizer, seed, stream, offset, x.size)
    dtype = code_dtype(fmt.element)
    codes = np.empty(x.shape, dtype)
    found = runs.run(x, codes, quantizer, scale, seed, stream, offset, to_codes=True)
    if found is not None:
        return _encoded(codes, found, quantizer, x.shape)
    found = find_scales(x, fmt, scale)
    x, target, scales = _as_rows(x, codes, found)
    for rows, start in _slabs(x.shape):
        quotient = _quotient(x[rows], fmt, scales, x.shape, rows)
        quotient = np.where(np.isnan(scales.spread(scales.scale, x.shape, rows)), 0.0, quotient)
        if scales.zero_point is None:
            target[rows] = arrays.encode(quotient, quantizer.element, seed, stream, offset + start, None)
            continue
        steps = _round(quotient, quantizer, seed, stream, offset + start)
        zero = scales.spread(scales.zero_point, x.shape, rows)
        target[rows] = as_codes(move(steps, zero, quantizer.element), quantizer.element)
    return _encoded(codes, found, quantizer, codes.shape)


def decode(encoded: Encoded, dtype: Any, out: Any) -> Any:
    """The values of an Encoded; see fmtemu.decode."""
    fmt, shape = encoded.quantizer.format, encoded.shape
    assert isinstance(fmt, Scaled)
    result = _FLOAT32 if dtype is None else as_dtype(dtype)
    if result.kind != "f":
        raise TypeError(f"dtype must be a floating-point dtype, got {result}")
    out = np.empty(shape, result) if out is None else arrays._check_out(out, shape, result)
    codes = encoded.codes[tuple(map(slice, shape))]
    codes = codes.copy() if arrays._overlaps(codes, out) else codes
    numbers = encoded.scales
    if fmt.scaling.scale is not None:
        narrow = np.float32 if fits(fmt.scaling.scale, as_format("float32")) else np.float64
        numbers = arrays.decode(numbers, fmt.scaling.scale, narrow, None)
    extents = fmt.scaling.extents(shape)
    outer, outer_extents = None, extents
    if fmt.outer is not None:
        outer, outer_extents = encoded.outer_scales.astype(np.float64), fmt.outer.extents(shape)
    scales = Scales(numbers, encoded.zero_points, outer, extents, outer_extents)
    if result == _FLOAT32 and runs.decode(codes, out, fmt, scales):
        return out
    scales = scales._replace(scale=numbers.astype(np.float64))
    carrier = _FLOAT64 if result == _FLOAT64 else _FLOAT32
    codes, target, scales = _as_rows(codes, out, scales)
    shape = codes.shape
    exact = carrier if fits(fmt.element, as_format(carrier)) else _FLOAT64
    for rows, _ in _slabs(shape):
        element = arrays.decode(codes[rows], fmt.element, exact, None)
        if scales.zero_point is not None:
            element = element - scales.spread(scales.zero_point, shape, rows)
        with np.errstate(over="ignore"):
            target[rows] = _multiply(element, fmt, scales, shape, rows, carrier)
    return out


# -- steps -------------------------------------------------------------------------------------


def _source(verb: str, x: Any, quantizer: Quantizer, zero_point: Any) -> tuple[Any, Scaled, np.dtype[Any]]:
    """x in float32 or float64, with the same values; the format, and the dtype x had."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    if zero_point is not None:
        raise ValueError(f"{verb}: {fmt} finds its zero points itself (affine) or has none; leave zero_point out")
    x = np.asarray(x)
    given = x.dtype
    if quantizer.via is not None:
        x = arrays._round_via(x, quantizer.via)
    source = number_format(x.dtype)
    if source is None or x.dtype.kind in "bc":
        raise TypeError(f"x must hold floating-point numbers of at most float64, or integers, got {x.dtype}")
    check_exact(quantizer, source)
    fmt.scaling.extents(x.shape)
    return x.astype(_FLOAT32 if source.precision <= 24 else _FLOAT64, copy=False), fmt, given


def _result_dtype(given: np.dtype[Any], wanted: Any) -> np.dtype[Any]:
    result = given.newbyteorder("=") if wanted is None else as_dtype(wanted)
    if wanted is None and given.kind in "iub":
        raise TypeError(f"cast: x is {given}, which holds no fractions: give dtype=float32, or use encode")
    if not isinstance(number_format(result), Format) or result.kind in "iub":
        raise TypeError(f"dtype must be a floating-point dtype, got {result}")
    return result


def _as_rows(x: Any, out: Any, scales: Scales) -> tuple[Any, Any, Scales]:
    """x, out and the scales, where tiles are runs of adjoining elements with each as a row."""
    size = adjoining(x.shape, scales.extents)
    if not 0 < size <= _SLAB:
        return x, out, scales
    return arrays.flatten(x).reshape(-1, size), out.reshape(-1, size), scales.as_rows(size)


def _slabs(shape: tuple[int, ...]) -> Iterator[tuple[Any, int]]:
    """Parts of the first axis with about _SLAB elements, and the C-order index of their first element."""
    if not shape:
        yield (), 0
        return
    row = int(np.prod(shape[1:], dtype=np.int64))
    step = max(_SLAB // max(row, 1), 1)
    for start in range(0, shape[0], step):
        yield slice(start, start + step), start * row


def _quotient(x: Any, fmt: Scaled, scales: Scales, shape: tuple[int, ...], rows: Any) -> Any:
    """x / (s * t) in float64, on the right side of every boundary; a nonzero x gives no zero."""
    scale = scales.spread(scales.scale, shape, rows)
    factor = scale if scales.outer is None else scale * scales.spread(scales.outer, shape, rows)
    if fmt.scaling.apply == "reciprocal":
        with np.errstate(all="ignore"):
            reciprocal = np.minimum(np.float32(1) / factor.astype(np.float32), np.finfo(np.float32).max)
            return (x * reciprocal).astype(np.float64)
    quotient = x.astype(np.float64) / factor
    lost = (quotient == 0) & (x != 0)
    return np.where(lost, np.copysign(5e-324, x), quotient) if lost.any() else quotient


def _round(quotient: Any, quantizer: Quantizer, seed: Any, stream: Any, offset: int) -> Any:
    """The elements' values in units of the scale; with a zero point on a grid without ends."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    element = without_ends(quantizer) if fmt.scaling.affine else quantizer.element
    return arrays.cast(quotient, element, seed, stream, offset, None, None)


def _multiply(element: Any, fmt: Scaled, scales: Scales, shape: tuple[int, ...], rows: Any, carrier: Any) -> Any:
    """RN(RN(element * s) * t) in the carrier."""
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        scale = scales.spread(scales.scale, shape, rows).astype(element.dtype)  # the product is exact, or rounded once
        values = (element * scale).astype(carrier)
        if scales.outer is not None:
            values = values * scales.spread(scales.outer, shape, rows).astype(carrier)
    return values


def _encoded(codes: Any, scales: Scales, quantizer: Quantizer, shape: tuple[int, ...]) -> Encoded:
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    return Encoded(
        codes=_pad(codes, scales.extents) if fmt.scaling.partial == "pad" else codes,
        scales=_scale_codes(scales.scale, fmt),
        zero_points=None if scales.zero_point is None else scales.zero_point.astype(np.int64),
        outer_scales=None if scales.outer is None else scales.outer.astype(np.float32),
        quantizer=quantizer,
        shape=shape,
    )


def _scale_codes(scale: Any, fmt: Scaled) -> Any:
    if fmt.scaling.scale is None:
        return scale.astype(np.float32)
    return arrays.encode(scale, Quantizer(fmt.scaling.scale), None, (), 0, None)


def _pad(codes: Any, extents: tuple[int, ...]) -> Any:
    """The codes filled up to whole tiles with code 0."""
    return np.pad(codes, [(0, -length % size) for length, size in zip(codes.shape, extents, strict=True)])
