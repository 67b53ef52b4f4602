"""Casts of CPU tensors whose memory can be read now: by the NumPy backend, on the same memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from fmtemu.backends.numba import dispatch
from fmtemu.backends.numba.routes import check_carrier
from fmtemu.formats import Scaled
from fmtemu.quantizer import Quantizer

#: Float dtypes that NumPy has too: tensors of these are shared, others pass through float32.
SHARED: dict[Any, Any] = {torch.float16: np.float16, torch.float32: np.float32, torch.float64: np.float64}
_PLAIN = (torch.Tensor, torch.nn.Parameter)
_has_transforms, _count_modes = torch._C._are_functorch_transforms_active, torch._C._len_torch_dispatch_stack
_tracing_state = torch._C._get_tracing_state


def is_at_hand(*tensors: Any) -> bool:
    """Whether these tensors (other things are ignored) are numbers in memory, and nothing is to see what becomes of
    them: no compiler or tracer, no torch.func transform, no dispatch mode and no subclass."""
    if torch.compiler.is_compiling() or _has_transforms() or _count_modes() or _tracing_state() is not None:
        return False
    for x in tensors:
        if x is not None and isinstance(x, torch.Tensor) and (type(x) not in _PLAIN or x.is_meta or x.is_nested):
            return False
    return True


def check_tensor(x: Any, name: str) -> None:
    """Raise unless a tensor is dense, of real numbers, and where casts are done."""
    # Compilers refuse to ask for the layout within a backward pass, and take no tensors of others.
    if not torch.compiler.is_compiling() and (x.layout != torch.strided or x.is_quantized or x.is_nested):
        given = "a nested one" if x.is_nested else "a quantized one" if x.is_quantized else x.layout
        raise TypeError(f"{name} must be a dense tensor, got {given}; use .to_dense(), .dequantize() or .unbind()")
    if x.dtype.is_complex:
        raise TypeError(f"{name} must hold real numbers, got {x.dtype}; cast its real and imaginary parts")
    if x.device.type not in ("cpu", "meta"):
        raise TypeError(f"{name} is on {x.device}, and only CPU tensors are supported yet: use .cpu()")


def as_array(x: Any, name: str) -> Any:
    """The tensor as a NumPy array on the same memory (bfloat16 and the 8-bit floats: as float32)."""
    if x.dtype not in SHARED or x.layout is not torch.strided or not x.is_cpu:
        check_tensor(x, name)
        if x.is_meta:
            raise TypeError(f"{name} is on meta, where there are no numbers; use a CPU tensor")
        if x.dtype.is_floating_point and x.dtype not in SHARED:
            x = x.to(torch.float32)
    if x.requires_grad:
        x = x.detach()
    return x.resolve_neg().numpy() if x.is_neg() else x.numpy()


def as_arrays(**factors: Any) -> tuple[Any, ...]:
    """A scale, a zero point and the like, as NumPy arrays where they are tensors."""
    return tuple(as_array(given, name) if isinstance(given, torch.Tensor) else given for name, given in factors.items())


def cast(
    x: Any, quantizer: Quantizer, scale: Any, zero_point: Any, seed: Any, stream: Any, offset: int, dtype: Any
) -> Any:
    """See fmtemu.cast; the result has the strides of torch.empty_like(x)."""
    is_contiguous = x.is_contiguous()
    if not is_contiguous and scale is None and zero_point is None and not _goes_by_places(quantizer):
        order = sorted(range(x.ndim), key=x.stride, reverse=True)
        if x.permute(order).is_contiguous():  # channels last, transposed: each number by itself, as they lie
            values = cast(x.permute(order), quantizer, None, None, seed, stream, offset, dtype)
            return values.permute([order.index(axis) for axis in range(x.ndim)])
    wanted = dtype or x.dtype
    is_shared = wanted in SHARED
    target = None if dtype is None else SHARED.get(dtype)
    if not is_shared and (dtype is not None or x.dtype.is_floating_point):
        target = np.float32  # which the values pass through, exact in it and in what is wanted
        if not isinstance(quantizer.format, Scaled):
            check_carrier(quantizer.format, wanted)
    if scale is not None or zero_point is not None:
        scale, zero_point = as_arrays(scale=scale, zero_point=zero_point)
    array = dispatch.cast(as_array(x, "x"), quantizer, scale, zero_point, seed, stream, offset, target, None)
    values = torch.from_numpy(array)
    return values if is_shared and is_contiguous and array.size else lay_out(values, x, wanted)


def _goes_by_places(quantizer: Quantizer) -> bool:
    """Whether a number's result depends on where it stands."""
    return quantizer.rounding.is_stochastic or isinstance(quantizer.format, Scaled)


def lay_out(values: Any, x: Any, dtype: Any = None) -> Any:
    """Contiguous values in another dtype if one is given, with the strides that torch gives to what is like x."""
    if not x.is_contiguous() or not x.numel():
        return torch.empty_like(x, dtype=dtype or values.dtype).copy_(values)
    return values if dtype is None or values.dtype == dtype else values.to(dtype)
