"""PackedArray: an array in a number format, as the bytes it takes, in memory and in files."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fmtemu.cast import decode, encode
from fmtemu.files.replace import replacing
from fmtemu.files.safetensors import Header, read_header, write_header
from fmtemu.formats import Format, as_format
from fmtemu.packing import MOST_BITS, check_layout, pack, unpack
from fmtemu.quantizer import as_quantizer

#: The key of a file's metadata that says, as JSON, how its arrays are packed, and the version of that.
KEY, VERSION = "fmtemu", 1


@dataclass(frozen=True, eq=False)
class PackedArray:
    """An array of a number format of up to 16 bits: the bytes of its codes, and what it takes to read them.

    ``packed`` is ``pack(codes, format.bits, layout=layout)`` of codes of ``shape``, each row (last axis) in
    whole bytes; an array without axes is a row of one. It is a NumPy array or a torch CPU tensor. Raises
    ValueError where the parts contradict each other.
    """

    format: Format
    shape: tuple[int, ...]
    packed: Any
    layout: str = "little"

    def __post_init__(self) -> None:
        object.__setattr__(self, "format", as_format(self.format))
        object.__setattr__(self, "shape", tuple(self.shape))
        expected = packed_shape(self.format, self.shape, self.layout)
        given = str(self.packed.dtype).removeprefix("torch.")
        if given != "uint8" or tuple(self.packed.shape) != expected:
            raise ValueError(
                f"PackedArray: {self.format} of shape {self.shape} is uint8 of shape {expected}, "
                f"got {given} of shape {tuple(self.packed.shape)}"
            )

    @classmethod
    def encode(cls, x: Any, q: object, *, layout: str = "little", **options: Any) -> PackedArray:
        """The values of x in a number format, rounded and packed; x, q and the options (rounding=, edges=,
        overflow=, seed=, stream=, offset=) are those of ``fmtemu.encode``, as are the errors."""
        quantizer = as_quantizer(q)
        packed_shape(quantizer.format, np.shape(x), layout)
        codes = encode(x, quantizer, **options)
        rows = codes if codes.ndim else codes.reshape(1)
        return cls(quantizer.format, codes.shape, pack(rows, quantizer.format.bits, layout=layout), layout)

    def codes(self) -> Any:
        """The raw codes, of the array's shape, in uint8 or uint16."""
        count = self.shape[-1] if self.shape else 1
        return unpack(self.packed, self.format.bits, count, layout=self.layout).reshape(self.shape)

    def decode(self, dtype: Any = None) -> Any:
        """The values: of ``dtype``, by default float32, or float64 where that does not hold the format."""
        return decode(self.codes(), self.format, dtype=dtype)

    @property
    def nbytes(self) -> int:
        """The bytes it takes, the padding of rows included."""
        return math.prod(self.packed.shape)

    @property
    def bits_per_value(self) -> Fraction:
        """The bits it takes over the number of values, exactly, padding included; 0 where there are none."""
        return Fraction(8 * self.nbytes, max(math.prod(self.shape), 1))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a safetensors file of its own, for ``load``; see ``save_packed``."""
        save_packed({"array": self}, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PackedArray:
        """The packed array of a file that holds one. Raises ValueError where there are several or none."""
        found = load_packed(path)
        if len(found) != 1:
            raise ValueError(f"{path} holds {len(found)} packed arrays, not one: use load_packed")
        return next(iter(found.values()))


def packed_shape(fmt: Format, shape: tuple[int, ...], layout: str) -> tuple[int, ...]:
    """The shape of the packed bytes of codes of a shape: the last axis in bytes, (1,) in place of ().
    Raises ValueError where the format has too many bits or the layout is not one for such rows."""
    if fmt.bits > MOST_BITS:
        raise ValueError(f"PackedArray: {fmt} has codes of {fmt.bits} bits; at most {MOST_BITS} are packed")
    *rows, columns = shape or (1,)
    check_layout("PackedArray", layout, fmt.bits, columns)
    return *rows, -(-columns * fmt.bits // 8)


# -- files -------------------------------------------------------------------------------------


def save_packed(arrays: Mapping[str, PackedArray], path: str | os.PathLike[str]) -> None:
    """Write packed arrays to one safetensors file.

    The bytes of the array NAME are the uint8 tensor NAME.codes; the metadata's entry "fmtemu" says in JSON
    what format, shape and layout each has. The file is written under another name first, so that ``path`` is
    always whole.
    """
    tensors = [(f"{name}.codes", "U8", tuple(array.packed.shape)) for name, array in arrays.items()]
    with replacing(Path(path)) as file:
        metadata = describe({name: (array.format, array.shape, array.layout) for name, array in arrays.items()})
        entries = write_header(file, tensors, metadata)
        for name, array in arrays.items():
            file.seek(entries[f"{name}.codes"].start)
            file.write(np.ascontiguousarray(array.packed).data)


def load_packed(path: str | os.PathLike[str]) -> dict[str, PackedArray]:
    """The packed arrays that a safetensors file holds, by their names, as NumPy arrays; other tensors in it
    are left alone. Raises ValueError for a file that ``save_packed`` did not write, or a newer version did."""
    with open(path, "rb") as file:
        header = read_header(file)
        return {name: _load(file, header, name, about) for name, about in _described(header).items()}


def describe(arrays: Mapping[str, tuple[Format, tuple[int, ...], str]]) -> dict[str, str]:
    """The metadata of a file of packed arrays, from the format, shape and layout of each."""
    about = {
        name: {"format": fmt.spelling(), "shape": list(shape), "layout": layout}
        for name, (fmt, shape, layout) in arrays.items()
    }
    return {KEY: json.dumps({"version": VERSION, "arrays": about})}


def _described(header: Header) -> dict[str, dict[str, Any]]:
    """What the metadata says of each packed array; raises unless this version understands all of it."""
    if KEY not in header.metadata:
        raise ValueError(f"the file holds no packed arrays: its metadata has no entry {KEY!r}")
    about = json.loads(header.metadata[KEY])
    version = about.get("version") if isinstance(about, dict) else None
    if version != VERSION:
        raise ValueError(f"the packed arrays are of version {version!r}; this fmtemu reads version {VERSION}")
    _check_fields("the metadata", about, {"version", "arrays"})
    arrays: dict[str, dict[str, Any]] = about["arrays"]
    for name, fields in arrays.items():
        _check_fields(repr(name), fields, {"format", "shape", "layout"})
    return arrays


def _check_fields(owner: str, given: dict[str, Any], expected: set[str]) -> None:
    if set(given) != expected:
        raise ValueError(f"{owner} of the packed arrays has the fields {sorted(given)}, not {sorted(expected)}")


def _load(file: BinaryIO, header: Header, name: str, about: dict[str, Any]) -> PackedArray:
    """One packed array of an open file."""
    entry = header.entries.get(f"{name}.codes")
    if entry is None or entry.dtype != "U8":
        raise ValueError(f"the packed array {name!r} needs a tensor '{name}.codes' of U8")
    file.seek(entry.start)
    packed = np.fromfile(file, np.uint8, entry.stop - entry.start).reshape(entry.shape)
    return PackedArray(about["format"], about["shape"], packed, about["layout"])
