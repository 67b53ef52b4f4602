"""Golden vectors: inputs where a cast decides, and what fmtemu.exact makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmtemu import exact
from fmtemu.formats import Scaled, as_format
from fmtemu.formats.carrier import fits
from fmtemu.quantizer import Quantizer, as_quantizer
from fmtemu.rounding import Rounding, Stochastic
from fmtemu.testing.points import exact_value, source_dtype
from fmtemu.testing.vector_columns import Column
from fmtemu.testing.vector_inputs import scalar_inputs, turning_randoms
from fmtemu.testing.vector_tiles import decoded_tiles, tile_columns, tile_rows, tile_size

Array = NDArray[Any]

#: How many inputs a set has at most, unless its caller says how many rows.
MOST_INPUTS = 1 << 14


@dataclass(frozen=True, eq=False)
class Vectors:
    """Inputs of a cast and its expected results, one case per row; ``golden_vectors`` makes them.

    ``data`` has a read-only array of unsigned integers for each of ``columns``: of shape (rows,), or (rows,
    elements) of tiles of several. Inputs and results are raw bits and codes. ``complete`` says whether every decision
    of the format is among the inputs, or a sample.
    """

    quantizer: Quantizer
    source: str
    columns: tuple[Column, ...]
    data: Mapping[str, Array]
    complete: bool

    def __len__(self) -> int:
        return len(self.data["input"])

    @property
    def inputs(self) -> Array:
        """The inputs as floats of dtype ``source``."""
        return self.data["input"].view(self.source)

    @property
    def codes(self) -> Array:
        """The expected codes."""
        return self.data["code"]

    @property
    def values(self) -> Array:
        """What the codes (and scales) stand for, as float64; irrational values as ``source`` holds them."""
        if isinstance(self.quantizer.format, Scaled):
            return decoded_tiles(self.data, self.quantizer.format, self.source)
        precision = as_format(self.source).precision
        distinct, inverse = np.unique(self.codes, return_inverse=True)
        values = [float(self.quantizer.format.value_in(code, precision)) for code in distinct.tolist()]
        return np.array(values, np.float64)[inverse]

    def save(self, path: str | Path) -> None:
        """Write a .npz, .csv, .hex or .mem file, and a manifest beside it whose name has .json added.

        The same vectors give the same bytes on every machine. ``$readmemh`` of Verilog loads .hex and .mem:
        one word per row, the first column in its highest bits, element 0 of a tile in its column's lowest."""
        from fmtemu.testing.vector_files import write

        write(self, Path(path))


def golden_vectors(
    fmt: object,
    *,
    rounding: Rounding | str | None = None,
    edges: Any = None,
    overflow: str | None = None,
    source: str = "float32",
    most: int | None = None,
) -> Vectors:
    """Inputs of dtype ``source`` on and beside the decisions of a quantizer, which as_quantizer makes of the
    arguments, and the results of fmtemu.exact.

    At most ``most`` rows: specials, edges, and an even sample of the other decisions if there are more; by
    default 16384, or tiles of so many elements. With a stochastic rounding each input has its random integer R,
    at and one below the least that takes it away from zero. A NaN that has no code is left out.
    Raises ValueError for formats that float64 does not hold, and where ``most`` holds no specials and edges.
    """
    quantizer = as_quantizer(fmt, rounding=rounding, edges=edges, overflow=overflow)
    dtype = source_dtype(source)
    if not fits(quantizer.element.format, as_format("float64")):
        raise ValueError(f"there are no vectors of {quantizer.format}: float64 does not hold its values")
    rows = _rows(quantizer, most)
    if isinstance(quantizer.format, Scaled):
        columns = tile_columns(quantizer, dtype)
        data, complete = tile_rows(quantizer, dtype, rows)
    else:
        columns = _scalar_columns(quantizer, dtype)
        data, complete = _scalar_rows(quantizer, dtype, rows)
    arrays = {column.name: column.array(data[column.name]) for column in columns}
    return Vectors(quantizer, dtype.name, tuple(columns), arrays, complete)


def _rows(quantizer: Quantizer, most: int | None) -> int:
    if most is None:
        size = tile_size(quantizer.format) if isinstance(quantizer.format, Scaled) else 1
        return max(MOST_INPUTS // size, 64)
    if isinstance(most, bool) or not isinstance(most, int | np.integer):
        raise TypeError(f"most must be an integer or None, got {most!r}")
    return int(most)


def _scalar_columns(quantizer: Quantizer, dtype: np.dtype[Any]) -> list[Column]:
    fmt, rounding = quantizer.format, quantizer.rounding
    columns = [Column("input", 8 * dtype.itemsize, 1, "input", f"the bits of a {dtype.name}")]
    if isinstance(rounding, Stochastic):
        columns.append(Column("random", rounding.bits, 1, "input", "the random integer R"))
    return [*columns, Column("code", fmt.bits, 1, "expected", f"the code of {fmt}")]


def _scalar_rows(quantizer: Quantizer, dtype: np.dtype[Any], most: int) -> tuple[dict[str, list[int]], bool]:
    is_stochastic = quantizer.rounding.is_stochastic
    inputs, complete = scalar_inputs(quantizer, dtype, most // 2 if is_stochastic else most)
    bits = inputs.view(f"u{dtype.itemsize}").tolist()
    data: dict[str, list[int]] = {"input": [], "random": [], "code": []}
    for number, word in zip(inputs.tolist(), bits, strict=True):
        x = exact_value(number)
        for random in turning_randoms(x, quantizer) if is_stochastic else (0,):
            code = exact.encode(x, quantizer, random)
            if code is not None:
                for name, given in (("input", word), ("random", random), ("code", code)):
                    data[name].append(given)
    return data, complete
