"""The P3109 family by its names: Float with specials "p3109" (extended) or "fnuz" (finite)."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from fmtemu import Stochastic, as_quantizer, as_rounding, exact
from fmtemu.formats import Float, as_format
from fmtemu.formats.base import Value

FINITE, INFINITY, MINUS_INFINITY, NAN = range(4)
NAMES = [
    f"Binary{k}p{p}{sign}{domain}"
    for k in range(3, 11)
    for sign in "su"
    for p in range(1, k + (sign == "u"))
    for domain in "ef"
]


def value(kind: int, m: int, e: int) -> Value:
    return (m * Fraction(2) ** e, math.inf, -math.inf, math.nan)[kind]


@pytest.mark.parametrize("name", NAMES)
def test_every_code_has_the_value_of_the_tables(name: str, oracle) -> None:
    tables, fmt = oracle("p3109_value_tables"), as_format(name)
    kinds, m, e = (tables[f"{name}_{column}"].tolist() for column in ("cls", "m", "e"))
    assert len(kinds) == 1 << fmt.bits
    for code, entry in enumerate(zip(kinds, m, e, strict=True)):
        given, expected = fmt.value(code), value(*entry)
        assert given == expected or (given != given and expected != expected), code


def test_binary8p3_by_hand() -> None:
    extended, finite = as_format("binary8p3se"), as_format("binary8p3sf")
    assert (extended.nan_code, extended.infinity_code, extended.negative_infinity_code) == (0x80, 0x7F, 0xFF)
    assert (finite.nan_code, finite.infinity_code) == (0x80, None)
    assert extended.value(0x40) == finite.value(0x40) == 1
    assert (extended.largest, finite.largest) == (49152, 57344)
    assert extended == Float(5, 2, specials="p3109")


@pytest.mark.parametrize("name", ["binary8p8se", "binary8p0se", "binary8p9uf"])
def test_impossible_precisions_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}.*precision of 8 bits must be 1"):
        as_format(name)


@pytest.mark.parametrize(
    ("saturation", "large", "infinite"),
    [("SatFinite", 49152, 49152), ("SatPropagate", 49152, math.inf), ("SatNone", math.inf, math.inf)],
)
def test_projections_by_the_names_of_the_draft(saturation: str, large: Value, infinite: Value) -> None:
    quantizer = as_quantizer(f"binary8p3se | NearestTiesToEven | p3109 | {saturation}")
    assert exact.cast(Fraction(10**6), quantizer) == large
    assert exact.cast(math.inf, quantizer) == infinite
    assert exact.cast(-math.inf, quantizer) == -infinite
    finite = as_quantizer(f"binary8p3sf | NearestTiesToEven | p3109 | {saturation}")
    assert exact.cast(Fraction(10**6), finite) == exact.cast(math.inf, finite) == 57344
    unsigned = as_quantizer(f"binary8p3ue | TowardZero | p3109 | {saturation}")
    assert math.isnan(exact.cast(Fraction(-1), unsigned))


def test_to_odd_overflows_to_infinity_unless_saturated() -> None:
    """The largest finite code of an extended format is even: the odd one is infinity's."""
    assert exact.cast(Fraction(10**6), as_quantizer("binary8p3se | ToOdd | SatNone")) == math.inf
    assert exact.cast(Fraction(10**6), as_quantizer("binary8p3se | ToOdd")) == 49152


@pytest.mark.parametrize("variant", "ABC")
def test_stochastic_roundings_by_the_names_of_the_draft(variant: str) -> None:
    assert as_rounding(f"Stochastic{variant}(8)") == Stochastic(8, variant)
    assert as_quantizer(f"binary8p3se | Stochastic{variant}( 3 )").rounding == Stochastic(3, variant)
