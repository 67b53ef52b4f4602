"""Laws that compare results with each other: they need no oracle."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmtemu.edges import Edges
from fmtemu.formats import Codebook, Float
from fmtemu.formats.fixed import FixedPoint
from fmtemu.quantizer import Quantizer
from fmtemu.testing.subject import Subject

Array = NDArray[Any]


class Pair(NamedTuple):
    """An input whose result contradicts that of another; ``where`` says how."""

    x: float
    got: float
    expected: float | None
    where: str
    times: int


_ONE_SIDED = ("nearest_up", "nearest_down", "toward_positive", "toward_negative")


def is_sign_symmetric(quantizer: Quantizer) -> bool:
    """Whether the result of -x is minus that of x: the numbers, the rounding and the edges know no sign."""
    fmt, edges = quantizer.format, quantizer.edges
    if quantizer.rounding.name in _ONE_SIDED or isinstance(fmt, Codebook):
        return False
    if fmt.lowest != -fmt.largest or (quantizer.rounding.name == "jam" and isinstance(fmt, FixedPoint)):
        return False
    return edges == Edges(overflow=edges.overflow) and quantizer.outcomes.wrap is None


def is_monotone(quantizer: Quantizer) -> bool:
    """Whether a larger number never has a smaller result."""
    outcomes, fmt = quantizer.outcomes, quantizer.format
    ends = [float(fmt.value(code)) for code in (*outcomes.overflow, *outcomes.infinity)]
    kept = all(abs(end) >= min(fmt.largest, abs(fmt.lowest) or fmt.largest) for end in ends[::2] if end == end)
    plain = outcomes.wrap is None and not outcomes.absolute and all(end == end for end in ends)
    below = quantizer.edges.underflow == "format" or not isinstance(fmt, Float)
    return plain and kept and below and quantizer.edges.infinity in ("format", "infinity")


def monotone(x: Array, got: Array) -> Pair | None:
    """The first descent among the results in the order of the inputs."""
    finite = ~np.isnan(got) & ((x != 0) | ~np.signbit(x))  # -0 is no smaller than 0
    order = np.argsort(x[finite], kind="stable")
    inputs, results = x[finite][order], got[finite][order]
    falls = np.flatnonzero(results[1:] < results[:-1])
    if not falls.size:
        return None
    i = falls[np.argmin(np.abs(np.log2(np.abs(inputs[falls + 1]) + 1e-300)))] + 1
    where = f"and the smaller {float(inputs[i - 1])!r} becomes {float(results[i - 1])!r}"
    return Pair(float(inputs[i]), float(results[i]), None, where, falls.size)


def sign_symmetric(x: Array, got: Array) -> Pair | None:
    """The simplest x whose result is not minus that of -x."""
    of = dict(zip(x.tolist(), got.tolist(), strict=True))
    pairs = [number for number in of if number > 0 and -number in of]
    wrong = [number for number in pairs if of[number] == of[number] and of[-number] != -of[number]]
    if not wrong:
        return None
    number = min(wrong, key=lambda v: abs(np.log2(v)))
    return Pair(-number, of[-number], -of[number], "", len(wrong))


def idempotent(subject: Subject, got: Array, dtype: np.dtype[Any]) -> Pair | None:
    """The simplest result that is not its own result."""
    once = np.unique(got[np.isfinite(got)]).astype(dtype)
    twice = subject.results(once)
    moved = np.flatnonzero(twice != once.astype(np.float64))
    if not moved.size:
        return None
    i = moved[np.argmin(np.abs(once[moved]))]
    return Pair(float(once[i]), float(twice[i]), float(once[i]), "itself a result", moved.size)
