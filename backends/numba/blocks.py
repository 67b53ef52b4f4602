"""cast, encode and decode of NumPy arrays to formats with scales."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from fmtemu.backends.numba import arrays, runs
from fmtemu.backends.numba.routes import as_dtype, code_dtype, number_format
from fmtemu.backends.numba.scales import Scales, check_exact, find_scales, is_long
from fmtemu.backends.numba.tiled import Tiles, decode_tiles
from fmtemu.encoded import Encoded
from fmtemu.formats import Scaled, Scaling, as_format
from fmtemu.formats.base import Format
from fmtemu.formats.carrier import fits
from fmtemu.quantizer import Quantizer

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
    result = _result_dtype(given, None if dtype is None else as_dtype(dtype))
    if out is None:
        out = np.empty(x.shape, result)
    else:
        arrays._check_out(out, x.shape, result)
        x = x.copy() if arrays._overlaps(x, out) else x
    carrier = _FLOAT64 if result == _FLOAT64 else _FLOAT32
    if result == _FLOAT32 and runs.run(x, out, quantizer, scale, seed, stream, offset, to_codes=False):
        return out
    if x.size:
        x = np.asarray(x, order="C")
        tiles = Tiles(x, quantizer, find_scales(x, fmt, scale), scale is not None)
        tiles.cast(out.reshape(-1), carrier, seed, stream, offset)
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
    if found is None:
        x = np.asarray(x, order="C")
        found = find_scales(x, fmt, scale)
        if x.size:
            Tiles(x, quantizer, found, scale is not None).encode(codes.reshape(-1), seed, stream, offset)
    codes = _pad(codes, found.extents) if fmt.scaling.partial == "pad" and x.shape else codes
    return _encoded(codes, found, quantizer, x.shape)


def encode_packed(x: Any, quantizer: Quantizer, scale: Any, seed: Any, stream: Any, offset: int) -> Encoded | None:
    """The same with the bytes of codes for codes, rows of which fill whole bytes; None where no loop packs them."""
    x, fmt, _ = _source("encode", x, quantizer, None)
    arrays.check_random(quantizer, seed, stream, offset, x.size)
    packed = np.empty((*x.shape[:-1], x.shape[-1] * fmt.bits // 8), np.uint8)
    found = runs.run(x, packed, quantizer, scale, seed, stream, offset, to_codes=True, packed=True)
    return None if found is None else _encoded(packed, found, quantizer, x.shape)


def decode(encoded: Encoded, dtype: Any, out: Any) -> Any:
    """The values of an Encoded; see fmtemu.decode."""
    fmt, shape = encoded.quantizer.format, encoded.shape
    assert isinstance(fmt, Scaled)
    result = _FLOAT32 if dtype is None else _result_dtype(_FLOAT32, as_dtype(dtype))
    out = np.empty(shape, result) if out is None else arrays._check_out(out, shape, result)
    codes = encoded.codes[tuple(map(slice, shape))]
    codes = codes.copy() if arrays._overlaps(codes, out) else codes
    scales = _scales_of(encoded)
    if result == _FLOAT32 and runs.decode(codes, out, fmt, scales):
        return out
    carrier = _FLOAT64 if result == _FLOAT64 else _FLOAT32
    fit = fits(fmt.element, as_format(carrier)) and fits(fmt.scaling.numbers, as_format(carrier))
    exact = carrier if fit and not is_long(fmt) else _FLOAT64
    if codes.size:
        decode_tiles(np.asarray(codes, order="C"), fmt, scales, exact, carrier, out.reshape(-1))
    return out


def decode_pairs(encoded: Encoded, out: Any) -> Any:
    """The same, in float32, of codes of four bits, two to a byte; None where no loop takes them so."""
    fmt = encoded.quantizer.format
    assert isinstance(fmt, Scaled)
    if out is None:
        out = np.empty(encoded.shape, _FLOAT32)
    else:
        arrays._check_out(out, encoded.shape, _FLOAT32)
    packed = encoded.codes.copy() if arrays._overlaps(encoded.codes, out) else encoded.codes
    return out if runs.decode_pairs(packed, out, fmt, _scales_of(encoded)) else None


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
    dtype = _source_dtype(quantizer, x.dtype)
    fmt.scaling.extents(x.shape)
    return x if x.dtype == dtype else x.astype(dtype), fmt, given


@lru_cache(maxsize=1024)
def _source_dtype(quantizer: Quantizer, given: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which the loops take what a dtype holds."""
    source = number_format(given)
    if source is None or given.kind in "bc":
        raise TypeError(f"x must hold floating-point numbers of at most float64, or integers, got {given}")
    check_exact(quantizer, source)
    return _FLOAT32 if source.precision <= 24 else _FLOAT64


@lru_cache(maxsize=256)
def _result_dtype(given: np.dtype[Any], wanted: np.dtype[Any] | None) -> np.dtype[Any]:
    result = given.newbyteorder("=") if wanted is None else wanted
    if wanted is None and given.kind in "iub":
        raise TypeError(f"cast: x is {given}, which holds no fractions: give dtype=float32, or use encode")
    if not isinstance(number_format(result), Format) or result.kind in "iub":
        raise TypeError(f"dtype must be a floating-point dtype, got {result}")
    return result


def _scales_of(encoded: Encoded) -> Scales:
    """The scales, in float32 where that holds their format."""
    fmt, shape = encoded.quantizer.format, encoded.shape
    assert isinstance(fmt, Scaled)
    numbers, extents = _numbers_of(encoded.scales, fmt.scaling), fmt.scaling.extents(shape)
    if fmt.outer is None:
        return Scales(numbers, encoded.zero_points, None, extents, extents)
    outer = _numbers_of(encoded.outer_scales, fmt.outer).astype(np.float64)
    return Scales(numbers, encoded.zero_points, outer, extents, fmt.outer.extents(shape))


def _numbers_of(codes: Any, scaling: Scaling) -> Any:
    """The scales that an Encoded holds, in float32 where that holds their format."""
    if scaling.scale is None:
        return codes
    return arrays.decode(
        codes, scaling.scale, _FLOAT32 if fits(scaling.scale, as_format("float32")) else _FLOAT64, None
    )


def _encoded(codes: Any, scales: Scales, quantizer: Quantizer, shape: tuple[int, ...]) -> Encoded:
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    return Encoded(
        codes=codes,
        scales=_scale_codes(scales.scale, fmt.scaling),
        zero_points=None if scales.zero_point is None else scales.zero_point.astype(np.int64),
        outer_scales=None if fmt.outer is None else _scale_codes(scales.outer, fmt.outer),
        quantizer=quantizer,
        shape=shape,
    )


def _scale_codes(scale: Any, scaling: Scaling) -> Any:
    if scaling.scale is None:
        return scale.astype(np.float32)
    return arrays.encode(scale, Quantizer(scaling.scale), None, (), 0, None)


def _pad(codes: Any, extents: tuple[int, ...]) -> Any:
    """The codes filled up to whole tiles with code 0."""
    return np.pad(codes, [(0, -length % size) for length, size in zip(codes.shape, extents, strict=True)])
