"""Logarithmic numbers: powers of two with irrational exponents, decided by exact comparison."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from samples import LOGARITHMIC, magnitude_codes

from fmtemu import LNS, Edges, Quantizer, exact
from fmtemu.formats.logarithm import floor_exp2, floor_log2

Oracle = Callable[[str], Any]
SMALL_ROOTS = tuple(f for f in LOGARITHMIC if f.log_step.denominator <= 64 and f.bits <= 10)
IRRATIONAL = tuple(f for f in SMALL_ROOTS if f.is_carrier_rounded)


def below(x: Fraction, exponent: Fraction) -> bool:
    """x < 2**exponent, by integers."""
    return x**exponent.denominator < Fraction(2) ** exponent.numerator


def exponent(fmt: LNS, code: int) -> Fraction:
    """log2 of the value of a magnitude code."""
    return (fmt.least_exponent + code) * fmt.log_step


def in_use(fmt: LNS) -> list[int]:
    """Magnitude codes of positive numbers."""
    return [code for code in magnitude_codes(fmt) if code or not fmt.has_zero]


@pytest.mark.parametrize("power", [Fraction(1, 3), Fraction(-7, 8), Fraction(100, 9), Fraction(12), Fraction(45, 2)])
def test_powers_are_rounded_down(power: Fraction) -> None:
    floor = floor_exp2(power)
    assert Fraction(floor) ** power.denominator <= Fraction(2) ** power.numerator
    assert not below(Fraction(floor + 1), power)


@pytest.mark.parametrize("x", [Fraction(3), Fraction(1, 10), Fraction(2**40 + 1, 2**40), Fraction(7, 5) ** 9])
@pytest.mark.parametrize("factor", [Fraction(8), Fraction(37, 3), Fraction(5, 7)])
def test_logarithms_are_rounded_down(x: Fraction, factor: Fraction) -> None:
    floor = floor_log2(x, factor)
    assert not below(x, floor / factor)
    assert below(x, (floor + 1) / factor)


@pytest.mark.parametrize("fmt", IRRATIONAL, ids=repr)
@pytest.mark.parametrize("precision", [24, 53])
def test_values_are_the_nearest_of_so_many_bits(fmt: LNS, precision: int) -> None:
    for code in in_use(fmt):
        value, power = fmt.magnitude(code, precision), exponent(fmt, code)
        half = Fraction(2) ** (math.floor(power) - precision)
        assert (value / half).denominator == 1
        assert below(value - half, power)
        assert not below(value + half, power)


@pytest.mark.parametrize("fmt", SMALL_ROOTS, ids=repr)
def test_neighbours_and_positions_are_those_of_the_logarithm(fmt: LNS) -> None:
    """Against x**r and 2**q, for log2(x) = q / r at the ends, the middle and a quarter."""
    random = np.random.default_rng(fmt.bits)
    low, high = (float(exponent(fmt, code)) for code in (in_use(fmt)[0], in_use(fmt)[-1]))
    for x in map(Fraction, np.exp2(random.uniform(low, high + 1, 40)).tolist()):
        lower, upper, d = fmt.locate(x)
        assert upper == lower + 1
        assert not below(x, exponent(fmt, lower))
        assert below(x, exponent(fmt, upper))
        for part in (Fraction(1, 2), Fraction(1, 4)):
            assert (d < part) == below(x, exponent(fmt, lower) + part * fmt.log_step)


@pytest.mark.parametrize("fmt", IRRATIONAL, ids=repr)
def test_what_lies_between_a_value_and_its_roundings_is_the_value(fmt: LNS) -> None:
    precisions = [24, 53] if fmt.precision == 24 else [53]
    for code in in_use(fmt):
        readings = sorted(fmt.magnitude(code, precision) for precision in precisions)
        power, tiny = exponent(fmt, code), readings[0] / 2**120
        for x in (*readings, sum(readings) / len(readings)):
            assert fmt.locate(x) == (code, code + 1, 0)
        if below(readings[0], power) and code:  # below the first value of all there is no other
            assert fmt.locate(readings[0] - tiny)[:2] == (code - 1, code)
        if not below(readings[-1], power):
            assert fmt.locate(readings[-1] + tiny)[2] > 0


@pytest.mark.parametrize("fmt", [LNS(8, 3), LNS(6, 2, specials="zero"), LNS(7, 0, step=Fraction(3, 37))], ids=repr)
def test_numbers_a_step_below_the_smallest_are_next_to_zero(fmt: LNS) -> None:
    smallest = exponent(fmt, 1)
    half_way = smallest - fmt.log_step / 2
    above, under = (Fraction(floor_exp2(half_way + 200) + up, 2**200) for up in (1, 0))
    assert exact.encode(above, Quantizer(fmt)) == fmt.join(False, 1)
    assert exact.encode(under, Quantizer(fmt)) == fmt.join(False, 0)
    for tiny in (Fraction(1, 2**90), Fraction(1, 10**40)):
        assert fmt.locate(tiny)[:2] == (0, 1)
        assert 0 < fmt.locate(tiny)[2] < Fraction(1, 2**62)
        assert exact.encode(tiny, Quantizer(fmt, "away_from_zero")) == fmt.join(False, 1)
        assert exact.encode(tiny, Quantizer(fmt, "toward_zero")) == fmt.join(False, 0)


def test_a_rational_tie_goes_by_the_code() -> None:
    """Steps of two octaves have the odd powers of two in their middles."""
    fmt = LNS(6, 0, step=Fraction(2))
    assert fmt.locate(Fraction(2)) == (16, 17, Fraction(1, 2))
    assert exact.cast(Fraction(2), Quantizer(fmt)) == 1
    assert exact.cast(Fraction(8), Quantizer(fmt)) == 16
    assert exact.cast(Fraction(2), Quantizer(fmt, "nearest_away")) == 4


def test_codes_of_each_layout() -> None:
    assert [LNS(3, 0).value(code) for code in range(4)] == [1, 2, 0, Fraction(1, 2)]
    assert LNS(8, 3).nan_code == 0xC0
    rising = LNS(3, 0, specials="none", exponent="rising")
    assert [rising.value(code) for code in range(8)] == [1, 2, 4, 8, -1, -2, -4, -8]
    falling = LNS(3, 0, specials="zero", exponent="falling")
    assert [falling.value(code) for code in range(7)] == [
        1,
        Fraction(1, 2),
        Fraction(1, 4),
        0,
        -1,
        -Fraction(1, 2),
        -Fraction(1, 4),
    ]
    assert math.copysign(1, falling.value(7)) == -1
    log2 = LNS(2, 0, signed=False, specials="none", exponent="falling")
    assert [log2.value(code) for code in range(4)] == [1, Fraction(1, 2), Fraction(1, 4), Fraction(1, 8)]


def test_edges() -> None:
    """They saturate at both ends that are none of zero's; only a code for NaN takes NaN."""
    top, infinite = Fraction(10**9), math.inf
    for x in (top, infinite):
        assert exact.encode(x, Quantizer("lns8")) == 0x3F
        assert exact.encode(-x, Quantizer("lns8")) == 0xBF
        assert exact.encode(x, Quantizer("lns8", edges=Edges(overflow="nan"))) == 0xC0
    assert exact.encode(0, Quantizer("lns8")) == exact.encode(-0.0, Quantizer("lns8")) == 0x40
    assert exact.encode(math.nan, Quantizer("lns8")) == 0xC0
    assert exact.encode(math.nan, Quantizer("lns8", edges=Edges(nan="zero"))) == 0x40
    assert exact.encode(math.nan, Quantizer("pow2_4")) is None
    assert (exact.encode(0, Quantizer("pow2_4")), exact.encode(-0.0, Quantizer("pow2_4"))) == (7, 15)
    assert exact.encode(-Fraction(1, 10**9), Quantizer("pow2_4")) == 15
    assert (exact.encode(0, Quantizer("lnsmadam8")), exact.encode(-0.0, Quantizer("lnsmadam8"))) == (0, 128)
    assert exact.encode(0, Quantizer("log2_4")) == exact.encode(Fraction(-3), Quantizer("log2_4")) == 15


def test_the_linear_coordinate_is_that_of_the_values() -> None:
    fmt = LNS(8, 3, coordinate="linear")
    low, high = fmt.magnitude(5 + 64), fmt.magnitude(6 + 64)
    assert low == Fraction(float(np.float32(2 ** (5 / 8))))
    assert fmt.locate((low + high) / 2) == (5 + 64, 6 + 64, Fraction(1, 2))
    assert LNS(8, 3).locate((low + high) / 2)[2] > Fraction(1, 2)
    assert fmt.locate(fmt.smallest / 3) == (0, 1, Fraction(1, 3))


UNIVERSAL = ((4, 1), (6, 2), (8, 2), (8, 3), (8, 4), (8, 5), (12, 6), (16, 5), (16, 8), (16, 10))


@pytest.mark.parametrize("size", UNIVERSAL, ids=str)
def test_codes_read_as_recorded_from_universal(oracle: Oracle, size: tuple[int, int]) -> None:
    """Universal multiplies roots up in float64, and is off by up to two units in the last place."""
    fmt, recorded = LNS(*size), oracle("lns_universal")[f"lns{size[0]}_{size[1]}_dec"].tolist()
    for code in range(0, 1 << fmt.bits, 1 if fmt.bits <= 8 else 61):
        ours, theirs = fmt.value(code), recorded[code]
        if code == fmt.nan_code:
            assert math.isnan(theirs)
        else:
            assert abs(ours - Fraction(theirs)) <= 2 * math.ulp(theirs)
