"""Takums read and round as libtakum does, or it is shown why not."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from boundaries import bits_of, exact_value

import fmtemu as fe
from fmtemu import Quantizer, Takum, exact


def name(fmt: Takum) -> str:
    return f"takum{'log' if fmt.logarithmic else ''}{fmt.bits}"


def logarithm(fmt: Takum, code: int) -> Fraction:
    """(-1)**S * (c + m) of a code, its fields read as they stand in the definition."""
    bits = f"{code:0{fmt.bits}b}".ljust(12, "0")
    sign, direction, regime = int(bits[0]), int(bits[1]), int(bits[2:5], 2)
    r = regime if direction else 7 - regime
    c = int(bits[5 : 5 + r] or "0", 2) + (2**r - 1 if direction else 1 - 2 ** (r + 1))
    mantissa = bits[5 + r :]
    return (-1) ** sign * (c + Fraction(int(mantissa or "0", 2), 2 ** len(mantissa)))


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8, 11, 12, 13])
def test_linear_takums_by_definition(bits: int) -> None:
    """((1 - 3 S) + f) * 2**e with e = (-1)**S * (c + S), of the fields of positive and negative codes."""
    fmt = Takum(bits)
    for code in range(1, 1 << bits):
        if code == fmt.nan_code:
            continue
        sign = code >> (bits - 1)
        read = (-1) ** sign * logarithm(fmt, code)  # c + f
        c = math.floor(read)
        f = read - c
        assert fmt.value(code) == ((1 - 3 * sign) + f) * Fraction(2) ** ((-1) ** sign * (c + sign))


@pytest.mark.parametrize("bits", [3, 5, 8, 12, 24, 56, 60])
def test_logarithmic_takums_are_the_nearest_numbers_to_their_definition(bits: int) -> None:
    """(-1)**S * sqrt(e)**l, to 53 bits (57 of 60) and to 60 digits by decimal's own exponential."""
    fmt = Takum(bits, logarithmic=True)
    step = max((1 << bits) // 251, 1)
    ends = {1, fmt.nan_code - 1, fmt.nan_code + 1, (1 << bits) - 1}
    for code in {*range(1, 1 << bits, step), *ends} - {fmt.nan_code}:
        value = Fraction(fmt.value(code))
        exponent = logarithm(fmt, code) / 2
        with localcontext() as context:
            context.prec = 60
            true = Fraction((Decimal(exponent.numerator) / Decimal(exponent.denominator)).exp())
        half_ulp = Fraction(2) ** (math.floor(math.log2(abs(value))) - fmt.precision)
        assert (value < 0) == (code > fmt.nan_code)
        assert abs(abs(value) - true) <= half_ulp


@pytest.mark.parametrize("bits", [8, 16])
def test_every_code_reads_as_recorded(bits: int, oracle: Any) -> None:
    """The recorded logarithmic ones are off the nearest float64 by their own rounding, below 2**-45."""
    recorded = oracle("takum_libtakum")
    for fmt in (Takum(bits), Takum(bits, logarithmic=True)):
        codes = np.arange(1 << bits, dtype=np.min_scalar_type((1 << bits) - 1))
        ours, theirs = fe.decode(codes, fmt, dtype=np.float64), recorded[f"{name(fmt)}_dec"]
        number = codes != fmt.nan_code
        assert np.isnan(ours[~number]).all()
        assert not np.isfinite(theirs[~number]).any()
        error = np.abs(ours - theirs)[number]
        assert (error <= (2.0**-45 * np.abs(ours[number]) if fmt.logarithmic else 0)).all()


@pytest.mark.parametrize("bits", [2, 3, 5, 9, 12, 13, pytest.param(16, marks=pytest.mark.slow)])
def test_tables_of_logarithmic_takums_are_exact(bits: int) -> None:
    """As the definition has them, and whatever the number of bits."""
    fmt = Takum(bits, logarithmic=True)
    codes = np.arange(1 << bits, dtype=np.min_scalar_type((1 << bits) - 1))
    for code, value in zip(codes.tolist(), fe.decode(codes, fmt, dtype=np.float64).tolist(), strict=True):
        assert value == fmt.value(code) or code == fmt.nan_code
    longer = Takum(17, logarithmic=True)
    appended = codes[:: max(codes.size // 99, 1)].astype(np.uint32) << (17 - bits)
    assert np.array_equal(fe.decode(appended, longer), fe.decode(appended >> (17 - bits), fmt), equal_nan=True)


def test_recorded_takum32_are_values(oracle: Any) -> None:
    theirs = oracle("takum_libtakum")["takum32_dec"]
    assert np.array_equal(fe.cast(theirs, "takum32")[np.isfinite(theirs)], theirs[np.isfinite(theirs)])


@pytest.mark.parametrize(("bits", "wrong"), [(8, 128), (16, 2108), (32, 0)])
def test_casts_of_linear_takums_are_those_recorded_unless_they_are_further(bits: int, wrong: int, oracle: Any) -> None:
    """Where they differ, the recorded code is the further neighbour in the encoding: numbers within
    2**-40 of a tie were taken for one, and went to the even code."""
    recorded, fmt = oracle("takum_libtakum"), Takum(bits)
    x, theirs = recorded[f"takum{bits}_in64"].view(np.float64), recorded[f"takum{bits}_cast64"]
    ours = fe.encode(x, fmt)
    differing = np.flatnonzero(ours != theirs)
    assert differing.size == wrong
    for i in differing.tolist():
        lower, upper, d = fmt.locate(abs(Fraction(float(x[i]))))
        nearest, further = (upper, lower) if d > Fraction(1, 2) else (lower, upper)
        negative = bool(x[i] < 0)
        assert (int(ours[i]), int(theirs[i])) == (fmt.join(negative, nearest), fmt.join(negative, further))
        assert 0 < abs(d - Fraction(1, 2)) < Fraction(1, 2**40)
        assert further % 2 == 0


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_casts_of_logarithmic_takums_are_those_recorded(bits: int, oracle: Any) -> None:
    recorded, fmt = oracle("takum_libtakum"), Takum(bits, logarithmic=True)
    every = max(recorded[f"{name(fmt)}_in64"].size // 1500, 1)
    x, theirs = recorded[f"{name(fmt)}_in64"][::every].view(np.float64), recorded[f"{name(fmt)}_cast64"][::every]
    assert [exact.encode(exact_value(v), Quantizer(fmt)) for v in x[::3].tolist()] == theirs[::3].tolist()
    assert np.array_equal(fe.encode(x, fmt), theirs)


def test_carriers_hold_takums_or_are_refused() -> None:
    """float32 ends before takums of 6 bits do, float64 tells apart those of 57 bits (56 if logarithmic)."""
    x = np.float32([1, 3])
    assert bits_of(fe.cast(x, "takum<5>")).tolist() == bits_of(np.float32([1, 2])).tolist()
    with pytest.raises(ValueError, match=r"float32 does not hold all values of takum<6>: give dtype=float64"):
        fe.cast(x, "takum<6>")
    assert fe.cast(x, "takum<57>", dtype=np.float64).tolist() == [1, 3]
    for spec in ("takum<58>", "takumlog<57>"):
        with pytest.raises(ValueError, match="wider than float64 holds"):
            fe.encode(x, spec)
