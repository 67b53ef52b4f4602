"""What the casters of the lists are made of: plain NumPy, apart from fmtemu, and the two kinds of records.

A caster takes an array of float32 or float64 and gives one of the same shape and dtype. All casters
are functions of a module, or partials of one, so that they can be sent to another process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Array = Any
Round = Callable[[Array], Array]


class Wrong(NamedTuple):
    """A caster with a bug, and what ought to be said of it.

    ``kind`` is "cast", caster(x); "stochastic", caster(x, seed); "add", "mul", "fma", which take as many
    arrays of numbers of the format; or "codec", a pair (encode, decode) of raw codes. ``format``,
    ``rounding`` and ``edges`` say what it claims to be. Laws overlap: ``law`` is the one that names the
    bug, ``also`` are others that may be said to. ``diagnosis`` are phrases in lower case; a correct
    diagnosis contains one of them at least.
    """

    name: str
    caster: Any
    format: str
    law: str
    diagnosis: tuple[str, ...]
    also: tuple[str, ...] = ()
    rounding: str = "nearest_even"
    edges: str | None = None
    kind: str = "cast"


class Right(NamedTuple):
    """A caster without a bug, of the kinds "cast" and "stochastic"; it must never be accused.

    ``sources`` are the dtypes it takes. Its random bits are the documented ones if ``documented_bits``,
    else its own.
    """

    name: str
    caster: Callable[..., Any]
    format: str
    rounding: str = "nearest_even"
    edges: str | None = None
    sources: tuple[str, ...] = ("float32", "float64")
    kind: str = "cast"
    documented_bits: bool = True


class Grid(NamedTuple):
    """A binary floating-point format: mantissa bits, the exponent of the smallest normal number, the largest."""

    mantissa: int
    emin: int
    largest: float


E4M3 = Grid(3, -6, 448.0)
E5M2 = Grid(2, -14, 57344.0)
E3M2 = Grid(2, -2, 28.0)
E2M1 = Grid(1, 0, 6.0)
FNUZ = Grid(3, -7, 240.0)
HALF = Grid(10, -14, 65504.0)
BRAIN = Grid(7, -126, (2 - 2.0**-7) * 2.0**127)


def exponent_of(x: Array) -> Array:
    """floor(log2|x|), exactly; of what is not a positive number something finite."""
    return np.frexp(x)[1] - 1


def step_of(x: Array, grid: Grid) -> Array:
    """The distance of the grid's numbers around x."""
    return np.ldexp(1.0, np.maximum(exponent_of(x), grid.emin) - grid.mantissa)


def on_grid(x: Array, grid: Grid, rounding: Round = np.rint) -> Array:
    """x in float64, rounded by a function of x / step on the grid continued without end; each step is
    exact, and what is not finite stays."""
    x = x.astype(np.float64)
    finite = np.where(np.isfinite(x), x, 0)
    step = step_of(finite, grid)
    with np.errstate(over="ignore"):
        return np.where(np.isfinite(x), rounding(finite / step) * step, x)


def saturated(y: Array, grid: Grid) -> Array:
    return np.clip(y, -grid.largest, grid.largest)


def overflowing(y: Array, grid: Grid) -> Array:
    """What is beyond the largest becomes infinite."""
    return np.where(np.abs(y) > grid.largest, np.copysign(np.inf, y), y)


# The part after the point is exact when it is cut off toward zero; q - floor(q) is not.


def half_away(q: Array) -> Array:
    """The nearest integer, ties away from zero."""
    return np.trunc(q) + np.copysign(np.abs(q - np.trunc(q)) >= 0.5, q)


def half_to_zero(q: Array) -> Array:
    return np.trunc(q) + np.copysign(np.abs(q - np.trunc(q)) > 0.5, q)


def half_up(q: Array) -> Array:
    return np.where(q > 0, half_away(q), half_to_zero(q))


def half_down(q: Array) -> Array:
    return -half_up(-q)


def half_odd(q: Array) -> Array:
    tie = np.abs(q - np.trunc(q)) == 0.5
    return np.where(tie, np.trunc(q) + np.copysign(np.trunc(q) % 2 == 0, q), np.rint(q))


def away(q: Array) -> Array:
    return np.copysign(np.ceil(np.abs(q)), q)


def to_odd(q: Array) -> Array:
    """The odd neighbour of what is no integer."""
    whole = np.trunc(q)
    return whole + np.copysign((q != whole) & (whole % 2 == 0), q)


def like(y: Array, x: Array) -> Array:
    """y in the dtype of x."""
    with np.errstate(over="ignore"):
        return y.astype(x.dtype)


def bits32(x: Array) -> Array:
    """The bits of x as float32, a copy."""
    with np.errstate(over="ignore"):
        return x.astype(np.float32).view(np.uint32)
