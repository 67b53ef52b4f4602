"""What happened to the numbers of an emulated model."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from fmtemu.backends.numba import blocks
from fmtemu.backends.numba.reach import find_within_range
from fmtemu.backends.numba.scales import find_scales
from fmtemu.backends.numba.tally import tally
from fmtemu.backends.torch.emulate.slots import RECORDERS, Slot
from fmtemu.backends.torch.memory import as_array
from fmtemu.formats import Scaled

Tensor = Any

#: Exponents that a histogram tells apart, in octaves of |x|; beyond them all fall into the first and last bin.
LOWEST, HIGHEST = -64, 63


class Entry(NamedTuple):
    """One cast of one tensor."""

    step: int
    module: str
    op: str
    role: str
    direction: str
    quantizer: str
    #: How many numbers, and the shares of them that are zero, that became zero, that saturated (rounding to nearest
    #: would leave the format, under the scale), and that became infinite or NaN.
    elements: int
    zero: float
    underflowed: float
    saturated: float
    overflowed: float
    #: Signal to quantization noise of the finite results, 10 log10(sum x^2 / sum (x - y)^2) in dB; NaN without noise.
    sqnr: float
    #: The largest magnitude.
    amax: float
    #: The scale, of formats with several the smallest and largest; NaN where there is none.
    scale_min: float
    scale_max: float
    #: How many nonzero numbers have floor(log2|x|) = LOWEST + i.
    exponents: tuple[int, ...]


class Log:
    """The entries of every cast while ``with fmtemu.record() as log`` ran, in order.

    ``to_dataframe()`` gives them as a pandas DataFrame, ``table()`` a rich Table and str() a text with a line for the
    latest entry of every site, ``plot(path)`` a picture of these.
    """

    def __init__(self, hook: Callable[[Entry], None] | None = None, every: int = 1) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"record: every must be a positive number of steps, got {every!r}")
        self.entries: list[Entry] = []
        self._hook, self._every = hook, every

    def __enter__(self) -> Log:
        RECORDERS.append(self.take)
        return self

    def __exit__(self, *_: object) -> None:
        RECORDERS.remove(self.take)

    def take(self, slot: Slot, x: Tensor, y: Tensor, step: Tensor) -> None:
        """Write an entry for a cast."""
        if torch.compiler.is_compiling():
            raise RuntimeError("record sees casts that are run, not compiled code: run the model without torch.compile")
        if int(step) % self._every:
            return
        entry = describe(slot, x, y, int(step))
        self.entries.append(entry)
        if self._hook is not None:
            self._hook(entry)

    def to_dataframe(self) -> Any:
        """A row for every entry, with the fields of Entry as columns."""
        import pandas as pd

        return pd.DataFrame(self.entries, columns=list(Entry._fields))

    def last(self) -> list[Entry]:
        """The latest entry of every site, in the order in which sites were first met."""
        return list({(e.module, e.op, e.role, e.direction): e for e in self.entries}.values())

    def plot(self, path: str | Path) -> None:
        """Draw the latest entry of every site to a file (png, pdf or svg): its exponents and its SQNR."""
        from fmtemu.backends.torch.emulate.record_plot import plot_entries

        if not self.entries:
            raise ValueError("record: nothing was cast, so there is nothing to draw")
        plot_entries(self.last(), LOWEST, path)

    def table(self) -> Any:
        """A rich Table of the latest entry of every site."""
        from rich.table import Table

        names = ("module", "op", "role", "direction", "quantizer", "SQNR dB", "underflowed", "saturated", "overflowed")
        table = Table(*names, title=f"{len(self.entries)} casts")
        for e in self.last():
            shares = (f"{share:.2%}" for share in (e.underflowed, e.saturated, e.overflowed))
            table.add_row(e.module, e.op, e.role, e.direction, e.quantizer, f"{e.sqnr:.1f}", *shares)
        return table

    def __str__(self) -> str:
        lines = [f"{'SQNR dB':>8} {'under':>7} {'satur.':>7} {'overfl.':>7}  number"]
        for e in self.last():
            where = f"{e.role} of {e.op} in {e.module or 'the model'}, {e.direction}: {e.quantizer}"
            lines.append(f"{e.sqnr:8.1f} {e.underflowed:7.2%} {e.saturated:7.2%} {e.overflowed:7.2%}  {where}")
        return "\n".join(lines)


def describe(slot: Slot, x: Tensor, y: Tensor, step: int) -> Entry:
    """The entry of a cast of x that gave y."""
    array = as_array(x.detach(), "x")
    counts, exponents = np.zeros(3, np.int64), np.zeros(HIGHEST - LOWEST + 1, np.int64)
    held = as_array(y.detach(), "y")
    signal, noise, amax = tally(np.ravel(array), np.ravel(held), counts, exponents, LOWEST)
    within = find_within_range(array, slot.quantizer, slot.scale, None)
    saturated = np.count_nonzero(~within & np.isfinite(array) & np.isfinite(held))
    scales = _scales(array, slot)
    zero, underflowed, overflowed = (counts / max(array.size, 1)).tolist()
    return Entry(
        step,
        *slot.site,
        str(slot.quantizer),
        array.size,
        zero,
        underflowed,
        saturated / max(array.size, 1),
        overflowed,
        10 * math.log10(signal / noise) if noise and signal else math.nan,
        amax,
        float(np.min(scales, initial=math.inf)) if scales.size else math.nan,
        float(np.max(scales, initial=0.0)) if scales.size else math.nan,
        tuple(exponents.tolist()),
    )


def _scales(x: Any, slot: Slot) -> Any:
    """The scales of the tiles of x, or the static one; none at all where there is none."""
    if isinstance(slot.quantizer.format, Scaled):
        source, fmt, _ = blocks._source("record", x, slot.quantizer, None)
        scales = find_scales(source, fmt, None)
        return scales.scale * scales.outer_of_tiles()
    return np.zeros(0) if slot.scale is None else np.asarray(slot.scale, np.float64)
