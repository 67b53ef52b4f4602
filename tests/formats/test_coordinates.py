"""Codes, values and the rounding coordinate: value, locate and join agree."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from samples import ALL, ENUMERABLE, FLOATS, IRRATIONAL, ROUNDED_IN_VALUE, TAPERED, magnitude_codes, sample, successor

from fmtemu import Quantizer, exact
from fmtemu.formats import Codebook, Float, Format, Scaled
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.tapered import Tapered
from fmtemu.rounding import DEFINITIONS


def magnitude(fmt: Format, k: int, negative: bool = False) -> Fraction:
    return abs(Fraction(fmt.value(fmt.join(negative, k))))


@pytest.mark.parametrize("fmt", ALL, ids=str)
def test_magnitudes_increase_with_their_codes(fmt: Format) -> None:
    for negative in (False, True):
        values = [fmt.value(fmt.join(negative, k)) for k in magnitude_codes(fmt, negative)]
        assert values == sorted(values, reverse=negative)
        assert len(set(values)) == len(values)


@pytest.mark.parametrize("fmt", ALL, ids=str)
def test_locate_finds_every_value_where_it_is(fmt: Format) -> None:
    number = fmt.element if isinstance(fmt, Scaled) else fmt
    for negative in (False, True)[: 1 if isinstance(number, Codebook) else 2]:  # locate is of one sign there
        for k in magnitude_codes(fmt, negative):
            x = magnitude(fmt, k, negative)
            if x:
                assert fmt.locate(x) == (k, successor(fmt, k), 0)


@pytest.mark.parametrize("fmt", ENUMERABLE, ids=str)
def test_join_makes_every_code_of_a_number(fmt: Format) -> None:
    made = {fmt.join(negative, k) for negative in (False, True) for k in magnitude_codes(fmt, negative)}
    finite = {code for code in fmt.codes() if math.isfinite(fmt.value(code))}
    assert made == finite


@pytest.mark.parametrize("fmt", ROUNDED_IN_VALUE, ids=str)
def test_position_is_linear_in_the_value(fmt: Format) -> None:
    for k in magnitude_codes(fmt)[:-1]:
        upper = successor(fmt, k)
        below, above = magnitude(fmt, k), magnitude(fmt, upper)
        for d in (Fraction(1, 2), Fraction(1, 3), Fraction(1, 2**60), 1 - Fraction(1, 2**60)):
            assert fmt.locate(below + d * (above - below)) == (k, upper, d)


@pytest.mark.parametrize("fmt", [f for f in TAPERED if f.bits + 3 <= (24 if f in IRRATIONAL else 64)], ids=repr)
def test_position_of_a_tapered_number_is_read_off_its_further_bits(fmt: Tapered) -> None:
    """To the 31 bits that are given where values are irrational."""
    further = 3
    longer = replace(fmt, bits=fmt.bits + further)
    error = Fraction(1, 2**31) if fmt in IRRATIONAL else 0
    for code in sample(range(1, 1 << (longer.bits - 1))):
        k, tail = code >> further, code & ((1 << further) - 1)
        expected = k + (0 if k == fmt.limits()[0] else Fraction(tail, 1 << further))
        lower, upper, position = fmt.locate(Fraction(longer.value(code)))
        assert upper == lower + 1
        assert abs(lower + position - expected) <= error


@pytest.mark.parametrize("fmt", TAPERED, ids=repr)
def test_tapered_numbers_reach_neither_zero_nor_nar(fmt: Tapered) -> None:
    """Below the smallest they lie above zero, which by default they do not become."""
    tiny, huge, largest = fmt.smallest / 2**100, fmt.largest * 2**100, fmt.limits()[0]
    lower, upper, position = fmt.locate(tiny)
    assert (lower, upper) == (0, 1)
    assert 0 < position < 1
    assert fmt.locate(huge) == (largest, largest + 1, 0)
    for rounding in DEFINITIONS:
        quantizer = Quantizer(fmt, rounding)
        assert [exact.encode(x, quantizer) for x in (tiny, -tiny)] == [1, fmt.join(True, 1)]
        assert [exact.encode(x, quantizer) for x in (huge, -huge)] == [largest, fmt.join(True, largest)]


@pytest.mark.parametrize("fmt", [f for f in FLOATS if f.has_zero], ids=str)
def test_floats_count_on_past_their_largest(fmt: Float) -> None:
    wider = Float(fmt.exponent_bits + 1, fmt.mantissa_bits, fmt.bias, "none", fmt.subnormals, signed=False)
    top = fmt.limits()[0]
    for k in range(top + 1, min(top + 40, wider.limits()[0])):
        if fmt.subnormals or k >= 1 << fmt.mantissa_bits:
            assert fmt.locate(magnitude(wider, k)) == (k, k + 1, 0)


@pytest.mark.parametrize("fmt", [f for f in ALL if isinstance(f, FixedPoint)], ids=str)
def test_fixed_point_counts_units_without_end(fmt: FixedPoint) -> None:
    unit = fmt.value(1) if fmt.bits > 1 else Fraction(1)
    for k in (0, 1, fmt.limits()[0] + 1, 1 << 70):
        assert fmt.locate(abs(unit) * k + abs(unit) / 4) == (k, k + 1, Fraction(1, 4))
