"""pack and unpack of PyTorch CPU tensors, by the NumPy backend on the same memory."""

from __future__ import annotations

from typing import Any

import torch

from fmtemu.backends.numba import packing
from fmtemu.backends.torch.memory import as_array


def pack(codes: Any, bits: int, layout: str, out: Any) -> Any:
    """See fmtemu.pack."""
    return _shared(packing.pack(_bytes(codes, "pack: codes"), bits, layout, _target(out)), out)


def unpack(packed: Any, bits: int, count: int, layout: str, out: Any) -> Any:
    """See fmtemu.unpack."""
    return _shared(packing.unpack(_bytes(packed, "unpack: packed"), bits, count, layout, _target(out)), out)


def _bytes(x: Any, name: str) -> Any:
    """The tensor as a NumPy array on the same memory."""
    if not str(x.dtype).startswith("torch.uint"):
        raise TypeError(f"{name} must be unsigned integers, got {x.dtype}; .view() gives the bits of another dtype")
    return as_array(x, name)


def _target(out: Any) -> Any:
    if out is not None and not isinstance(out, torch.Tensor):
        raise TypeError(f"out must be a tensor, got {type(out).__name__}")
    return None if out is None else as_array(out, "out")


def _shared(result: Any, out: Any) -> Any:
    return torch.from_numpy(result) if out is None else out
