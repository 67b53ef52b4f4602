"""The P3109 family is Float with specials "p3109" (extended) and "fnuz" (finite)."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import pytest

from fmtemu.formats import Float
from fmtemu.formats.base import Value

FINITE, INFINITY, MINUS_INFINITY, NAN = range(4)
NAMES = [
    f"Binary{k}p{p}{sign}{domain}"
    for k in range(3, 11)
    for sign in "su"
    for p in range(1, k + (sign == "u"))
    for domain in "ef"
]


def p3109(name: str) -> Float:
    """Binary{k}p{p}{s|u}{e|f}: k bits, precision p, signed or unsigned, extended or finite."""
    match = re.fullmatch(r"Binary(\d+)p(\d+)([su])([ef])", name)
    assert match
    k, p, signed = int(match[1]), int(match[2]), match[3] == "s"
    return Float(k - p + (not signed), p - 1, specials="p3109" if match[4] == "e" else "fnuz", signed=signed)


def value(kind: int, m: int, e: int) -> Value:
    return (m * Fraction(2) ** e, math.inf, -math.inf, math.nan)[kind]


@pytest.mark.parametrize("name", NAMES)
def test_every_code_has_the_value_of_the_tables(name: str, oracle) -> None:
    tables, fmt = oracle("p3109_value_tables"), p3109(name)
    kinds, m, e = (tables[f"{name}_{column}"].tolist() for column in ("cls", "m", "e"))
    assert len(kinds) == 1 << fmt.bits
    for code, entry in enumerate(zip(kinds, m, e, strict=True)):
        given, expected = fmt.value(code), value(*entry)
        assert given == expected or (given != given and expected != expected), code


def test_binary8p3_by_hand() -> None:
    extended, finite = p3109("Binary8p3se"), p3109("Binary8p3sf")
    assert (extended.nan_code, extended.infinity_code, extended.negative_infinity_code) == (0x80, 0x7F, 0xFF)
    assert (finite.nan_code, finite.infinity_code) == (0x80, None)
    assert extended.value(0x40) == finite.value(0x40) == 1
    assert (extended.largest, finite.largest) == (49152, 57344)
