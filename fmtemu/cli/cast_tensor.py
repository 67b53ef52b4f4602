"""The cast of one tensor of a file, a piece at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fmtemu.cast import cast, decode, encode
from fmtemu.cli.cast_tally import Tally
from fmtemu.files.elements import Element, numpy_element
from fmtemu.files.reading import Tensor
from fmtemu.files.writing import Output
from fmtemu.formats import Scaled, as_format
from fmtemu.formats.carrier import holds, smallest_carrier
from fmtemu.packed import PackedArray, Part, find_parts
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

    def outputs(self) -> list[Output]:
        """What is to be written, in this order. Raises ValueError where the tensor cannot be cast."""
        fmt, tensor, layout = self._job.quantizer.format, self._tensor, self._job.layout
        with self._naming():
            if layout is None:
                self._check_element()
                outputs = [Output(self._name, self._element, tensor.shape, self._pieces)]
            else:
                parts = find_parts(fmt, tensor.shape, layout)
                outputs = [
                    Output(
                        f"{self._name}.{name}",
                        numpy_element(part.stored),
                        part.stored_shape,
                        partial(self._part, name, part),
                    )
                    for name, part in parts.items()
                ]
            first = (0, *tensor.shape[1:]) if tensor.shape else ()
            self._cast(np.zeros(first, tensor.element.words), 0)  # fails now if ever
        self._tally.bytes = sum(math.prod(output.shape) * output.element.words.itemsize for output in outputs)
        return outputs

    def _check_element(self) -> None:
        """Raise unless the element type holds the values: all of the format's, or, times scales, rounded to it."""
        fmt, name = self._job.quantizer.format, self._element.name
        if isinstance(fmt, Scaled):
            if self._element.format not in (None, "bfloat16"):
                raise ValueError(f"values of {fmt} are not written as {name}: give --dtype float32, or --packed")
            fmt.scaling.extents(self._tensor.shape)
        elif not holds(fmt, as_format(name), as_format(self._tensor.element.name)):
            raise ValueError(f"{name} does not hold all values of {fmt}: give --dtype {smallest_carrier(fmt)}")

    def _pieces(self) -> Iterator[Any]:
        for start, stop, shape in self._ranges():
            with self._naming():
                before, after, words = self._cast(self._tensor.read(start, stop).reshape(shape), start)
            self._tally.add(before, after)
            yield words
            self._advance(self._tensor.name, stop - start)

    def _part(self, name: str, part: Part) -> Iterable[Any]:
        """The pieces of packed codes, or the scales that were found with them."""
        return self._pieces() if name == "packed" else [part.store(self._scales.pop(name))]

    def _cast(self, words: Any, start: int) -> tuple[Any, Any, Any]:
        """The values of words whose first has an index, what becomes of them, and the words for that."""
        quantizer, layout = self._job.quantizer, self._job.layout
        given, wanted = self._tensor.element, self._element
        random: dict[str, Any] = {"seed": self._job.seed, "stream": self._stream, "offset": start}
        x = words if given.format is None else decode(words, given.format)
        if layout is not None:
            packed = PackedArray.encode(x, quantizer, layout=layout, **random)
            self._scales = {name: getattr(packed, name) for name in ("scales", "zero_points", "outer_scales")}
            return x, packed.decode(), packed.packed
        y = cast(x, quantizer, dtype=wanted.words if wanted.format is None else np.float32, **random)
        return x, y, y if wanted.format is None else encode(y, wanted.format)

    def _ranges(self) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """(start, stop, shape) of pieces of whole rows, or of parts of one row; with scales, of all."""
        size, shape = self._tensor.size, self._tensor.shape
        columns = shape[-1] if shape else 1
        if isinstance(self._job.quantizer.format, Scaled):
            yield 0, size, shape
        elif columns <= PIECE:
            step = PIECE // max(columns, 1) * columns
            for start in range(0, size, max(step, 1)):
                stop = min(start + step, size)
                yield start, stop, (-1, columns)
        else:
            for row in range(0, size, columns):
                for start in range(row, row + columns, PIECE):
                    stop = min(start + PIECE, row + columns)
                    yield start, stop, (1, stop - start)

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Say which tensor it is that an error is about."""
        try:
            yield
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self._name}: {error}") from error
