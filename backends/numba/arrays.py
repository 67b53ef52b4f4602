"""cast, encode and decode of NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmtemu.backends.numba.integers import as_float64
from fmtemu.backends.numba.lookup import lookup
from fmtemu.backends.numba.routes import (
    FLOAT64,
    Route,
    as_dtype,
    cast_route,
    decode_dtype,
    encode_route,
    number_format,
)
from fmtemu.backends.numba.run import run
from fmtemu.formats import Format
from fmtemu.formats.base import check_count
from fmtemu.formats.carrier import fits, smallest_carrier
from fmtemu.quantizer import Quantizer
from fmtemu.random import derive_key

#: Elements at a time, where they are copied before the cast.
_COPIED = 1 << 18


def cast(x: Any, quantizer: Quantizer, seed: Any, stream: Any, offset: int, dtype: Any, out: Any) -> Any:
    """See fmtemu.cast."""
    if type(x) is not np.ndarray:
        x = np.asarray(x)
    if dtype is not None:
        dtype = as_dtype(dtype)
    if quantizer.via is not None:
        dtype = cast_route(quantizer, x.dtype, dtype).result  # before x changes
        x = _round_via(x, quantizer.via)
    route = cast_route(quantizer, x.dtype, dtype)
    key = _key(quantizer, seed, stream, offset, x.size) if route.is_stochastic else None
    if out is not None:
        _check_out(out, x.shape, route.result)
    if route.is_direct:
        target = np.empty(x.shape, route.target) if out is None else out
        flat = target if target.ndim == 1 else target.reshape(-1)
        if out is not None and _overlaps(x, out):
            same = x.flags.c_contiguous and x.ctypes.data == out.ctypes.data
            x = flat if same else x.copy()
        _run_rows(route, x, flat, key, offset)
        return target
    source = _widen(x, route.source, quantizer)
    work = np.empty(source.size, route.target)
    run(route, source, work, key, offset)
    result = work.astype(route.result).reshape(x.shape)
    return result if out is None else _store(out, result)


def encode(x: Any, quantizer: Quantizer, seed: Any, stream: Any, offset: int, out: Any) -> Any:
    """See fmtemu.encode."""
    if type(x) is not np.ndarray:
        x = np.asarray(x)
    if quantizer.via is not None:
        x = _round_via(x, quantizer.via)
    route = encode_route(quantizer, x.dtype)
    key = _key(quantizer, seed, stream, offset, x.size) if route.is_stochastic else None
    source = x if route.is_direct else _widen(x, route.source, quantizer)
    if out is None:
        codes = np.empty(x.shape, route.target)
    else:
        codes = _check_out(out, x.shape, route.target)
        if _overlaps(x, out):
            source = source.copy()
    has_nan = _run_rows(route, source, codes if codes.ndim == 1 else codes.reshape(-1), key, offset)
    if has_nan:
        _check_nan(quantizer)
    return codes


def _run_rows(route: Route, x: Any, y: Any, key: tuple[int, int] | None, offset: int) -> bool:
    """``run`` from an array of any layout. One that is not contiguous is copied by rows, whose copies stay in the
    cache; a copy of the whole costs ten times the cast."""
    if x.size <= _COPIED or x.flags.c_contiguous:
        return run(route, flatten(x), y, key, offset)
    row = x.size // len(x)
    step, has_nan = max(_COPIED // row, 1), False
    for start in range(0, x.size, step * row):
        part = flatten(x[start // row : start // row + step])
        has_nan |= run(route, part, y[start : start + part.size], key, offset + start)
    return has_nan


def decode(codes: Any, fmt: Format, dtype: Any, out: Any) -> Any:
    """See fmtemu.decode."""
    if type(codes) is not np.ndarray:
        codes = np.asarray(codes)
    result = decode_dtype(fmt, None if dtype is None else as_dtype(dtype))
    check_codes(codes, fmt)
    if out is None:
        out = np.empty(codes.shape, result)
    else:
        _check_out(out, codes.shape, result)
        if _overlaps(codes, out):
            codes = codes.copy()
    native = codes.astype(codes.dtype.newbyteorder("="), copy=False)
    lookup(fmt, result)(flatten(native), out.reshape(-1))
    return out


def check_codes(codes: Any, fmt: Format) -> None:
    """Raise unless an array holds raw codes of the format."""
    if codes.dtype.kind != "u":
        raise TypeError(f"decode: codes must be unsigned integers, got {codes.dtype}; use encode's result or .view()")
    if 8 * codes.itemsize > fmt.bits and codes.size and int(codes.max()) >> fmt.bits:
        raise ValueError(f"decode: codes of {fmt} are below 2**{fmt.bits}, got {int(codes.max())}")


# -- sources -----------------------------------------------------------------------------------


def flatten(x: Any) -> Any:
    """x as a flat, contiguous, aligned array."""
    flags = x.flags
    if flags.c_contiguous and flags.aligned and type(x) is np.ndarray:
        return x if x.ndim == 1 else x.reshape(-1)
    return np.require(x, requirements=["C", "A"]).reshape(-1)


def _widen(x: Any, dtype: np.dtype[Any], quantizer: Quantizer) -> Any:
    """x as a flat array of a float dtype, with the same values or others that become the same."""
    if x.dtype.kind in "iu" and x.itemsize == 8:
        x = as_float64(x.astype(x.dtype.newbyteorder("="), copy=False), quantizer)
    with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
        return flatten(x.astype(dtype, copy=False))


def _round_via(x: Any, via: Format) -> Any:
    """x rounded to ``via`` (nearest, ties to even), in a dtype that holds it; a NaN keeps its sign."""
    source = number_format(x.dtype)
    if source is not None and fits(source, via):
        return x
    carrier = np.dtype(smallest_carrier(via) or FLOAT64)
    first = cast(x, Quantizer(via), None, (), 0, carrier, None)
    return first if x.dtype.kind in "iu" else np.where(np.isnan(x) & np.signbit(x), -first, first)


# -- arguments ---------------------------------------------------------------------------------


def _key(quantizer: Quantizer, seed: Any, stream: Any, offset: int, size: int) -> tuple[int, int]:
    if seed is None:
        raise ValueError(f"{quantizer.rounding} rounding needs seed= (0 <= seed < 2**64, or a JAX key)")
    check_count("cast", "offset", offset, 0, 2**64 - max(size, 1))
    return derive_key(seed, stream)


def check_random(quantizer: Quantizer, seed: Any, stream: Any, offset: int, size: int) -> None:
    """Raise where a stochastic rounding of ``size`` elements has no random bits."""
    if quantizer.rounding.is_stochastic:
        _key(quantizer, seed, stream, offset, size)


def _check_nan(quantizer: Quantizer) -> None:
    """Raise unless NaN has a code."""
    if quantizer.outcomes.nan is None:
        raise ValueError(
            f"encode: x has NaN, which {quantizer.format} cannot encode; say what it becomes: "
            f"encode(x, '{quantizer} | nan=zero') or edges=Edges(nan=CODE)"
        )


def _overlaps(x: Any, out: Any) -> bool:
    """Whether two arrays may share memory; two that own theirs do not."""
    if x.base is None and out.base is None:
        return x is out
    return bool(np.may_share_memory(x, out))


def _check_out(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a NumPy array, got {type(out).__name__}")
    if out.dtype != dtype:
        raise TypeError(f"out must have dtype {dtype}, got {out.dtype}")
    if out.shape != shape:
        raise ValueError(f"out must have the shape {shape}, got {out.shape}")
    if not out.flags.carray:
        raise ValueError("out must be C-contiguous, aligned and writeable; pass such an array and copy from it")
    return out


def _store(out: Any, result: Any) -> Any:
    out[...] = result
    return out
