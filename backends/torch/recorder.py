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
from fmtemu.backends.torch.memory import as_array
from fmtemu.backends.torch.slots import RECORDERS, Slot
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

    def __init__(self, hook: Callable[[Entry], None] | None = None) -> None:
        self.entries: list[Entry] = []
        self._hook = hook

    def __enter__(self) -> Log:
        RECORDERS.append(self.take)
        return self

    def __exit__(self, *_: object) -> None:
        RECORDERS.remove(self.take)

    def take(self, slot: Slot, x: Tensor, y: Tensor, step: Tensor) -> None:
        """Write an entry for a cast."""
        if torch.compiler.is_compiling():
            raise RuntimeError("record sees casts that are run, not compiled code: run the model without torch.compile")
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
        from fmtemu.backends.torch.record_plot import plot_entries

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
    exact = x.detach().to(torch.float64).numpy().ravel()
    held = y.detach().to(torch.float64).numpy().ravel()
    finite, kept = np.isfinite(exact), np.isfinite(exact) & np.isfinite(held)
    size, count = np.abs(exact), max(exact.size, 1)
    noise = float(np.sum((exact[kept] - held[kept]) ** 2))
    signal = float(np.sum(exact[kept] ** 2))
    array = as_array(x.detach(), "x")
    within = np.ravel(find_within_range(array, slot.quantizer, slot.scale, None))
    scales = _scales(array, slot)
    _, exponents = np.frexp(size[finite & (size > 0)])
    places = np.clip(exponents - 1, LOWEST, HIGHEST) - LOWEST
    return Entry(
        step,
        *slot.site,
        str(slot.quantizer),
        exact.size,
        float(np.sum(exact == 0) / count),
        float(np.sum((exact != 0) & (held == 0)) / count),
        float(np.sum(kept & ~within) / count),
        float(np.sum(finite & ~np.isfinite(held)) / count),
        10 * math.log10(signal / noise) if noise and signal else math.nan,
        float(np.max(size[finite], initial=0.0)),
        float(np.min(scales, initial=math.inf)) if scales.size else math.nan,
        float(np.max(scales, initial=0.0)) if scales.size else math.nan,
        tuple(np.bincount(places, minlength=HIGHEST - LOWEST + 1).tolist()),
    )


def _scales(x: Any, slot: Slot) -> Any:
    """The scales of the tiles of x, or the static one; none at all where there is none."""
    if isinstance(slot.quantizer.format, Scaled):
        source, fmt, _ = blocks._source("record", x, slot.quantizer, None)
        scales = find_scales(source, fmt, None)
        return scales.scale * scales.outer_of_tiles()
    return np.zeros(0) if slot.scale is None else np.asarray(slot.scale, np.float64)
