"""Writing .npy, .npz and .safetensors files tensor by tensor, and tensors piece by piece."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np

from fmtemu.files.elements import SAFETENSORS, Element
from fmtemu.files.replace import replacing
from fmtemu.files.safetensors import write_header


class Output(NamedTuple):
    """A tensor to write. ``pieces()`` gives its words in C order, some at a time."""

    name: str
    element: Element
    shape: tuple[int, ...]
    pieces: Callable[[], Iterable[Any]]


def write_tensors(path: Path, tensors: Sequence[Output], metadata: Mapping[str, str]) -> None:
    """Write a file of the kind that its name ends with, one piece at a time, in the order of ``tensors``.

    ``path`` is the new file when all is written, and what it was before if anything raises. Only .safetensors
    files keep the metadata. Raises ValueError for what the kind of file does not hold.
    """
    kinds = {".npy": _write_npy, ".npz": _write_npz, ".safetensors": _write_safetensors}
    if path.suffix not in kinds:
        raise ValueError(f"{path} must end with {', '.join(kinds)}")
    for name, element, _, _ in tensors:
        holds = element.name in _SAFETENSORS if path.suffix == ".safetensors" else element.name == element.words.name
        if not holds:
            raise ValueError(f"{name or 'the array'} is {element.name}, which {path.suffix} files do not hold")
    with replacing(path) as file:
        kinds[path.suffix](file, tensors, metadata)


_SAFETENSORS = {element.name: (key, element.words) for key, element in SAFETENSORS.items()}


def _write_safetensors(file: BinaryIO, tensors: Sequence[Output], metadata: Mapping[str, str]) -> None:
    header = [(name, _SAFETENSORS[element.name][0], shape) for name, element, shape, _ in tensors]
    entries = write_header(file, header, metadata)
    for name, element, _, pieces in tensors:
        file.seek(entries[name].start)
        for words in pieces():
            _append(file, words, _SAFETENSORS[element.name][1])


def _write_npy(file: BinaryIO, tensors: Sequence[Output], metadata: Mapping[str, str]) -> None:
    if len(tensors) != 1:
        raise ValueError(f"an .npy file holds one array, not {len(tensors)}: write .npz or .safetensors")
    _write_array(file, tensors[0])


def _write_npz(file: BinaryIO, tensors: Sequence[Output], metadata: Mapping[str, str]) -> None:
    """As numpy.savez writes: members without compression."""
    with zipfile.ZipFile(file, "w") as archive:
        for tensor in tensors:
            with archive.open(f"{tensor.name}.npy", "w", force_zip64=True) as member:
                _write_array(member, tensor)


def _write_array(file: IO[bytes], tensor: Output) -> None:
    description = np.lib.format.dtype_to_descr(tensor.element.words)
    header = {"descr": description, "fortran_order": False, "shape": tensor.shape}
    np.lib.format.write_array_header_1_0(file, header)
    for words in tensor.pieces():
        _append(file, words, tensor.element.words)


def _append(file: IO[bytes], words: Any, dtype: np.dtype[Any]) -> None:
    """Write words in the byte order of a dtype."""
    file.write(words.astype(dtype, copy=False).tobytes())
