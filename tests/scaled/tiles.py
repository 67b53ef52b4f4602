"""Casting an array to a format with scales by its definition: tile by tile, with fmtemu.exact_scaled."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from fmtemu import exact_scaled
from fmtemu.formats import Scaled
from fmtemu.quantizer import Quantizer
from fmtemu.random import random_bits


def tiles_of(shape: tuple[int, ...], extents: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """The tiles of an array, in the C order of their grid."""
    axes = [
        [slice(start, start + size) for start in range(0, length, size)]
        for length, size in zip(shape, extents, strict=True)
    ]
    return list(itertools.product(*axes))


def encode_exactly(x: Any, quantizer: Quantizer, seed: int | None = None) -> list[tuple[Any, exact_scaled.Tile, Any]]:
    """(slices, tile, t) of every tile of x."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    outer = {}
    if fmt.outer is not None:
        large = fmt.outer.extents(x.shape)
        for part in tiles_of(x.shape, large):
            outer[tuple(s.start for s in part)] = exact_scaled.outer_scale(x[part].astype(float).ravel().tolist(), fmt)
    randoms = None
    if seed is not None:
        bits = quantizer.rounding.bits  # type: ignore[attr-defined]
        randoms = random_bits(seed, (), 0, x.size, bits).reshape(x.shape)
    found = []
    for part in tiles_of(x.shape, fmt.scaling.extents(x.shape)):
        t = exact_scaled.Fraction(1)
        if outer:
            t = outer[tuple(s.start - s.start % size for s, size in zip(part, large, strict=True))]
        values = x[part].astype(float).ravel().tolist()
        random = None if randoms is None else randoms[part].ravel().tolist()
        found.append((part, exact_scaled.encode(values, quantizer, t, random), t))
    return found


def cast_exactly(x: Any, quantizer: Quantizer, seed: int | None = None, carrier: str = "float32") -> Any:
    """The values of x, in a carrier."""
    y = np.empty(x.shape, carrier)
    for part, tile, t in encode_exactly(x, quantizer, seed):
        fmt = quantizer.format
        assert isinstance(fmt, Scaled)
        y[part] = np.reshape([float(v) for v in exact_scaled.decode(tile, fmt, t, carrier)], y[part].shape)
    return y
