"""pack and unpack: codes of 1 to 16 bits as bytes, without a bit between them."""

from __future__ import annotations

import operator
import sys
from typing import Any

import numpy as np

from fmtemu.cast import load_backend

#: Where the codes of a row lie in its bytes, by the name of the layout.
LAYOUTS = {
    "little": "code i is the bits i * bits ... (i + 1) * bits - 1 of the row as one little-endian integer "
    "(PyTorch's float4_e2m1fn_x2, CUDA's fp4x2, JAX, ONNX, torchao's fp4)",
    "big": "code i is the bits i * bits ... (i + 1) * bits - 1, counted from the highest, of the row as one big-endian "
    "integer (NumPy's packbits; bitsandbytes' 4 bits: the first code in the high nibble)",
    "q4_0": "byte j of 16 holds code j of 32 in its low and code j + 16 in its high nibble (ggml's blocks of 32: Q4_0, "
    "Q4_1, IQ4_NL, MXFP4)",
}

#: What becomes of a row whose codes do not fill whole bytes, by the name of the rule.
PADDINGS = {
    "row": "zero bits fill its last byte",
    "error": "it is refused",
}

MOST_BITS = 16


def pack(codes: Any, bits: int, *, layout: str = "little", pad: str = "row", out: Any = None) -> Any:
    """The bytes of unsigned codes of 1..16 bits: n codes on the last axis become ceil(n * bits / 8) of uint8.

    Each row (last axis) is one string of bits, in the order that ``layout`` names: "little" (code i at bit
    i * bits, the lowest bit of a byte first), "big" (the highest first) or "q4_0" (blocks of 32 codes as in
    ggml). ``pad`` says what becomes of a row that ends inside a byte: "row" fills it with zero bits, "error"
    raises. ``codes`` is a NumPy array or a torch CPU tensor, and so is the result; ``out`` is a C-contiguous
    one to write to, of no use after an error. Raises TypeError for codes that are not unsigned, ValueError for
    codes of 2**bits or more.
    """
    bits = _integer("pack: bits", bits, 1, MOST_BITS)
    backend = _backend("pack: codes", codes)
    if pad not in PADDINGS:
        raise ValueError(f"pack: unknown pad {pad!r}; allowed: {', '.join(PADDINGS)}")
    if pad == "error" and codes.shape[-1] * bits % 8:
        raise ValueError(
            f"pack: a row of {codes.shape[-1]} codes of {bits} bits ends inside a byte; "
            "pad='row' fills it with zero bits"
        )
    check_layout("pack", layout, bits, codes.shape[-1])
    return backend.pack(codes, bits, layout, out)


def unpack(packed: Any, bits: int, count: int, *, layout: str = "little", out: Any = None) -> Any:
    """The codes that ``pack`` made these bytes of: ``count`` of ``bits`` bits in each row (last axis).

    ``packed`` is uint8, a NumPy array or a torch CPU tensor; the result is uint8 for up to 8 bits, else
    uint16, and ``out`` a C-contiguous array of that dtype. Raises TypeError for another dtype, ValueError
    where a row is not ceil(count * bits / 8) bytes long or has a bit set after its last code.
    """
    bits = _integer("unpack: bits", bits, 1, MOST_BITS)
    count = _integer("unpack: count", count, 0, sys.maxsize)
    backend = _backend("unpack: packed", packed)
    check_layout("unpack", layout, bits, count)
    return backend.unpack(packed, bits, count, layout, out)


def check_layout(verb: str, layout: str, bits: int, count: int) -> None:
    """Raise unless the layout is one for rows of ``count`` codes of ``bits`` bits."""
    if layout not in LAYOUTS:
        raise ValueError(f"{verb}: unknown layout {layout!r}; allowed: {', '.join(LAYOUTS)}")
    if layout == "q4_0" and (bits != 4 or count % 32):
        raise ValueError(f"{verb}: layout 'q4_0' is blocks of 32 codes of 4 bits, got {count} codes of {bits} bits")


def _backend(name: str, x: Any) -> Any:
    """The backend module for this kind of array; raises unless x is one with a last axis."""
    torch = sys.modules.get("torch")
    if isinstance(x, np.ndarray):
        module = "fmtemu.backends.numba.packing"
    elif torch is not None and isinstance(x, torch.Tensor):
        module = "fmtemu.backends.torch.packing"
    else:
        raise TypeError(f"{name} must be a NumPy array or a torch CPU tensor, got {type(x).__name__}")
    if x.ndim == 0:
        raise ValueError(f"{name} must have a last axis, the row, got an array of shape (); use .reshape(1)")
    return load_backend(module)


def _integer(name: str, given: Any, least: int, most: int) -> int:
    try:
        value = operator.index(given)
    except TypeError:
        value = None
    if value is None or isinstance(given, bool):
        raise TypeError(f"{name} must be an integer, got {given!r}")
    if not least <= value <= most:
        allowed = f"{least}..{most}" if most < sys.maxsize else f"{least} or more"
        raise ValueError(f"{name} must be {allowed}, got {value}")
    return value
