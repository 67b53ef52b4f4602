"""Reading .npy, .npz and .safetensors files tensor by tensor, and tensors piece by piece."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np

from fmtemu.files.elements import SAFETENSORS, Element, numpy_element
from fmtemu.files.safetensors import Entry, read_header


class Tensor(NamedTuple):
    """A tensor in an open file. ``read(start, stop)`` gives a range of its ``size`` words, in C order; ranges
    that follow each other are read fastest."""

    name: str
    element: Element
    shape: tuple[int, ...]
    size: int
    read: Callable[[int, int], Any]


class Source(NamedTuple):
    """The tensors of an open file and its metadata; ``has_names``: whether the file names them."""

    tensors: list[Tensor]
    metadata: Mapping[str, str]
    has_names: bool


@contextmanager
def open_tensors(path: Path) -> Iterator[Source]:
    """The tensors of a file, of the kind that its name ends with. Raises ValueError for any other."""
    if path.suffix == ".npy":
        yield Source([_whole("", np.asarray(np.load(path, mmap_mode="r", allow_pickle=False)))], {}, has_names=False)
    elif path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive, closing(_Members(archive)) as members:
            yield Source([members.tensor(info) for info in archive.infolist()], {}, has_names=True)
    elif path.suffix == ".safetensors":
        with open(path, "rb") as file:
            header = read_header(file)
            yield Source([_entry(file, entry) for entry in header.entries.values()], header.metadata, has_names=True)
    else:
        raise ValueError(f"{path} must end with .npy, .npz or .safetensors")


def _whole(name: str, x: Any) -> Tensor:
    """An array that is in memory, or mapped to it."""
    flat = x.reshape(-1) if x.flags.c_contiguous else x.flat
    return Tensor(name, numpy_element(x.dtype), x.shape, x.size, lambda start, stop: flat[start:stop])


def _entry(file: BinaryIO, entry: Entry) -> Tensor:
    """A tensor of a safetensors file."""
    element = SAFETENSORS[entry.dtype]
    size = element.words.itemsize

    def read(start: int, stop: int) -> Any:
        file.seek(entry.start + start * size)
        return np.fromfile(file, element.words, stop - start)

    return Tensor(entry.name, element, entry.shape, (entry.stop - entry.start) // size, read)


class _Members:
    """The arrays of an .npz archive, unpacked piece by piece; only the one that is being read is open."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._file: IO[bytes] | None = None
        self._reading = ""

    def close(self) -> None:
        """Close the array that is being read."""
        if self._file is not None:
            self._file.close()

    def tensor(self, info: zipfile.ZipInfo) -> Tensor:
        """One of the arrays; raises ValueError for what is no array."""
        with self._archive.open(info) as file:
            shape, _, dtype = _npy_header(file, info.filename)

        def read(start: int, stop: int) -> Any:
            if self._reading != info.filename:
                self.close()
                self._file, self._reading = self._archive.open(info), info.filename
                self._read = _reader(self._file, info.filename)
            return self._read(start, stop)

        return Tensor(info.filename.removesuffix(".npy"), numpy_element(dtype), shape, math.prod(shape), read)


def _reader(file: IO[bytes], name: str) -> Callable[[int, int], Any]:
    """How to read ranges of an array in C order; one in Fortran order is read at once."""
    shape, is_fortran, dtype = _npy_header(file, name)
    if is_fortran:
        flat = np.frombuffer(file.read(), dtype).reshape(shape, order="F").flat
        return lambda start, stop: flat[start:stop]
    data = file.tell()

    def read(start: int, stop: int) -> Any:
        if file.tell() != data + start * dtype.itemsize:  # a seek would end the check of the member's CRC
            file.seek(data + start * dtype.itemsize)
        found = np.frombuffer(file.read((stop - start) * dtype.itemsize), dtype)
        if found.size != stop - start:
            raise ValueError(f"{name} ends before its last element")
        return found

    return read


def _npy_header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and dtype of the .npy file that starts here."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(file)
    if version not in readers:
        raise ValueError(f"{name} is an .npy file of version {version}; allowed: {', '.join(map(str, readers))}")
    shape, is_fortran, dtype = readers[version](file)
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which are not loaded from files")
    return shape, is_fortran, dtype
