"""cast, encode and decode: they find the backend by the kind of array, nothing more."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from fmtemu.edges import Edges
from fmtemu.encoded import Encoded
from fmtemu.formats import Scaled
from fmtemu.quantizer import Quantizer, as_quantizer
from fmtemu.rounding import Rounding
from fmtemu.tracing import constant_when_traced

#: Numbers are cast as arrays without dimensions.
_SCALARS = (float, np.floating)
_NUMPY = (np.ndarray, *_SCALARS)


def cast(
    x: Any,
    q: object,
    *,
    rounding: Rounding | str | None = None,
    edges: Edges | str | None = None,
    overflow: str | None = None,
    scale: Any = None,
    zero_point: Any = None,
    seed: Any = None,
    stream: Sequence[int] = (),
    offset: int = 0,
    dtype: Any = None,
    out: Any = None,
) -> Any:
    """The values of x in a number format: each rounded once from its exact value.

    x is a NumPy array, a torch CPU tensor (whose gradient is straight-through, dx = dy) or a float; the
    result is of the same kind and shape and of ``dtype``, by default x's (integers need one), in native byte
    order. ``q`` is what as_quantizer takes; rounding, edges and overflow replace its fields. With ``scale``
    (positive float32, broadcast against x) it is scale * Q(x / scale), and scale * (clip(Q(x / scale) +
    zero_point) - zero_point) of integers, the product rounded to the result's dtype; a Scaled takes one scale
    per tile, and else finds its own. A stochastic rounding takes element i's bits from (seed, stream, offset
    + i), which others ignore. ``out`` may be x. Raises TypeError or ValueError for what cannot be exact.
    """
    quantizer = _quantizer(q, rounding, edges, overflow)
    if type(x) is not np.ndarray and isinstance(x, _SCALARS):
        return _backend(x).cast(x, quantizer, scale, zero_point, seed, stream, offset, dtype, out)[()]
    return _backend(x).cast(x, quantizer, scale, zero_point, seed, stream, offset, dtype, out)


def encode(
    x: Any,
    q: object,
    *,
    rounding: Rounding | str | None = None,
    edges: Edges | str | None = None,
    overflow: str | None = None,
    scale: Any = None,
    zero_point: Any = None,
    seed: Any = None,
    stream: Sequence[int] = (),
    offset: int = 0,
    out: Any = None,
) -> Any:
    """The raw codes of x in a number format, in the smallest unsigned dtype that holds them; in a format
    with scales an Encoded.

    Arguments as for ``cast``. Raises ValueError where x has NaN and the format has no code for it:
    say what it becomes, as in encode(x, "int8 | nan=zero").
    """
    quantizer = _quantizer(q, rounding, edges, overflow)
    if type(x) is not np.ndarray and isinstance(x, _SCALARS):
        encoded = _backend(x).encode(x, quantizer, scale, zero_point, seed, stream, offset, out)
        return encoded if isinstance(encoded, Encoded) else encoded[()]
    return _backend(x).encode(x, quantizer, scale, zero_point, seed, stream, offset, out)


def decode(codes: Any, fmt: object = None, *, dtype: Any = None, out: Any = None) -> Any:
    """The values of an array of raw codes of a format, or of an Encoded, which knows its own: of ``dtype``,
    by default float32, or float64 where that does not hold the format. Every NaN code gives the one
    quiet NaN with its sign cleared; scales multiply as RN(RN(element * s) * t) in the dtype."""
    if isinstance(codes, Encoded):
        if fmt is not None:
            raise TypeError("decode: an Encoded knows its format: leave fmt out")
        return _backend(codes.codes, "codes").decode(codes, None, dtype, out)
    if fmt is None:
        raise TypeError("decode: fmt must be the format of the codes, got None")
    quantizer = _quantizer(fmt, None, None, None)
    if isinstance(quantizer.format, Scaled):
        raise TypeError(f"decode: codes of {quantizer.format} need their scales: give the Encoded that encode made")
    if isinstance(codes, (int, np.integer)) and not isinstance(codes, bool):
        if codes < 0:
            raise ValueError(f"decode: codes are unsigned, got {codes}")
        if int(codes) >> quantizer.format.bits:
            raise ValueError(f"decode: codes of {quantizer.format} are below 2**{quantizer.format.bits}, got {codes}")
        return _backend(0.0).decode(np.asarray(codes, np.uint64), quantizer.format, dtype, out)[()]
    if isinstance(codes, _SCALARS):
        raise TypeError(f"decode: codes must be unsigned integers, got {codes!r}")
    return _backend(codes, "codes").decode(codes, quantizer.format, dtype, out)


_plain = lru_cache(maxsize=4096)(as_quantizer)  # saves half of a small cast's time


@constant_when_traced
def _quantizer(
    q: object, rounding: Rounding | str | None, edges: Edges | str | None, overflow: str | None
) -> Quantizer:
    if rounding is None and edges is None and overflow is None:
        return q if type(q) is Quantizer else _plain(q) if type(q) is str else as_quantizer(q)
    return as_quantizer(q, rounding=rounding, edges=edges, overflow=overflow)


def _backend(x: Any, name: str = "x") -> Any:
    """The backend module for this kind of array."""
    if isinstance(x, _NUMPY):
        if type(x) is not np.ndarray and isinstance(x, np.ma.MaskedArray):
            raise TypeError(f"{name} is a masked array, and a cast would drop its mask: use {name}.filled(...)")
        return load_backend("fmtemu.backends.numba.dispatch")
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(x, torch.Tensor):
        return load_backend("fmtemu.backends.torch.tensors")
    kind = f"{type(x).__module__}.{type(x).__qualname__}"
    advice = f"use numpy.asarray({name})" if hasattr(x, "__array__") or isinstance(x, (list, tuple)) else "use an array"
    raise TypeError(f"{name} must be a NumPy array, a torch CPU tensor or a float, got {kind}; {advice}")


_loaded: dict[str, Any] = {}


def load_backend(name: str) -> Any:
    """A module of fmtemu.backends, imported when it is first needed."""
    _load(name)
    return _loaded[name]


@constant_when_traced
def _load(name: str) -> None:
    if name not in _loaded:
        _loaded[name] = import_module(name)
