"""cast, encode and decode of PyTorch CPU tensors, by the NumPy backend on the same memory."""

from __future__ import annotations

from typing import Any

import torch

from fmtemu.backends.numba import dispatch
from fmtemu.backends.numba.routes import check_carrier, code_dtype, decode_dtype
from fmtemu.backends.torch import memory
from fmtemu.backends.torch.draws import read_words
from fmtemu.backends.torch.gradients import cast_with_gradient
from fmtemu.backends.torch.memory import SHARED, as_arrays, is_at_hand
from fmtemu.encoded import Encoded
from fmtemu.formats import Format
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
    """See fmtemu.cast; dtype is a torch dtype."""
    if dtype is not None and not isinstance(dtype, torch.dtype):
        raise TypeError(f"cast: dtype of a tensor must be a torch dtype, got {dtype!r}")
    if out is None:
        how = (scale, zero_point, seed, stream, offset, dtype)
        return cast_with_gradient(x, quantizer, "straight_through", *how)
    wanted = dtype or (x.dtype if x.dtype.is_floating_point else None)
    _check_out(out, x.shape, wanted)
    _check_is_done_now("cast with out=", x, scale, zero_point)
    seed, stream = read_words(seed, stream)
    if wanted not in SHARED:
        return out.copy_(memory.cast(x, quantizer, scale, zero_point, seed, stream, offset, dtype))
    scale, zero_point = as_arrays(scale=scale, zero_point=zero_point)
    source, target = memory.as_array(x, "x"), out.numpy()
    dispatch.cast(source, quantizer, scale, zero_point, seed, stream, offset, SHARED[wanted], target)
    return _written(out)


def encode(
    x: Any, quantizer: Quantizer, scale: Any, zero_point: Any, seed: Any, stream: Any, offset: int, out: Any
) -> Any:
    """See fmtemu.encode."""
    _check_is_done_now("encode", x, scale, zero_point)
    seed, stream = read_words(seed, stream)
    if out is not None:
        _check_out(out, x.shape, getattr(torch, code_dtype(quantizer.format).name))
    target = None if out is None else out.numpy()
    scale, zero_point = as_arrays(scale=scale, zero_point=zero_point)
    codes = dispatch.encode(memory.as_array(x, "x"), quantizer, scale, zero_point, seed, stream, offset, target)
    if isinstance(codes, Encoded):
        return codes.convert(torch.from_numpy)
    return torch.from_numpy(codes) if out is None else _written(out)


def decode(codes: Any, fmt: Format | None, dtype: Any, out: Any) -> Any:
    """See fmtemu.decode; ``codes`` are a tensor, or an Encoded of tensors; dtype is a torch dtype."""
    _check_is_done_now("decode", codes.codes if isinstance(codes, Encoded) else codes)
    if dtype is not None and dtype not in SHARED:
        return _decode_narrow(codes, fmt, dtype, out)
    wanted = SHARED.get(dtype)
    if out is not None:
        default = torch.float32 if fmt is None else getattr(torch, decode_dtype(fmt, None).name)
        _check_out(out, codes.shape, dtype or default)
    target = None if out is None else out.numpy()
    if isinstance(codes, Encoded):
        values = dispatch.decode(codes.convert(lambda part: memory.as_array(part, "codes")), None, wanted, target)
    else:
        values = dispatch.decode(memory.as_array(codes, "codes"), fmt, wanted, target)
    return torch.from_numpy(values) if out is None else _written(out)


def _decode_narrow(codes: Any, fmt: Format | None, dtype: Any, out: Any) -> Any:
    """The same for a dtype that NumPy has not: by way of float32, which is exact but for products with scales."""
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"decode: dtype of a tensor must be a floating-point torch dtype, got {dtype!r}")
    if fmt is not None:
        check_carrier(fmt, dtype)
    values = decode(codes, fmt, torch.float32, None)
    if out is None:
        return values.to(dtype)
    _check_out(out, values.shape, dtype)
    return out.copy_(values)


def as_array(x: Any, name: str) -> Any:
    """The tensor as a NumPy array on the same memory, for what has no gradient."""
    _check_is_done_now(f"what is computed from {name}", x)
    return memory.as_array(x, name)


def _check_is_done_now(what: str, *tensors: Any) -> None:
    """Raise where torch differentiates or traces what can only be done at once."""
    if any(isinstance(x, torch.Tensor) and x.is_meta for x in tensors):
        raise TypeError(f"{what} needs numbers, and a meta tensor has none: use a CPU tensor")
    if not is_at_hand(*tensors):
        raise TypeError(f"{what} cannot be compiled, traced or transformed by torch.func: do it outside of that")
    if torch.is_grad_enabled() and any(isinstance(x, torch.Tensor) and x.requires_grad for x in tensors):
        raise RuntimeError(f"{what} has no gradient, and its input requires grad: use .detach() or torch.no_grad()")


def _written(out: Any) -> Any:
    """``out``, of which autograd is told that its memory changed."""
    if not out.is_inference():
        torch.autograd.graph.increment_version(out)
    return out


def _check_out(out: Any, shape: Any, dtype: Any) -> None:
    if not isinstance(out, torch.Tensor):
        raise TypeError(f"out must be a tensor, got {type(out).__name__}")
    if out.device.type != "cpu" or out.requires_grad:
        raise TypeError("out must be a CPU tensor that does not require grad")
    if out.dtype != dtype:
        raise TypeError(f"out must have dtype {dtype}, got {out.dtype}")
    if out.shape != shape or not out.is_contiguous():
        raise ValueError(f"out must be contiguous and of shape {tuple(shape)}, got {tuple(out.shape)}")
