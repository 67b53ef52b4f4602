"""Stochastic rounding goes up with exactly the probability stated, whatever the format."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from boundaries import Array, is_irrational, magnitude_at
from scipy.special import gammaincc

import fmtemu as fe
from fmtemu import Codebook, Stochastic, exact
from fmtemu.formats.base import Format, Value
from fmtemu.random import random_bits

VARIANTS = ("A", "B", "C", "equal")
#: A format of every family, and a magnitude code, of codebooks a code, from which the next three are in reach.
FORMATS = {
    "int8": 4,
    "uint8": 99,
    "q4.4": 37,
    "e4m3fn": 0x2E,  # to a binade with twice the step
    "e5m2": 1,  # subnormal
    "float<4,3,nosubnormals>": 0x38,
    "posit8": 0x4B,
    "posit16": 0x7F00,  # regimes so long that exponents are cut
    "takum16": 0x4AB0,
    "lns8": 0x45,
    "lns16": 0x4321,
    "lns<8,3,linear>": 0x45,
    "lns32": 0x4800_0000,
    "takumlog8": 0x4B,
    "takumlog16": 0x4AB0,
    "nf4": 9,
}
#: Those whose range or precision needs float64; of each one variant is cast.
WIDE = ("takum16", "lns32", "takumlog8", "takumlog16")
CASTS = [(spec, variant) for spec in FORMATS for variant in VARIANTS if spec not in WIDE or variant == "C"]


def carrier(spec: str) -> Any:
    return np.float64 if spec in WIDE else np.float32


def steps(d: Fraction, bits: int, variant: str) -> int:
    """How many of the 2**bits random integers take position d to the upper neighbour."""
    position = d * 2**bits
    floor, rest = math.floor(position), position - math.floor(position)
    if variant == "A":
        return floor
    if variant == "B":
        return floor + (rest >= Fraction(1, 2))
    if variant == "C":
        return floor + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and floor % 2 == 1))
    return 2 ** (bits - 1) if d else 0


@cache
def places_of_every_integer(bits: int, count: int) -> Array:
    """[R, j]: an element whose random integer is R, for every R below 2**bits, ``count`` others of each."""
    size = 2 * (count + 16) << bits
    random = random_bits(3, (), 0, size, bits)
    order = np.argsort(random, kind="stable")
    starts = np.searchsorted(random[order], np.arange(1 << bits))
    assert (np.diff([*starts, size]) >= count).all()
    return order[starts[:, np.newaxis] + np.arange(count)]


def positions(bits: int) -> list[Fraction]:
    """Every multiple of 2**-(bits + 2), or some."""
    parts = 4 << bits
    return [Fraction(part, parts) for part in range(0, parts, max(parts // 64 - 1, 1))]


def is_symmetric(fmt: Format) -> bool:
    """Whether -x is between the opposites of what x is between."""
    return fmt.has_negative and not isinstance(fmt, Codebook)


def ends(fmt: Format, first: int) -> tuple[Value, Value]:
    """The values that a magnitude code, or the code of a codebook, and the next stand for."""
    lower, upper = (
        fmt.value(code if isinstance(fmt, Codebook) else fmt.join(False, code)) for code in (first, first + 1)
    )
    return lower, upper


def between(fmt: Format, first: int, at: list[Fraction], dtype: Any) -> tuple[Array, list[Fraction]]:
    """(x, where): the floats nearest to the positions between two values, and at which they are. Those of
    irrational values, and of a codebook of float32, are no floats."""
    if isinstance(fmt, Codebook):
        lower, upper = map(Fraction, ends(fmt, first))
        x = np.array([dtype(float(lower + d * (upper - lower))) for d in at])
        return x, [fmt.neighbours(Fraction(float(number)))[2] for number in x]
    x = np.array([dtype(float(magnitude_at(fmt, first, d))) for d in at])
    places = [fmt.locate(Fraction(float(number))) for number in x]
    assert {place[0] for place in places} == {first}
    where = [d for _, _, d in places]
    assert is_irrational(fmt) or where == at, "positions are exact in the source"
    return x, where


def counts_of_ups(fmt: Format, first: int, x: Array, rounding: Stochastic) -> tuple[Array, Array]:
    """Of floats between a code's value and the next: how often x and -x go up over all random integers."""
    lower, upper = (x.dtype.type(float(end)) for end in ends(fmt, first))
    places = places_of_every_integer(rounding.bits, 2 * x.size)
    source = np.zeros(places.max() + 1, x.dtype)
    source[places] = np.concatenate([x, -x if is_symmetric(fmt) else x])
    taken = fe.cast(source, fmt, rounding=rounding, seed=3)[places]
    taken = np.abs(taken) if is_symmetric(fmt) else taken
    assert np.isin(taken, [lower, upper]).all()
    ups = (taken == upper).sum(axis=0)
    return ups[: x.size], ups[x.size :]


@pytest.mark.parametrize(("spec", "variant"), CASTS)
def test_every_random_integer_once(spec: str, variant: str) -> None:
    """Over all R, each taken once, k of the 2**bits go up, k by the variant's definition, for x and for -x."""
    fmt, first = fe.as_format(spec), FORMATS[spec]
    for bits in (1, 2, 3, 4, 8):
        x, at = between(fmt, first, positions(bits), carrier(spec))
        expected = [steps(d, bits, variant) for d in at]
        for ups in counts_of_ups(fmt, first, x, Stochastic(bits, variant)):
            assert ups.tolist() == expected


@pytest.mark.parametrize("bits", [16, 17])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_one_of_many_random_integers(bits: int, dtype: Any) -> None:
    """17 bits come from whole words, one of two, and not from halves."""
    at = [Fraction(k, 1 << bits + 1) for k in (0, 1, 3, 0x1234 * 4 + 1, (2 << bits) - 1)]
    x, at = between(fe.as_format("int8"), 4, at, dtype)
    expected = [steps(d, bits, "C") for d in at]
    for ups in counts_of_ups(fe.as_format("int8"), 4, x, Stochastic(bits, "C")):
        assert ups.tolist() == expected


@pytest.mark.parametrize("spec", FORMATS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_definition_has_that_probability(spec: str, variant: str) -> None:
    fmt, first, bits = fe.as_format(spec), FORMATS[spec], 3
    quantizer = fe.Quantizer(fmt, Stochastic(bits, variant))
    lower, upper = (code if isinstance(fmt, Codebook) else fmt.join(False, code) for code in (first, first + 1))
    for x, d in zip(*between(fmt, first, positions(bits), np.float64), strict=True):
        taken = [exact.encode(Fraction(float(x)), quantizer, random) for random in range(1 << bits)]
        assert taken.count(upper) == steps(d, bits, variant)
        assert taken.count(lower) == (1 << bits) - taken.count(upper)


# -- over seeds and elements -------------------------------------------------------------------

ELEMENTS, SEEDS = 1 << 14, range(8)
AT = [Fraction(k, 64) for k in (1, 5, 8, 13, 21, 32, 40, 47, 55, 63)]


def chi_square(ups: Array, probability: Array, trials: int) -> float:
    """The p-value of counts of binomial trials, [seed, position]; certain outcomes are left out."""
    certain = (probability == 0) | (probability == 1)
    assert (ups[:, certain] == trials * probability[certain]).all()
    p = probability[~certain]
    scores = (ups[:, ~certain] - trials * p) ** 2 / (trials * p * (1 - p))
    return float(gammaincc(scores.size / 2, scores.sum() / 2)) if scores.size else 0.5


def counts_over_seeds(spec: str, rounding: Stochastic, stream: tuple[int, ...]) -> tuple[Array, list[Fraction]]:
    """(counts, positions): [seed, position], how many of ELEMENTS go up."""
    fmt, first = fe.as_format(spec), FORMATS[spec]
    x, at = between(fmt, first, AT, carrier(spec))
    source = np.tile(x, (ELEMENTS, 1))
    upper = carrier(spec)(float(ends(fmt, first)[1]))
    taken = (fe.cast(source, fmt, rounding=rounding, seed=seed, stream=stream) == upper for seed in SEEDS)
    return np.array([ups.sum(axis=0) for ups in taken]), at


@pytest.mark.parametrize(("spec", "variant"), CASTS)
def test_chi_square_over_seeds(spec: str, variant: str) -> None:
    """Neither too far from the probability nor too near, at fixed seeds."""
    for bits in (2, 8, 16, 24):
        ups, at = counts_over_seeds(spec, Stochastic(bits, variant), (bits,))
        probability = np.array([steps(d, bits, variant) / 2**bits for d in at])
        assert 1e-4 < chi_square(ups, probability, ELEMENTS) < 1 - 1e-4


def test_chi_square_sees_a_wrong_probability() -> None:
    """Off by 1/64 at one position in ten; of another variant; and nearer than chance comes."""
    right = np.array([float(d) for d in AT])
    ups, _ = counts_over_seeds("e4m3fn", Stochastic(8), (8,))
    assert chi_square(ups, right, ELEMENTS) > 1e-4
    assert chi_square(ups, right + np.eye(len(AT))[4] / 64, ELEMENTS) < 1e-9
    ups, _ = counts_over_seeds("e4m3fn", Stochastic(2, "C"), (2,))
    assert chi_square(ups, np.array([steps(d, 2, "B") / 4 for d in AT]), ELEMENTS) < 1e-9
    assert chi_square(np.tile(ELEMENTS * right, (8, 1)), right, ELEMENTS) > 1 - 1e-4
