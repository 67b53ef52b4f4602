"""HiFloat8: its codes are those of the paper (arXiv:2409.16626), and so is its rounding."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

import fmtemu as fe
from fmtemu import HiFloat8, exact
from fmtemu.formats.base import floor_log2

FMT = HiFloat8()
FINITE = [code for code in range(256) if math.isfinite(FMT.value(code))]

#: Codes, their fields written apart, and their values.
CODES = {
    "0 0000 000": 0,
    "0 0000 001": 2**-22,
    "0 0000 111": 2**-16,
    "0 0001 000": 1,
    "0 0001 111": 1.875,
    "0 001 0 000": 2,
    "0 001 1 101": 1.625 * 2**-1,
    "0 01 00 000": 4,
    "0 01 01 111": 1.875 * 2**3,
    "0 01 10 010": 1.25 * 2**-2,
    "0 01 11 000": 2**-3,
    "0 10 000 01": 1.25 * 2**4,
    "0 10 011 11": 1.75 * 2**7,
    "0 10 111 00": 2**-7,
    "0 11 0000 1": 1.5 * 2**8,
    "0 11 0111 0": 2**15,
    "0 11 1000 0": 2**-8,
    "0 11 1111 0": 2**-15,
    "1 0000 010": -(2**-21),
    "1 11 1111 1": -1.5 * 2**-15,
    "0 11 0111 1": math.inf,
    "1 11 0111 1": -math.inf,
}


@pytest.mark.parametrize(("bits", "value"), CODES.items())
def test_codes(bits: str, value: float) -> None:
    code = int(bits.replace(" ", ""), 2)
    assert FMT.value(code) == value
    assert [part for part in FMT.split(code) if part] == bits.split()


def test_minus_zero_is_nan() -> None:
    assert math.isnan(FMT.value(0x80))


def test_the_mantissa_has_three_bits_in_the_inner_binades_and_one_in_the_outer() -> None:
    """7 exponents with 3 bits, 8 with 2, 16 with 1, and 7 further powers of two; infinity takes one code."""
    binades = Counter(floor_log2(FMT.value(code)) for code in FINITE if FMT.value(code) > 0)
    assert Counter(binades.values()) == {8: 7, 4: 8, 2: 15, 1: 1 + 7}
    assert sorted(binades) == list(range(-22, 16))


def test_even_codes_are_even_magnitudes() -> None:
    """So that a tie that goes to the even code does in both ways of counting."""
    for code in FINITE:
        if FMT.value(code):
            assert FMT.locate(abs(Fraction(FMT.value(code))))[0] % 2 == code % 2


def test_rounding_of_the_paper() -> None:
    """Ties away from zero, also to infinity and from zero (section 3: TA)."""
    quantizer = fe.Quantizer(FMT, "nearest_away")
    x = [2.0**-23, 2.0**-23 * 0.99, 1.5 * 2**-17, 1.0625, -(2.0**8) * 1.25, 1.25 * 2**15, 1.24 * 2**15, math.nan]
    expected = [2**-22, 0, 2**-16, 1.125, -(2.0**8) * 1.5, math.inf, 2**15, math.nan]
    np.testing.assert_array_equal([float(exact.cast(v, quantizer)) for v in x], expected)
    np.testing.assert_array_equal(fe.cast(np.float32(x), quantizer), np.float32(expected))


def test_by_default_a_tie_goes_to_the_even_code() -> None:
    assert fe.cast(np.float32([2.0**-23, 1.0625, 1.1875, 1.25 * 2**15]), "hif8").tolist() == [0, 1, 1.25, 2**15]


def test_the_grid_goes_on_past_the_largest() -> None:
    """With two numbers for each power of two, of which stochastic roundings draw."""
    assert [FMT.magnitude(code) for code in (126, 127, 128, 129)] == [2**15, 1.5 * 2**15, 2**16, 1.5 * 2**16]
    assert FMT.locate(Fraction(11 * 2**12)) == (126, 127, Fraction(3, 4))
