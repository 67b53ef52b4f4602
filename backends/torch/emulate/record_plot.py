"""The picture of a record: exponents and signal to quantization noise of every site."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure


def plot_entries(entries: Sequence[Any], lowest: int, path: str | Path) -> None:
    """A row for every entry: how its exponents are spread (shares by shade, from 2**lowest on), and its SQNR."""
    names = [f"{e.module or 'model'} {e.op}: {e.role}, {e.direction}" for e in entries]
    counts = np.array([e.exponents for e in entries], float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    seen = np.flatnonzero(counts.any(axis=0))
    first, last = (int(seen[0]), int(seen[-1])) if seen.size else (0, 0)
    figure = Figure(figsize=(11, 1.5 + 0.24 * len(entries)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    image = left.imshow(
        np.ma.masked_equal(shares[:, first : last + 1], 0),
        aspect="auto",
        cmap="viridis_r",
        interpolation="nearest",
        extent=(lowest + first - 0.5, lowest + last + 0.5, len(entries) - 0.5, -0.5),
    )
    left.set_yticks(range(len(entries)), names, fontsize=7)
    left.set_xlabel("floor(log2 |x|)")
    figure.colorbar(image, ax=left, label="share of the nonzero numbers")
    right.barh(range(len(entries)), [0 if np.isnan(e.sqnr) else e.sqnr for e in entries], color="#0072B2")
    right.set_xlabel("SQNR, dB")
    right.grid(axis="x", color="#e6e6e6", lw=0.6)
    right.set_axisbelow(True)
    figure.savefig(path, dpi=150)
