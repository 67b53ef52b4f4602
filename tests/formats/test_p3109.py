"""The P3109 family by its names: Float with specials "p3109" (extended) or "fnuz" (finite)."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

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
