"""What a format says of itself equals what reading all its codes shows."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from samples import ALL, ENUMERABLE, FLOATS, IRRATIONAL, TAPERED

from fmtemu.formats import LNS, Fixed, Float, Format, Int, Posit, Takum
from fmtemu.formats.base import floor_log2


def numbers(fmt: Format) -> list[Fraction]:
    return [Fraction(v) for v in map(fmt.value, fmt.codes()) if math.isfinite(v)]


@pytest.mark.parametrize("fmt", ENUMERABLE, ids=str)
def test_extremes_and_count(fmt: Format) -> None:
    values = sorted(set(numbers(fmt)))
    positive = [v for v in values if v > 0]
    assert fmt.values() == values
    assert fmt.count == len(values)
    assert (fmt.lowest, fmt.largest, fmt.smallest) == (values[0], values[-1], positive[0])
    assert fmt.has_negative == (values[0] < 0)
    assert fmt.has_zero == (0 in values)


@pytest.mark.parametrize("fmt", ENUMERABLE, ids=str)
def test_eps_is_the_step_above_one(fmt: Format) -> None:
    above = [v for v in set(numbers(fmt)) if v > 1]
    expected = min(above) - 1 if above and 1 in numbers(fmt) else None
    assert fmt.eps == expected


@pytest.mark.parametrize("fmt", ENUMERABLE, ids=str)
def test_special_codes(fmt: Format) -> None:
    shown = {code: fmt.value(code) for code in fmt.codes()}
    nans = {code for code, v in shown.items() if v != v}
    infinities = {v: code for code, v in shown.items() if abs(v) == math.inf}
    assert len([v for v in shown.values() if abs(v) == math.inf]) == len(infinities), "an infinity has one code"
    assert fmt.infinity_code == infinities.get(math.inf)
    assert fmt.negative_infinity_code == infinities.get(-math.inf)
    assert fmt.nan_code in nans if nans else fmt.nan_code is None
    minus_zero = [code for code, v in shown.items() if isinstance(v, float) and v == 0]
    assert fmt.has_negative_zero == bool(minus_zero)
    assert all(math.copysign(1, shown[code]) < 0 for code in minus_zero)


@pytest.mark.parametrize("fmt", [f for f in ENUMERABLE if not f.is_carrier_rounded], ids=str)
def test_values_fit_their_precision_and_lowest_bit(fmt: Format) -> None:
    values = [abs(v) for v in numbers(fmt) if v]
    assert fmt.emax == floor_log2(fmt.largest)
    needed = 0
    for v in values:
        units = v / Fraction(2) ** fmt.lsb_exponent
        assert units.denominator == 1
        needed = max(needed, (units.numerator // (units.numerator & -units.numerator)).bit_length())
    if isinstance(fmt, Float):  # whose specials may take the place of every value that needs all bits
        has_normal = any(v >= Fraction(2) ** fmt.emin for v in values)
        assert needed <= fmt.precision == max(fmt.mantissa_bits + has_normal, 1)
    elif fmt in IRRATIONAL:  # whose values are rounded to that precision
        assert needed <= fmt.precision
    else:
        assert fmt.precision == needed
        assert any((v / Fraction(2) ** fmt.lsb_exponent).numerator % 2 for v in values), "the lowest bit is used"


@pytest.mark.parametrize("fmt", [f for f in ENUMERABLE if f.is_carrier_rounded], ids=str)
def test_irrational_values_differ_in_their_precision(fmt: Format) -> None:
    codes = [code for code in fmt.codes() if math.isfinite(fmt.value(code))]
    rounded = {Fraction(fmt.value_in(code, fmt.precision)) for code in codes}
    assert len(rounded) == fmt.count
    assert all((v / Fraction(2) ** fmt.lsb_exponent).denominator == 1 for v in rounded)


@pytest.mark.parametrize("fmt", [f for f in FLOATS if f.bits <= 10], ids=str)
def test_normal_and_subnormal_numbers(fmt: Float) -> None:
    positive = sorted({v for v in numbers(fmt) if v > 0})
    normal = [v for v in positive if v >= Fraction(2) ** fmt.emin]
    subnormal = [v for v in positive if v < Fraction(2) ** fmt.emin]
    assert fmt.smallest_normal == (normal[0] if normal else None)
    assert fmt.smallest_subnormal == (subnormal[0] if subnormal else None)


@pytest.mark.parametrize("fmt", ALL, ids=str)
def test_bits_hold_every_code(fmt: Format) -> None:
    codes = fmt.codes()
    assert 0 <= next(codes) < 1 << fmt.bits
    for code in (fmt.nan_code, fmt.infinity_code, fmt.negative_infinity_code):
        assert code is None or 0 <= code < 1 << fmt.bits


def test_values_of_a_wide_format_are_not_listed() -> None:
    with pytest.raises(ValueError, match="16 bits"):
        Float(8, 23).values()


@pytest.mark.parametrize(("bits", "quire"), [(8, 128), (16, 256), (32, 512), (64, 1024)])
def test_quire_of_a_standard_posit_is_16_times_as_wide(bits: int, quire: int) -> None:
    assert Posit(bits).quire_bits == quire


@pytest.mark.parametrize("fmt", [f for f in TAPERED if isinstance(f, Posit) and f.bits <= 10], ids=repr)
def test_a_quire_holds_every_sum_of_2_to_the_31_products_less_one(fmt: Posit) -> None:
    """Its lowest bit is that of any product, and no sum reaches its sign."""
    lowest = Fraction(2) ** (2 * fmt.lsb_exponent)
    assert all((Fraction(v) ** 2 / lowest).denominator == 1 for v in fmt.values())
    assert (2**31 - 1) * fmt.largest**2 / lowest < 2 ** (fmt.quire_bits - 1)


@pytest.mark.parametrize("bits", [16, 32])
def test_quire_of_a_bounded_posit(bits: int) -> None:
    """The published 800 bits, and two for each fraction bit of the smallest values."""
    fmt = Posit(bits, 5, 6)
    assert fmt.lsb_exponent == -192 - (bits - 12)
    assert fmt.quire_bits == 800 + 2 * (bits - 12)


def test_a_bound_that_no_regime_reaches_is_none() -> None:
    assert Posit(8, 2, 7) == Posit(8, 2, 64) == Posit(8)
    assert Posit(8, 2, 6).max_regime == 6


def test_symmetric_integers_leave_the_lowest_code_out() -> None:
    fmt = Int(8, symmetric=True)
    assert (fmt.lowest, fmt.largest, fmt.count) == (-127, 127, 255)
    assert 0x80 not in fmt.codes()


def test_fixed_point_may_lie_far_from_its_point() -> None:
    assert Fixed(-2, 8).largest == Fraction(31, 256)
    assert (Fixed(10, -3).smallest, Fixed(10, -3).lowest) == (8, -512)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Float(0, 3), "no default bias"),
        (lambda: Float(0, 0, bias=0), "no finite number but zero"),
        (lambda: Float(1, 0), "no finite number but zero"),
        (lambda: Float(1, 3, subnormals=False), "no finite number but zero"),
        (lambda: Float(4, 3, specials="ocp"), "specials must be one of ieee, fn"),
        (lambda: Float(8, 0, specials="e8m0"), "signed=False"),
        (lambda: Float(15, 49), "must fit 64 bits, got 65"),
        (lambda: Float(-1, 3), r"exponent_bits must be 0\.\.32, got -1"),
        (lambda: Float(4, 64), r"mantissa_bits must be 0\.\.63, got 64"),
        (lambda: Int(1), r"bits must be 2\.\.64, got 1"),
        (lambda: Int(65, signed=False), r"bits must be 1\.\.64"),
        (lambda: Int(8, signed=False, symmetric=True), "symmetric is for signed"),
        (lambda: Fixed(-8, 8), "sign counts in int_bits"),
        (lambda: Fixed(40, 40), r"2\.\.64"),
        (lambda: LNS(8, 3, signed=False, specials="nan"), "NaN is the zero with a sign"),
        (lambda: LNS(8, 3, specials="ieee"), "specials must be one of nan, zero, none"),
        (lambda: LNS(8, 3, exponent="up"), "exponent must be one of signed, rising, falling"),
        (lambda: LNS(8, 3, coordinate="value"), "coordinate must be one of log, linear"),
        (lambda: LNS(8, 3, step=Fraction(0)), "step must be positive"),
        (lambda: LNS(20, 0), r"within 2\*\*\+-65536"),
        (lambda: LNS(60, 52), r"float64 must tell .* at most 2\*\*51"),
        (lambda: LNS(32, 23, coordinate="linear"), r"float32 must tell .* at most 2\*\*22"),
        (lambda: Posit(1), r"bits must be 2\.\.64"),
        (lambda: Posit(8, 17), r"es must be 0\.\.16"),
        (lambda: Posit(8, 2, 0), r"max_regime must be 1\.\.64, got 0"),
        (lambda: Takum(1), r"Takum: bits must be 2\.\.64"),
    ],
)
def test_impossible_formats_say_why(make: type, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


@pytest.mark.parametrize("make", [lambda: Float(4.0, 3), lambda: Int("8"), lambda: Posit(8, True)])
def test_counts_are_integers(make: type) -> None:
    with pytest.raises(TypeError, match="must be an integer"):
        make()
