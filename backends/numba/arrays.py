"""cast, encode and decode of NumPy arrays."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fmtemu.backends.numba.compile import compiled_lookup
from fmtemu.backends.numba.run import run
from fmtemu.formats import Format, as_format
from fmtemu.formats.carrier import fits, smallest_carrier
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.parse import dtype_name
from fmtemu.kernels.decode import decode_values
from fmtemu.kernels.plan import has_kernel
from fmtemu.quantizer import Quantizer
from fmtemu.random import derive_key
from fmtemu.rounding import Stochastic

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
#: Formats of at most this many bits decode by a table of all their codes.
_TABLE_BITS = 16


class _Route(NamedTuple):
    """How a source dtype reaches a result dtype: the dtype its kernel works in."""

    source: np.dtype[Any]
    result: np.dtype[Any]
    direct: bool  # the kernel reads the array and writes the result as they are


def cast(
    x: Any, quantizer: Quantizer, *, scale: Any, seed: Any, stream: Any, offset: int, dtype: Any, out: Any
) -> Any:
    """See fmtemu.cast."""
    if quantizer.via is not None:
        x = _round_via(x, quantizer.via, dtype)
    if scale is not None:
        return _cast_scaled(x, quantizer, scale, seed, stream, offset, dtype, out)
    route = _cast_route(quantizer, x.dtype, dtype)
    key = _key(quantizer, seed, stream, offset)
    if out is not None:
        _check_out(out, x.shape, route.result)
    if route.direct and out is not None:
        flat, target = x.reshape(-1), out.reshape(-1)
        if np.may_share_memory(x, out):
            same = x.__array_interface__["data"] == out.__array_interface__["data"] and x.flags.c_contiguous
            flat = target if same else flat.copy()
        run(quantizer, flat, target, to_codes=False, key=key, offset=offset)
        return out
    flat = _widen(x, route.source)
    work = np.empty(flat.size, route.source)
    run(quantizer, flat, work, to_codes=False, key=key, offset=offset)
    result = (work if route.direct else work.astype(route.result)).reshape(x.shape)
    return result if out is None else _store(out, result)


def encode(x: Any, quantizer: Quantizer, *, seed: Any, stream: Any, offset: int, out: Any) -> Any:
    """See fmtemu.encode."""
    if quantizer.via is not None:
        x = _round_via(x, quantizer.via, None)
    source = _source_dtype(quantizer, x.dtype)
    key = _key(quantizer, seed, stream, offset)
    flat = _widen(x, source)
    codes = out
    if out is None:
        codes = np.empty(x.shape, code_dtype(quantizer.format))
    else:
        _check_out(out, x.shape, code_dtype(quantizer.format))
        if np.may_share_memory(x, out):
            flat = flat.copy()
    has_nan = run(quantizer, flat, codes.reshape(-1), to_codes=True, key=key, offset=offset)
    if has_nan and quantizer.outcomes.nan is None:
        raise ValueError(
            f"encode: x has NaN, which {quantizer.format} cannot encode; say what it becomes: "
            f"encode(x, '{quantizer} | nan=zero') or edges=Edges(nan=CODE)"
        )
    return codes


def decode(codes: Any, fmt: Format, *, dtype: Any, out: Any) -> Any:
    """See fmtemu.decode."""
    if codes.dtype.kind != "u":
        raise TypeError(f"decode: codes must be unsigned integers, got {codes.dtype}; use encode's result or .view()")
    result = _decode_dtype(fmt, dtype)
    if 8 * codes.itemsize > fmt.bits and codes.size and int(codes.max()) >> fmt.bits:
        raise ValueError(f"decode: codes of {fmt} are below 2**{fmt.bits}, got {int(codes.max())}")
    if out is None:
        out = np.empty(codes.shape, result)
    else:
        _check_out(out, codes.shape, result)
    if fmt.bits <= _TABLE_BITS and result in (_FLOAT32, _FLOAT64):
        compiled_lookup()(codes.reshape(-1), out.reshape(-1), _table(fmt, result))
        return out
    return _store(out, decode_values(codes.reshape(-1), fmt).astype(result).reshape(codes.shape))


@lru_cache(maxsize=4096)
def code_dtype(fmt: Format) -> np.dtype[Any]:
    """The smallest unsigned dtype that holds a format's codes."""
    return np.dtype(next(f"u{size}" for size in (1, 2, 4, 8) if 8 * size >= fmt.bits))


# -- dtypes ------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _cast_route(quantizer: Quantizer, given: np.dtype[Any], wanted: Any) -> _Route:
    fmt = quantizer.format
    source = _source_dtype(quantizer, given)
    if wanted is None and given.kind in "iub":
        raise TypeError(
            f"cast: x is {given}, which holds no fractions: give dtype={smallest_carrier(fmt) or 'a float dtype'} "
            "for the values, or use encode for the codes"
        )
    result = given if wanted is None else np.dtype(wanted)
    check_carrier(fmt, result)
    return _Route(source, result.newbyteorder("="), source == result == given)


def check_carrier(fmt: Format, dtype: Any) -> None:
    """Raise unless values of dtype (of NumPy or torch) hold every value of ``fmt`` exactly."""
    carrier = _float_format(dtype)
    if carrier is None:
        raise TypeError(f"cast: dtype must be a floating-point dtype, got {dtype}")
    if not fits(fmt, carrier):
        raise ValueError(f"cast: {dtype} does not hold all values of {fmt}: give dtype={smallest_carrier(fmt)}")


@lru_cache(maxsize=4096)
def _source_dtype(quantizer: Quantizer, given: np.dtype[Any]) -> np.dtype[Any]:
    """The float dtype whose kernel takes a source of dtype ``given``."""
    if given.kind == "b" or (given.kind not in "iuf" and _number_format(given) is None):
        raise TypeError(
            f"x must hold floating-point numbers or integers, got {given}"
            + ("; cast its real and imaginary parts" if given.kind == "c" else "")
        )
    if given.kind == "f" and given.itemsize > 8:
        raise TypeError(f"x must be at most float64, got {given}")
    fmt = quantizer.format
    small = _number_format(given)
    if small is not None and fits(small, as_format("float32")) and has_kernel(fmt, 32):
        return _FLOAT32
    if has_kernel(fmt, 64):
        return _FLOAT64
    raise ValueError(f"{fmt} is wider than float64 holds: arrays cannot carry it; use fmtemu.exact, one number at a time")


def _number_format(dtype: Any) -> Format | None:
    """The format of a dtype of numbers, or None."""
    try:
        return as_format(dtype)
    except (TypeError, ValueError):
        return None


def _float_format(dtype: Any) -> Format | None:
    """The format of a floating-point dtype, or None."""
    fmt = _number_format(dtype)
    return None if fmt is None or isinstance(fmt, FixedPoint) else fmt


def _widen(x: Any, dtype: np.dtype[Any]) -> Any:
    """x as a flat contiguous array of a float dtype, with the same values."""
    if x.dtype.kind in "iu" and x.itemsize == 8 and x.size:
        low, high = int(x.min()), int(x.max())
        if max(-low, high) > 2**53:
            x = _check_wide_integers(x)
    if x.dtype != dtype:
        x = x.astype(dtype)
    return np.ascontiguousarray(x).reshape(-1)


def _check_wide_integers(x: Any) -> Any:
    """x, if float64 holds each of its integers; int64 kernels would only serve formats near 64 bits."""
    exact = x.astype(np.float64)
    if (exact.astype(x.dtype) != x).any():
        raise ValueError(
            "x has integers beyond 2**53 that float64 does not hold, so they cannot be cast with one rounding; "
            "scale them down first, or use fmtemu.exact, one number at a time"
        )
    return exact


def _round_via(x: Any, via: Format, dtype: Any) -> Any:
    source = _number_format(x.dtype)
    if source is not None and fits(source, via):
        return x
    carrier = np.dtype(smallest_carrier(via) or "float64")
    first = cast(x, Quantizer(via), scale=None, seed=None, stream=(), offset=0, dtype=carrier, out=None)
    if x.dtype.kind in "iu":
        return first
    first = np.where(np.isnan(x) & np.signbit(x), -first, first)  # a NaN keeps its sign
    return first if dtype is not None else first.astype(x.dtype)


# -- arguments ---------------------------------------------------------------------------------


def _key(quantizer: Quantizer, seed: Any, stream: Any, offset: int) -> tuple[int, int] | None:
    if not quantizer.rounding.is_stochastic:
        return None
    if seed is None:
        raise ValueError(f"{quantizer.rounding} rounding needs seed= (0 <= seed < 2**64, or a JAX key)")
    if not 0 <= offset < 2**64:
        raise ValueError(f"offset must be 0 <= offset < 2**64, got {offset}")
    return derive_key(seed, stream)


def _check_out(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a NumPy array, got {type(out).__name__}")
    if out.dtype != dtype:
        raise TypeError(f"out must have dtype {dtype}, got {out.dtype}")
    if out.shape != shape:
        raise ValueError(f"out must have the shape {shape}, got {out.shape}")
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError("out must be C-contiguous and writeable; pass a contiguous array and copy from it")


def _store(out: Any, result: Any) -> Any:
    out[...] = result
    return out


@lru_cache(maxsize=4096)
def _decode_dtype(fmt: Format, dtype: Any) -> np.dtype[Any]:
    enough = smallest_carrier(fmt)
    if enough is None:
        raise ValueError(f"decode: {fmt} is wider than float64 holds; use fmtemu.exact.decode")
    if dtype is None:
        return np.dtype("float32" if enough == "float16" else enough)
    result = np.dtype(dtype)
    carrier = _float_format(result)
    if carrier is None or not fits(fmt, carrier):
        raise ValueError(f"decode: {dtype_name(dtype)} does not hold all values of {fmt}: give dtype={enough}")
    return result


@lru_cache(maxsize=64)
def _table(fmt: Format, dtype: np.dtype[Any]) -> Any:
    table = decode_values(np.arange(1 << fmt.bits), fmt).astype(dtype)
    table.setflags(write=False)
    return table


# -- scales ------------------------------------------------------------------------------------


def _cast_scaled(
    x: Any, quantizer: Quantizer, scale: Any, seed: Any, stream: Any, offset: int, dtype: Any, out: Any
) -> Any:
    """scale * Q(x / scale). x and scale have at most 24 significant bits, so the float64 quotient
    is on the same side of every decision boundary (at most 28 bits) as the exact one."""
    fmt, source = quantizer.format, _number_format(x.dtype)
    if source is None or not fits(source, as_format("float32")):
        raise TypeError(
            f"cast: with scale=, x must be exact in float32 to be rounded once, got {x.dtype}; cast x to float32 first"
        )
    sought = fmt.precision + (quantizer.rounding.bits if isinstance(quantizer.rounding, Stochastic) else 1)
    if sought > 28 or not fits(fmt, as_format("float32")):
        raise ValueError(f"cast: with scale=, {quantizer} cannot be rounded once: it decides on more than 28 bits")
    scale = np.asarray(scale)
    if scale.dtype.kind in "iu" or (scale.dtype == _FLOAT64 and scale.ndim == 0):
        scale = scale.astype(np.float32)
    if not (scale.dtype.kind == "f" and scale.itemsize <= 4):
        raise TypeError(f"cast: scale must be float32 or float16, got {scale.dtype}")
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise ValueError("cast: scale must be positive and finite")
    try:
        quotient = x.astype(np.float64) / np.broadcast_to(scale, x.shape)
    except ValueError as error:
        raise ValueError(f"cast: scale of shape {scale.shape} does not broadcast to x's shape {x.shape}") from error
    result = np.dtype(x.dtype if dtype is None else dtype)
    check_carrier(fmt, result)
    rest = {"seed": seed, "stream": stream, "offset": offset}
    plain = Quantizer(fmt, quantizer.rounding, quantizer.edges)
    values = cast(quotient, plain, scale=None, dtype=None, out=None, **rest) * scale
    nearest = Quantizer(result)
    return cast(values, nearest, scale=None, seed=None, stream=(), offset=0, dtype=result, out=out)


