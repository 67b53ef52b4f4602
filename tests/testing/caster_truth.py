"""What a caster of the lists does otherwise than the definition: fmtemu.exact and fmtemu.exact_scaled, on a few inputs.

This judges the lists themselves, not fmtemu.testing, and shares nothing with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from boundaries import Array, exact_value, expected, points, remembering, signalling_nans
from caster_parts import Right, Wrong
from tiles import cast_exactly

import fmtemu as fe
from fmtemu import exact
from fmtemu.exact import probability
from fmtemu.formats import Codebook, Scaled
from fmtemu.quantizer import Quantizer
from fmtemu.random import random_bits

Caster = Wrong | Right

#: Numbers of four significant bits: what bits in the middle of a fraction do.
SHORT = np.outer(np.exp2(np.arange(-10, 11)), np.arange(-15, 16) / 8).ravel()
#: Positions between two neighbours at which probabilities are counted, and how often.
POSITIONS = (0.0, 0.0625, 0.125, 0.25, 0.5, 0.75, 0.9375)
DRAWS, SEEDS = 512, range(8)


remembered = cache(remembering)


@cache
def quantizer_of(format: str, rounding: str, edges: str | None) -> Quantizer:
    """The quantizer of a record, which remembers where it located a number."""
    given = None if rounding == "nearest_even" else rounding
    quantizer = fe.as_quantizer(format, rounding=given, edges=edges)
    if isinstance(quantizer.format, Scaled):
        return quantizer
    return Quantizer(remembered(quantizer.format), quantizer.rounding, quantizer.edges, quantizer.via)


def claimed(caster: Caster) -> Quantizer:
    """What a caster claims to be."""
    return quantizer_of(caster.format, caster.rounding, caster.edges)


def different(y: Array, true: Array) -> Array:
    """Where two arrays differ; NaN are alike, zeros of two signs are not."""
    same = (y == true) & (np.signbit(y) == np.signbit(true)) | (np.isnan(y) & np.isnan(true))
    return ~same


def shown(x: Array, y: Array, true: Array) -> list[str]:
    """Each difference as source, result and truth."""
    return [
        f"{x.ravel()[i]!r} -> {y.ravel()[i]!r}, not {true.ravel()[i]!r}" for i in np.flatnonzero(different(y, true))
    ]


# -- one number at a time ----------------------------------------------------------------------


@cache
def boundaries(quantizer: Quantizer, source: str, seed: int | None) -> tuple[Array, Array]:
    """Numbers next to every decision of a quantizer, and what they become."""
    x = np.concatenate([points(quantizer.format, source), signalling_nans(source), SHORT.astype(source)])
    rounding: Any = quantizer.rounding
    random = None if seed is None else random_bits(seed, (), 0, x.size, rounding.bits)
    seen = x
    if quantizer.via is not None:  # float32; exact.py takes ten times as long for it
        with np.errstate(over="ignore", invalid="ignore"):
            seen = x.astype(np.float32).astype(source)
        quantizer = Quantizer(quantizer.format, quantizer.rounding, quantizer.edges)
    values = expected(seen, quantizer, np.dtype(source), random).values
    return x, values.astype(f"u{x.itemsize}").view(source)


def wrong_numbers(caster: Caster, source: str, seed: int | None = None) -> tuple[Array, Array, Array]:
    """The numbers that a caster rounds otherwise, what it makes of them, and what it should; with a seed
    by the documented random bits."""
    x, true = boundaries(claimed(caster), source, seed)
    with np.errstate(invalid="ignore"):  # signalling NaN
        y = caster.caster(x.copy()) if seed is None else caster.caster(x.copy(), seed)
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    wrong = different(y, true)
    return x[wrong], y[wrong], true[wrong]


def wrong_casts(caster: Caster, source: str, seed: int | None = None) -> list[str]:
    """The same in words."""
    return shown(*wrong_numbers(caster, source, seed))


def is_tie(x: float, quantizer: Quantizer) -> bool:
    """Whether a number is in the middle between two of the format."""
    if not math.isfinite(x) or x == 0:
        return False
    fmt: Any = quantizer.format
    lower, upper, d = fmt.neighbours(Fraction(x)) if isinstance(fmt, Codebook) else fmt.locate(abs(Fraction(x)))
    return bool(d == Fraction(1, 2) and lower != upper)


#: Law -> whether a number that is rounded wrongly breaks it, from the number, its result and the truth.
BREAKS: dict[str, Callable[[float, float, float, Quantizer], bool]] = {
    "representable": lambda x, y, true, q: x == true,
    "ties": lambda x, y, true, q: is_tie(x, q),
    "nearest": lambda x, y, true, q: math.isfinite(x) and x != 0 and not is_tie(x, q),
    "directed": lambda x, y, true, q: math.isfinite(x) and q.rounding.name.startswith("toward"),
    "to_odd": lambda x, y, true, q: math.isfinite(x) and q.rounding.name == "to_odd",
    "overflow": lambda x, y, true, q: math.isfinite(x) and (x > q.format.largest or x < q.format.lowest),
    "infinity": lambda x, y, true, q: abs(x) == math.inf,
    "nan": lambda x, y, true, q: x != x,
    "signed_zero": lambda x, y, true, q: true == 0 and (y == 0 or x == 0),
    "subnormals": lambda x, y, true, q: 0 < abs(x) < Fraction(2) ** q.format.emin,
    "underflow": lambda x, y, true, q: 0 < abs(x) < q.format.smallest or (x == 0 and not q.format.has_zero),
    "double_rounding": lambda x, y, true, q: math.isfinite(x) and y != true and not is_tie(x, q),
    "sign_symmetric": lambda x, y, true, q: x < 0,
    "monotone": lambda x, y, true, q: math.isfinite(x),
}


# -- stochastic roundings ----------------------------------------------------------------------


def cells(quantizer: Quantizer) -> Iterator[tuple[float, float, float]]:
    """(x, its neighbour toward zero, its neighbour away from zero) at every position in a few cells."""
    fmt: Any = quantizer.format
    for code in (0, 1, 5, fmt.locate(Fraction(3))[0], fmt.locate(Fraction(3))[0] + 1):
        lower, upper = Fraction(fmt.value(code)), Fraction(fmt.value(code + 1))
        for d in POSITIONS:
            x = lower + Fraction(d) * (upper - lower)
            yield float(x), float(lower), float(upper)
            yield -float(x), -float(lower), -float(upper)


def wrong_chances(caster: Caster) -> list[str]:
    """Probabilities, neighbours, seeds and draws that are not those of the definition."""
    quantizer = claimed(caster)
    table = list(cells(quantizer))
    x = np.repeat(np.array([row[0] for row in table], np.float32)[:, None], DRAWS, axis=1)
    y = np.stack([caster.caster(x.copy(), seed) for seed in SEEDS])
    faults = [] if np.array_equal(y[0], caster.caster(x.copy(), SEEDS[0])) else ["one seed gives two results"]
    if np.array_equal(y[0], y[1]):
        faults.append("two seeds give one result")
    span = 1 << quantizer.rounding.bits  # type: ignore[attr-defined]
    for row, (number, lower, upper) in enumerate(table):
        went_up = (y[:, row] == upper) & (lower != upper)
        if not np.all(went_up | (y[:, row] == lower)):
            faults.append(f"{number!r} leaves its neighbours {lower!r} and {upper!r}")
        d = Fraction(abs(number) - abs(lower)) / Fraction(abs(upper) - abs(lower))
        chance = probability(d, quantizer.rounding) / span  # type: ignore[arg-type]
        if abs(went_up.mean() - chance) > 5 * math.sqrt(chance * (1 - chance) / went_up.size):
            faults.append(f"{number!r} goes up with {went_up.mean()}, not {chance}")
    faults += wrong_ends(caster, quantizer)
    middle = y[0, [POSITIONS.index(0.5) * 2]].ravel()
    faults += [f"draw {lag} repeats" for lag in (1, 2, 4, 8, 16) if np.array_equal(middle[lag:], middle[:-lag])]
    return faults


def wrong_ends(caster: Caster, quantizer: Quantizer) -> list[str]:
    """What is not finite, or lies between the two largest numbers or beyond."""
    fmt: Any = quantizer.format
    last = float(fmt.largest)
    before = float(fmt.value(fmt.locate(fmt.largest)[0] - 1))
    numbers = [np.inf, -np.inf, np.nan, -last, (last + before) / 2, *[last * 0.25 + before * 0.75] * 64]
    x = np.array(numbers, np.float32)
    y = np.stack([caster.caster(x.copy(), seed) for seed in SEEDS])
    span = 1 << quantizer.rounding.bits  # type: ignore[attr-defined]
    faults = []
    for i, number in enumerate(x.tolist()):
        ends = [float(exact.cast(exact_value(number), quantizer, random)) for random in (0, span - 1)]
        given = np.unique(y[:, i]).tolist()
        if not all(value in ends or (value != value and ends[0] != ends[0]) for value in given):
            faults.append(f"{number!r} becomes {given}, not {ends}")
    if not (y[:, 5:] == last).any():
        faults.append("the largest number is never drawn")
    return faults


# -- blocks ------------------------------------------------------------------------------------


@cache
def block_samples() -> tuple[Array, ...]:
    """Float32 arrays whose rows have one property each; their last blocks are short."""
    rng = np.random.default_rng(1)
    plain = rng.normal(size=(4, 70)).astype(np.float32)
    x = (rng.normal(size=(13, 70)) * np.exp2(rng.integers(-6, 7, size=(13, 70)))).astype(np.float32)
    x[1, :40] = 0
    x[1, 3] = -0.0
    x[2] *= np.float32(2.0**-140)
    x[3] *= np.float32(2.0**90)
    x[4, 5], x[4, 40] = np.nan, np.inf
    x[5] = np.clip(x[5], -4, 4)
    x[5, ::16] = np.nextafter(np.float32(8), np.float32(0))
    x[6] = np.clip(x[6], -4, 4)
    x[6, ::16] = 7.99
    x[7] = -np.abs(x[7])
    x[8] = np.sort(np.abs(x[8]))
    x[9] = np.round(x[9])
    x[10] = -1.9921875 * np.exp2(np.arange(70) % 3 - 2)
    x[11, 31], x[11, 63] = 500, -500
    x[12, ::32] = np.nextafter(np.float32(448 * 2**7), np.float32(np.inf))
    tiny = plain[:1] * np.float32(2.0**-147)
    return plain, x, tiny, tied_blocks(), tied_rows(), faint_blocks()


def tied_blocks() -> Array:
    """Blocks of 16 whose elements stand on and next to the middles of e2m1 times many a scale of three bits."""
    scales = np.outer(np.exp2([-3, 1]), np.arange(8, 16) / 8).ravel()
    middles = np.array([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5])
    near = (scales[:, None] * middles).astype(np.float32)
    x = np.concatenate([6 * scales[:, None], near, np.nextafter(near, np.float32(9)), -near[:, :1]], axis=1)
    return x.astype(np.float32)


def tied_rows() -> Array:
    """Rows for integers: the floats nearest to the middles between multiples of a / 127, and powers of two of it."""
    amax = np.concatenate([127 * np.exp2([-2, 1]), np.random.default_rng(3).uniform(0.1, 10, 6)])
    amax = amax.astype(np.float32)[:, None]
    scale = (amax.astype(np.float64) / 127).astype(np.float32).astype(np.float64)
    return np.concatenate([amax, (scale * (np.arange(-30, 30) + 0.5)).astype(np.float32)], axis=1)


def faint_blocks() -> Array:
    """Blocks of 16, each an eighth of the one before."""
    rng = np.random.default_rng(4)
    return (rng.normal(size=(2, 128)) * np.repeat(np.exp2(-3.0 * np.arange(8)), 16)).astype(np.float32)


@cache
def block_truths(quantizer: Quantizer) -> list[tuple[Array, Array]]:
    """The samples, and what the definition makes of them."""
    return [(x, cast_exactly(x, quantizer)) for x in block_samples()]


def wrong_blocks(caster: Caster) -> list[str]:
    """Elements of the samples that a caster casts otherwise."""
    faults = []
    for x, true in block_truths(claimed(caster)):
        with np.errstate(invalid="ignore"):
            y = caster.caster(x.copy())
        assert y.shape == x.shape
        assert y.dtype == x.dtype
        faults += shown(x, y, true)
    return faults


# -- arithmetic --------------------------------------------------------------------------------

OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "fma": lambda a, b, c: a * b + c,
}


@cache
def operands(format: str, count: int) -> list[Array]:
    """Numbers of a format, drawn at random, zeros among them; and products near a middle plus a small number."""
    rng = np.random.default_rng(2)
    fmt = fe.as_format(format)
    codes = rng.integers(1 << fmt.bits, size=1000).tolist()
    values = np.array([float(fmt.value(code)) for code in codes], np.float32)
    drawn = [rng.choice(np.append(values, np.float32([0, -0.0] * 10)), 3000) for _ in range(count)]
    tied = np.array([[7, 37, s * 2.0**-k] for k in (3, 9, 20, 40) for s in (1, -1)], np.float32).T
    same = rng.choice(values, 50)
    opposite = [same, -same] if count == 2 else [same, np.ones(50, np.float32), -same]
    return [np.concatenate(parts) for parts in zip(drawn, tied[:count], opposite, strict=True)]


@cache
def results(format: str, kind: str) -> tuple[list[Array], Array]:
    """Operands and the correctly rounded results, whose zeros have IEEE 754's signs."""
    count = 3 if kind == "fma" else 2
    numbers = operands(format, count)
    quantizer = quantizer_of(format, "nearest_even", None)
    with np.errstate(invalid="ignore", over="ignore"):
        in_float64 = OPERATIONS[kind](*(a.astype(np.float64) for a in numbers)).tolist()
    true = []
    for rounded, row in zip(in_float64, zip(*(a.tolist() for a in numbers), strict=True), strict=True):
        finite = all(map(math.isfinite, row))
        y = OPERATIONS[kind](*map(Fraction, row)) if finite else rounded
        true.append(float(exact.cast(y if finite and y != 0 else exact_value(rounded), quantizer)))
    return numbers, np.array(true, np.float32)


def wrong_results(caster: Wrong) -> list[str]:
    numbers, true = results(caster.format, caster.kind)
    y = caster.caster(*(a.copy() for a in numbers))
    assert y.dtype == np.float32
    return shown(np.arange(true.size), y, true)


# -- codes -------------------------------------------------------------------------------------


def wrong_codes(caster: Wrong) -> list[str]:
    """Codes that a codec reads otherwise, and numbers that do not come back."""
    fmt = fe.as_format(caster.format)
    codes = np.arange(1 << fmt.bits, dtype=np.uint8)
    values = np.array([float(fmt.value(code)) for code in codes.tolist()], np.float32)
    encode, decode = caster.caster  # type: ignore[misc]
    return [*shown(codes, decode(codes), values), *shown(values, decode(encode(values)), values)]
