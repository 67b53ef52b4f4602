"""Recorded results in place of a caster: pairs of inputs and outputs."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmtemu.testing.points import source_dtype

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Table:
    """What a caster made of ``inputs`` (an array of float16, float32 or float64): ``outputs`` are values,
    or codes where the check says ``returns="codes"``."""

    inputs: Array
    outputs: Array

    def __post_init__(self) -> None:
        inputs, outputs = np.asarray(self.inputs), np.asarray(self.outputs)
        source_dtype(inputs.dtype)
        if inputs.ndim != 1 or inputs.shape != outputs.shape:
            raise ValueError(
                f"Table: inputs and outputs must be arrays of one axis and the same length, "
                f"got shapes {inputs.shape} and {outputs.shape}"
            )
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "outputs", outputs)


def read_table(path: str | Path, source: str = "float32", returns: str = "values") -> Table:
    """A Table from a file: .npz with the arrays ``inputs`` and ``outputs``, or .csv of two columns.

    A number of a .csv is a decimal, or the bits of a float of dtype ``source`` in hexadecimal (0x...);
    an output that is a code is an integer. A first line that is no number is a heading."""
    file, dtype = Path(path), source_dtype(source)
    if file.suffix == ".npz":
        with np.load(file) as arrays:
            missing = [name for name in ("inputs", "outputs") if name not in arrays]
            if missing:
                raise ValueError(f"{file} has no array {missing[0]!r}; its arrays are {', '.join(arrays)}")
            return Table(arrays["inputs"], arrays["outputs"])
    if file.suffix != ".csv":
        raise ValueError(f"a table is a .npz or a .csv file, got {file}")
    with file.open(newline="") as lines:
        rows = [row for row in csv.reader(lines) if row]
    if rows and not _is_number(rows[0][0]):
        rows = rows[1:]
    for number, row in enumerate(rows, 1):
        if len(row) < 2:
            raise ValueError(f"{file}: row {number} has {len(row)} column; there must be an input and an output")
    inputs = np.array([_number(row[0], dtype) for row in rows], dtype)
    if returns == "codes":
        return Table(inputs, np.array([int(row[1], 0) for row in rows], np.uint64))
    return Table(inputs, np.array([_number(row[1], dtype) for row in rows], dtype))


def _is_number(text: str) -> bool:
    try:
        _number(text, np.dtype("float64"))
    except ValueError:
        return False
    return True


def _number(text: str, dtype: np.dtype[Any]) -> Any:
    """A decimal, or bits in hexadecimal."""
    if text.strip().lower().startswith("0x"):
        return np.array(int(text, 16), f"u{dtype.itemsize}").view(dtype)[()]
    return float(text)
