"""cast, encode and decode of PyTorch CPU tensors, by the NumPy backend on the same memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from fmtemu.backends.numba import dispatch
from fmtemu.backends.numba.routes import check_carrier, code_dtype, decode_dtype
from fmtemu.encoded import Encoded
from fmtemu.formats import Format, Scaled
from fmtemu.quantizer import Quantizer

#: Float dtypes that NumPy has too: tensors of these are shared, others pass through float32.
_SHARED: dict[Any, Any] = {torch.float16: np.float16, torch.float32: np.float32, torch.float64: np.float64}


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
    """See fmtemu.cast; dtype is a torch dtype."""
    if dtype is not None and not isinstance(dtype, torch.dtype):
        raise TypeError(f"cast: dtype of a tensor must be a torch dtype, got {dtype!r}")
    wanted = dtype or (x.dtype if x.dtype.is_floating_point else None)
    if out is not None:
        _check_out(out, x.shape, wanted)
    how = (quantizer, *_factors(scale, zero_point), seed, stream, offset)
    if wanted is None or wanted in _SHARED:
        target = None if out is None else out.numpy()
        values = dispatch.cast(as_array(x, "x"), *how, _SHARED.get(wanted), target)
        return torch.from_numpy(np.asarray(values)) if out is None else out
    if not isinstance(quantizer.format, Scaled):
        check_carrier(quantizer.format, wanted)  # the values are exact in it and in float32
    values = dispatch.cast(as_array(x, "x"), *how, np.float32, None)
    result = torch.from_numpy(np.asarray(values)).to(wanted)
    return result if out is None else out.copy_(result)


def encode(
    x: Any, quantizer: Quantizer, scale: Any, zero_point: Any, seed: Any, stream: Any, offset: int, out: Any
) -> Any:
    """See fmtemu.encode."""
    if out is not None:
        _check_out(out, x.shape, getattr(torch, code_dtype(quantizer.format).name))
    target = None if out is None else out.numpy()
    how = (quantizer, *_factors(scale, zero_point), seed, stream, offset)
    codes = dispatch.encode(as_array(x, "x"), *how, target)
    if isinstance(codes, Encoded):
        return codes.convert(torch.from_numpy)
    return torch.from_numpy(codes) if out is None else out


def decode(codes: Any, fmt: Format | None, dtype: Any, out: Any) -> Any:
    """See fmtemu.decode; ``codes`` are a tensor, or an Encoded of tensors; dtype is a torch dtype."""
    if dtype is not None and dtype not in _SHARED:
        raise TypeError(f"decode: dtype of a tensor must be one of {', '.join(map(str, _SHARED))}, got {dtype!r}")
    wanted = _SHARED.get(dtype)
    if out is not None:
        default = torch.float32 if fmt is None else getattr(torch, decode_dtype(fmt, None).name)
        _check_out(out, codes.shape, dtype or default)
    target = None if out is None else out.numpy()
    if isinstance(codes, Encoded):
        values = dispatch.decode(codes.convert(lambda part: as_array(part, "codes")), None, wanted, target)
    else:
        values = dispatch.decode(as_array(codes, "codes"), fmt, wanted, target)
    return torch.from_numpy(values) if out is None else out


def _factors(scale: Any, zero_point: Any) -> tuple[Any, Any]:
    """The scale and the zero point, as NumPy arrays where they are tensors."""
    if isinstance(scale, torch.Tensor):
        scale = as_array(scale, "scale")
    if isinstance(zero_point, torch.Tensor):
        zero_point = as_array(zero_point, "zero_point")
    return scale, zero_point


def as_array(x: Any, name: str) -> Any:
    """The tensor as a NumPy array on the same memory (bfloat16 and the 8-bit floats: as float32)."""
    if x.layout != torch.strided or x.is_quantized:
        given = "a quantized one" if x.is_quantized else x.layout
        raise TypeError(f"{name} must be a dense tensor, got {given}; use .to_dense() or .dequantize()")
    if x.device.type != "cpu":
        raise TypeError(f"{name} is on {x.device}, and only CPU tensors are supported yet: use .cpu()")
    if x.requires_grad and torch.is_grad_enabled():
        raise RuntimeError(f"{name} requires grad, and a cast has no gradient: use .detach() or torch.no_grad()")
    x = x.detach().resolve_conj().resolve_neg()
    if x.dtype.is_floating_point and x.dtype not in _SHARED:
        x = x.to(torch.float32)
    return x.numpy()


def _check_out(out: Any, shape: Any, dtype: Any) -> None:
    if not isinstance(out, torch.Tensor):
        raise TypeError(f"out must be a tensor, got {type(out).__name__}")
    if out.device.type != "cpu" or out.requires_grad:
        raise TypeError("out must be a CPU tensor that does not require grad")
    if out.dtype != dtype:
        raise TypeError(f"out must have dtype {dtype}, got {out.dtype}")
    if out.shape != shape or not out.is_contiguous():
        raise ValueError(f"out must be contiguous and of shape {tuple(shape)}, got {tuple(out.shape)}")
