"""What ``fmtemu cast`` does with a file: which tensors it casts into which."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from fmtemu.cli.cast_tally import Tally
from fmtemu.cli.cast_tensor import PIECE, Advance, Job, TensorCast
from fmtemu.files.packed import KEY, describe
from fmtemu.files.reading import Source, Tensor, open_tensors
from fmtemu.files.writing import Output, write_tensors

#: What the array of an .npy file is called in files that name their arrays.
UNNAMED = "array"


def cast_file(job: Job, source: Path, target: Path, start: Callable[[int], Advance]) -> tuple[dict[str, Tally], int]:
    """Cast the tensors of a file into another, which may be the same; return what became of each, and how many
    were copied. ``start`` is told the number of words to come. Raises ValueError before anything is written
    where a tensor cannot be cast, and leaves ``target`` as it was where anything fails."""
    with open_tensors(source) as found:
        if job.layout is not None and KEY in found.metadata:
            raise ValueError(f"{source} holds packed arrays already: cast what they were made of")
        chosen = _chosen(job, found)
        metadata = dict(found.metadata)
        if job.layout is not None:
            metadata |= describe({t.name or UNNAMED: (job.quantizer.format, t.shape, job.layout) for t in chosen})
        advance = start(sum(tensor.size for tensor in found.tensors))
        tallies = {tensor.name or UNNAMED: Tally() for tensor in chosen}
        outputs: list[Output] = []
        for tensor in found.tensors:
            name = tensor.name or UNNAMED
            if name in tallies:
                stream = _stream(tensor.name) if found.has_names else ()
                outputs += TensorCast(job, tensor, name, stream, tallies[name], advance).outputs()
            else:
                outputs.append(Output(name, tensor.element, tensor.shape, partial(_copy, tensor, advance)))
        write_tensors(target, outputs, metadata)
    return tallies, len(found.tensors) - len(chosen)


def _chosen(job: Job, source: Source) -> list[Tensor]:
    """The tensors to cast; raises for a pattern that matches no name: it would be misspelt."""
    if not source.tensors:
        raise ValueError("the file holds no tensors")
    for option, patterns in (("--include", job.include), ("--exclude", job.exclude)):
        for pattern in patterns:
            if not any(fnmatchcase(tensor.name, pattern) for tensor in source.tensors):
                names = ", ".join(tensor.name for tensor in source.tensors[:3])
                raise ValueError(
                    f"{option} {pattern!r} matches none of the {len(source.tensors)} tensors ({names} ...)"
                )
    chosen = [
        tensor
        for tensor in source.tensors
        if tensor.element.is_float
        and any(fnmatchcase(tensor.name, pattern) for pattern in job.include)
        and not any(fnmatchcase(tensor.name, pattern) for pattern in job.exclude)
    ]
    if not chosen:
        raise ValueError("no tensor of floating-point numbers is left to cast")
    return chosen


def _stream(name: str) -> tuple[int, ...]:
    """The stream of a tensor's random bits: the first 32 bits of the SHA-256 of its name in UTF-8, big-endian."""
    return (int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big"),)


def _copy(tensor: Tensor, advance: Advance) -> Iterator[Any]:
    for start in range(0, tensor.size, PIECE):
        stop = min(start + PIECE, tensor.size)
        yield tensor.read(start, stop)
        advance(tensor.name, stop - start)
