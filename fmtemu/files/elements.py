"""What files store for a number: NumPy's words, or words that are codes of a format."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fmtemu.files.safetensors import BITS
from fmtemu.formats import as_format


class Element(NamedTuple):
    """An element type: its name, the dtype of its words, and the format whose codes the words are where NumPy
    has no such dtype. Scales (E8M0) and elements of less than a byte are bytes that are copied only."""

    name: str
    words: np.dtype[Any]
    format: str | None = None

    @property
    def is_float(self) -> bool:
        """Whether the words are floating-point numbers."""
        return self.words.kind == "f" or self.format is not None


_NUMPY_NAMES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
    "U64": "uint64", "I64": "int64", "F16": "float16", "F32": "float32", "F64": "float64", "C64": "complex64",
}  # fmt: skip
_FORMATS = {
    "BF16": "bfloat16", "F8_E5M2": "e5m2", "F8_E4M3": "e4m3fn",
    "F8_E4M3FNUZ": "e4m3fnuz", "F8_E5M2FNUZ": "e5m2fnuz",
}  # fmt: skip

#: The element types of safetensors files, by their names there.
SAFETENSORS = {
    **{key: Element(name, np.dtype(name).newbyteorder("<")) for key, name in _NUMPY_NAMES.items()},
    **{key: Element(name, np.dtype(f"<u{BITS[key] // 8}"), name) for key, name in _FORMATS.items()},
    **{key: Element(key, np.dtype(np.uint8)) for key in ("F8_E8M0", "F6_E3M2", "F6_E2M3", "F4")},
}


def numpy_element(dtype: np.dtype[Any]) -> Element:
    """The element type of a NumPy dtype."""
    return Element(dtype.name, dtype)


def float_element(spec: str) -> Element:
    """The floating-point element type that a name of its format means: "float32", "bf16", "e4m3fn" ..."""
    fmt = as_format(spec)
    floats = [element for element in SAFETENSORS.values() if element.is_float]
    for element in floats:
        if as_format(element.name) == fmt:
            return element
    raise ValueError(f"files have no elements of {fmt}; allowed: {', '.join(element.name for element in floats)}")
