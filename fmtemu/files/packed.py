"""Packed arrays in safetensors files."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fmtemu.files.elements import SAFETENSORS, numpy_element
from fmtemu.files.safetensors import Header, are_counts, read_header
from fmtemu.files.writing import Output, write_tensors
from fmtemu.formats import Format, as_format
from fmtemu.packed import PackedArray, Part, find_parts

#: The key of a file's metadata that says, as JSON, how its arrays are packed, and the version of that.
KEY, VERSION = "fmtemu", 1


def save_packed(arrays: Mapping[str, PackedArray], path: str | os.PathLike[str]) -> None:
    """Write packed arrays to one .safetensors file, under another name first, so that ``path`` is always whole.

    The bytes of the array NAME are the tensor NAME.packed; its scales, if any, are NAME.scales,
    NAME.zero_points and NAME.outer_scales. The metadata's entry "fmtemu" says in JSON what format, shape and
    layout each has.
    """
    for name, array in arrays.items():
        if not isinstance(array, PackedArray):
            raise TypeError(f"save_packed: {name!r} must be a PackedArray, got {type(array).__name__}")
    outputs = [
        Output(f"{name}.{key}", numpy_element(part.stored), part.stored_shape, partial(_whole, array, key, part))
        for name, array in arrays.items()
        for key, part in find_parts(array.format, array.shape, array.layout).items()
    ]
    if Path(path).suffix != ".safetensors":
        raise ValueError(f"packed arrays are saved to .safetensors files, not {path}")
    metadata = describe({name: (array.format, array.shape, array.layout) for name, array in arrays.items()})
    write_tensors(Path(path), outputs, metadata)


def load_packed(path: str | os.PathLike[str]) -> dict[str, PackedArray]:
    """The packed arrays that a safetensors file holds, by their names, as NumPy arrays; other tensors in it
    are left alone. Raises ValueError for a file that ``save_packed`` did not write, or a later version did."""
    with open(path, "rb") as file:
        header = read_header(file)
        return {name: _load(file, header, name, about) for name, about in _described(header).items()}


def _whole(array: PackedArray, key: str, part: Part) -> list[Any]:
    """A part as the only piece of its tensor."""
    return [part.store(np.asarray(getattr(array, key)))]


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
    try:
        about = json.loads(header.metadata[KEY])
    except ValueError as error:
        raise ValueError(f"the metadata's entry {KEY!r} is no JSON: {error}") from error
    version = about.get("version") if isinstance(about, dict) else None
    if version != VERSION:
        raise ValueError(f"the packed arrays are of version {version!r}; this fmtemu reads version {VERSION}")
    _check_fields("the metadata", about, {"version", "arrays"})
    arrays: dict[str, dict[str, Any]] = about["arrays"]
    if not isinstance(arrays, dict):
        raise ValueError(f"the metadata of the packed arrays must name them, got {arrays!r}")
    for name, fields in arrays.items():
        _check_fields(repr(name), fields, {"format", "shape", "layout"})
        if not (are_counts(fields["shape"]) and all(isinstance(fields[key], str) for key in ("format", "layout"))):
            raise ValueError(f"{name!r} of the packed arrays has a shape, format or layout that is none: {fields}")
    return arrays


def _check_fields(owner: str, given: Any, expected: set[str]) -> None:
    if not isinstance(given, dict) or set(given) != expected:
        raise ValueError(f"{owner} of the packed arrays must have the fields {sorted(expected)}, got {given}")


def _load(file: BinaryIO, header: Header, name: str, about: dict[str, Any]) -> PackedArray:
    """One packed array of an open file."""
    fmt, shape, layout = as_format(about["format"]), tuple(about["shape"]), about["layout"]
    found = {}
    for key, part in find_parts(fmt, shape, layout).items():
        entry, expected = header.entries.get(f"{name}.{key}"), part.stored_shape
        if entry is None or entry.shape != expected or SAFETENSORS[entry.dtype].words != part.stored:
            given = "is missing" if entry is None else f"is {entry.dtype} of shape {entry.shape}"
            raise ValueError(f"the tensor {name}.{key} must be {part.stored} of shape {expected}, and {given}")
        file.seek(entry.start)
        found[key] = part.restore(np.fromfile(file, part.stored, math.prod(expected)).reshape(expected))
    return PackedArray(fmt, shape, layout=layout, **found)
