"""The safetensors format: eight bytes of length, a JSON header of that length, the bytes of the tensors.

As the library of that name defines it (huggingface.co/docs/safetensors), whose NumPy side reads no
bfloat16 or float8, and none of whose sides writes tensor by tensor.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, NamedTuple

#: Bits of an element, by the name of its type.
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
}  # fmt: skip

_METADATA = "__metadata__"
_LONGEST_HEADER = 100_000_000  # the library's limit


class Entry(NamedTuple):
    """A tensor of a file: its name, the name of its element type, its shape, and where its bytes start and stop."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


class Header(NamedTuple):
    """The tensors by their names, in the order of their bytes, and the file's metadata."""

    entries: dict[str, Entry]
    metadata: dict[str, str]


def read_header(file: BinaryIO) -> Header:
    """The header of an open file. Raises ValueError for whatever the library refuses: bytes that belong to
    no tensor or to two, sizes that contradict shapes, names given twice."""
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, _LONGEST_HEADER):
        raise ValueError("no safetensors file: its first eight bytes are not the length of a header")
    try:
        found = json.loads(file.read(length), object_pairs_hook=_without_repetition)
    except ValueError as error:
        raise ValueError(f"no safetensors file: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("no safetensors file: its header is no JSON object")
    metadata = found.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError(f"no safetensors file: {_METADATA} must be an object of strings")
    entries = sorted(
        (_entry(name, given, 8 + length) for name, given in found.items()), key=lambda e: (e.start, e.stop)
    )
    end = 8 + length
    for entry in entries:
        if entry.start != end:
            raise ValueError(f"no safetensors file: the bytes of {entry.name!r} do not follow those before")
        end = entry.stop
    if end != size:
        raise ValueError(f"no safetensors file: its tensors end at byte {end}, the file at byte {size}")
    return Header({entry.name: entry for entry in entries}, metadata)


def write_header(
    file: BinaryIO, tensors: Iterable[tuple[str, str, tuple[int, ...]]], metadata: Mapping[str, str]
) -> dict[str, Entry]:
    """Write the header of a file with these tensors (name, element type, shape), and return where the bytes
    of each go. Wide elements come first, so that all are aligned. Raises ValueError for a name given twice."""
    header: dict[str, Any] = {_METADATA: dict(metadata)} if metadata else {}
    offset = 0
    for name, dtype, shape in sorted(tensors, key=lambda tensor: -BITS[tensor[1]]):
        if name in header or name == _METADATA:
            raise ValueError(f"two tensors would be called {name!r}")
        end = offset + math.prod(shape) * BITS[dtype] // 8
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > _LONGEST_HEADER:
        raise ValueError(f"the header takes {len(text)} bytes; a safetensors file has at most {_LONGEST_HEADER}")
    file.write(len(text).to_bytes(8, "little") + text)
    start = 8 + len(text)
    return {name: _entry(name, given, start) for name, given in header.items() if name != _METADATA}


def _entry(name: str, given: Any, start: int) -> Entry:
    """The entry of one tensor in a header after which the bytes start."""
    if not isinstance(given, dict) or set(given) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"no safetensors file: {name!r} must have dtype, shape and data_offsets")
    dtype, shape, offsets = given["dtype"], given["shape"], given["data_offsets"]
    if not (are_counts(shape) and are_counts(offsets) and len(offsets) == 2):
        raise ValueError(f"no safetensors file: shape {shape} and data_offsets {offsets} of {name!r}")
    if dtype not in BITS:
        raise ValueError(f"{name!r} has elements of the unknown type {dtype!r}; known: {', '.join(BITS)}")
    if math.prod(shape) * BITS[dtype] != 8 * (offsets[1] - offsets[0]):
        raise ValueError(f"no safetensors file: {name!r} of shape {shape} in {dtype} takes other than its bytes")
    return Entry(name, dtype, tuple(shape), start + offsets[0], start + offsets[1])


def are_counts(given: Any) -> bool:
    """Whether this is a list of integers of 0 or more."""
    return isinstance(given, list) and all(type(n) is int and n >= 0 for n in given)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("its header gives a name twice")
    return found
