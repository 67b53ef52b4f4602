"""The cast of one tensor of a file, a piece at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from fmtemu.cast import cast, decode, encode
from fmtemu.cli.cast_tally import Tally
from fmtemu.files.elements import Element, numpy_element
from fmtemu.files.reading import Tensor
from fmtemu.files.writing import Output
from fmtemu.formats import as_format
from fmtemu.formats.carrier import holds, smallest_carrier
from fmtemu.packed import packed_shape
from fmtemu.packing import pack
from fmtemu.quantizer import Quantizer

#: Values in memory at a time: few enough for their arrays to be reused memory, and a multiple of the groups of
#: codes of every layout.
PIECE = 1 << 14

#: advance(tensor's name, words done): for a progress bar.
Advance = Callable[[str, int], None]


@dataclass(frozen=True)
class Job:
    """How to cast: to values of ``element`` (None: each tensor's own), or to packed codes in a ``layout``. The
    tensors are those of floating-point numbers whose names match a pattern of ``include`` and none of ``exclude``."""

    quantizer: Quantizer
    seed: int | None = None
    element: Element | None = None
    layout: str | None = None
    include: Sequence[str] = ("*",)
    exclude: Sequence[str] = ()


class TensorCast:
    """The cast of a tensor that is called ``name`` in the new file, with the random bits of ``stream``. What
    becomes of its values is counted in ``tally``; ``advance`` hears of every piece."""

    def __init__(
        self, job: Job, tensor: Tensor, name: str, stream: tuple[int, ...], tally: Tally, advance: Advance
    ) -> None:
        self._job, self._tensor, self._name = job, tensor, name
        self._stream, self._tally, self._advance = stream, tally, advance
        self._element = job.element or tensor.element

    def output(self) -> Output:
        """What is to be written. Raises ValueError where the tensor cannot be cast."""
        fmt, tensor, layout = self._job.quantizer.format, self._tensor, self._job.layout
        with self._naming():
            if layout is not None:
                shape = packed_shape(fmt, tensor.shape, layout)
                output = Output(f"{self._name}.codes", numpy_element(np.dtype(np.uint8)), shape, self._pieces)
            elif holds(fmt, as_format(self._element.name), as_format(tensor.element.name)):
                output = Output(self._name, self._element, tensor.shape, self._pieces)
            else:
                enough = smallest_carrier(fmt)
                raise ValueError(f"{self._element.name} does not hold all values of {fmt}: give --dtype {enough}")
            self._cast(np.empty((0, *tensor.shape[-1:]), tensor.element.words), 0)  # fails now if ever
        return output

    def _pieces(self) -> Iterator[Any]:
        for start, stop, columns in _ranges(self._tensor.size, self._tensor.shape):
            with self._naming():
                before, after, words = self._cast(self._tensor.read(start, stop).reshape(-1, columns), start)
            self._tally.add(before, after)
            self._tally.bytes += words.nbytes
            yield words
            self._advance(self._name, stop - start)

    def _cast(self, words: Any, start: int) -> tuple[Any, Any, Any]:
        """The values of words whose first has an index, what becomes of them, and the words for that."""
        quantizer, layout = self._job.quantizer, self._job.layout
        given, wanted = self._tensor.element, self._element
        random: dict[str, Any] = {"seed": self._job.seed, "stream": self._stream, "offset": start}
        x = words if given.format is None else decode(words, given.format)
        if layout is not None:
            codes = encode(x, quantizer, **random)
            return x, decode(codes, quantizer.format), pack(codes, quantizer.format.bits, layout=layout)
        y = cast(x, quantizer, dtype=wanted.words if wanted.format is None else np.float32, **random)
        return x, y, y if wanted.format is None else encode(y, wanted.format)

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Say which tensor it is that an error is about."""
        try:
            yield
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self._name}: {error}") from error


def _ranges(count: int, shape: tuple[int, ...]) -> Iterator[tuple[int, int, int]]:
    """(start, stop, columns) of pieces of whole rows, or of parts of one row."""
    columns = shape[-1] if shape else 1
    if columns <= PIECE:
        step = PIECE // max(columns, 1) * columns
        for start in range(0, count, max(step, 1)):
            yield start, min(start + step, count), columns
        return
    for row in range(0, count, columns):
        for start in range(row, row + columns, PIECE):
            stop = min(start + PIECE, row + columns)
            yield start, stop, stop - start
