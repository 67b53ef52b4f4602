"""pack and unpack: codes of 1 to 16 bits as bytes, without a bit between them."""

from __future__ import annotations

import operator
import sys
from typing import Any

import numpy as np

from fmtemu.cast import load_backend

#: What becomes of a row whose codes do not fill whole bytes, by the name of the rule.
PADDINGS = {
    "row": "zero bits fill its last byte",
    "error": "it is refused",
}

MOST_BITS = 16


def pack(codes: Any, bits: int, *, pad: str = "row", out: Any = None) -> Any:
    """The bytes of unsigned codes of 1..16 bits: n codes on the last axis become ceil(n * bits / 8) of uint8.

    Each row (last axis) is one string of bits, in bytes whose least significant bit comes first; code i is
    its bits i * bits .. (i + 1) * bits - 1, least significant first. ``pad`` says what becomes of a row
    that ends inside a byte: "row" fills the byte with zero bits, "error" raises. ``codes`` is a NumPy array
    or a torch CPU tensor, and so is the result; ``out`` is a C-contiguous one to write to, of no use after
    an error. Raises TypeError for codes that are not unsigned, ValueError for codes of 2**bits or more.
    """
    bits = _integer("pack: bits", bits, 1, MOST_BITS)
    _check_array("pack: codes", codes)
    if pad not in PADDINGS:
        raise ValueError(f"pack: unknown pad {pad!r}; allowed: {', '.join(PADDINGS)}")
    if pad == "error" and codes.shape[-1] * bits % 8:
        raise ValueError(
            f"pack: a row of {codes.shape[-1]} codes of {bits} bits ends inside a byte; "
            "pad='row' fills it with zero bits"
        )
    return _run("pack", "codes", codes, (bits,), out)


def unpack(packed: Any, bits: int, count: int, *, out: Any = None) -> Any:
    """The codes that ``pack`` made these bytes of: ``count`` of ``bits`` bits in each row (last axis).

    ``packed`` is uint8, a NumPy array or a torch CPU tensor; the result is uint8 for up to 8 bits, else
    uint16, and ``out`` a C-contiguous array of that dtype. Raises TypeError for another dtype, ValueError
    where a row is not ceil(count * bits / 8) bytes long or has a bit set after its last code.
    """
    bits = _integer("unpack: bits", bits, 1, MOST_BITS)
    count = _integer("unpack: count", count, 0, sys.maxsize)
    _check_array("unpack: packed", packed)
    return _run("unpack", "packed", packed, (bits, count), out)


def _run(verb: str, name: str, x: Any, arguments: tuple[int, ...], out: Any) -> Any:
    """Call the backend, tensors as NumPy arrays on the same memory."""
    function = getattr(load_backend("fmtemu.backends.numba.packing"), verb)
    if isinstance(x, np.ndarray):
        return function(x, *arguments, out)
    tensors = load_backend("fmtemu.backends.torch.tensors")
    if out is not None and not _is_tensor(out):
        raise TypeError(f"out must be a tensor, got {type(out).__name__}")
    target = None if out is None else tensors._array(out, "out")
    result = function(tensors._array(x, name), *arguments, target)
    return tensors.torch.from_numpy(result) if out is None else out


def _check_array(name: str, x: Any) -> None:
    """Raise unless x is an array of unsigned integers with a last axis."""
    if isinstance(x, np.ndarray):
        unsigned = x.dtype.kind == "u"
    elif _is_tensor(x):
        unsigned = str(x.dtype).startswith("torch.uint")
    else:
        raise TypeError(f"{name} must be a NumPy array or a torch CPU tensor, got {type(x).__name__}")
    if not unsigned:
        raise TypeError(f"{name} must be unsigned integers, got {x.dtype}; .view() gives the bits of another dtype")
    if x.ndim == 0:
        raise ValueError(f"{name} must have a last axis, the row, got an array of shape (); use .reshape(1)")


def _is_tensor(x: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


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
