"""Numbers as people type them, read exactly."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from fmtemu.formats.base import Value

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?")
_RATIO = re.compile(r"[+-]?\d+/\d+")
_HEX = re.compile(r"([+-]?)0x([0-9a-f]*)\.?([0-9a-f]*)(?:p([+-]?\d+))?")
_NAMED = {"nan": math.nan, "inf": math.inf, "infinity": math.inf}

#: Exponents beyond this are refused: their exact value would have too many digits to work with.
_LARGEST_EXPONENT = 100_000


def parse_number(text: str) -> Value:
    """The number that ``text`` stands for, exactly: "957", "1e-3", "1/3", "0x1.8p-2", "nan", "-inf".

    Minus zero is the float -0.0. Raises ValueError for anything else.
    """
    name = text.strip().lower().replace("_", "")
    unsigned = name.lstrip("+-")
    if unsigned in _NAMED and len(name) - len(unsigned) <= 1:
        return math.copysign(_NAMED[unsigned], -1 if name.startswith("-") else 1)
    x = _parse_finite(name)
    if x is None:
        raise ValueError(
            f"not a number: {text!r}; write a decimal (957, 0.1, 1e-3), a fraction (1/3), "
            "a hex float (0x1.8p-2), nan or inf"
        )
    return -0.0 if x == 0 and name.startswith("-") else x


def _parse_finite(name: str) -> Fraction | None:
    if m := _DECIMAL.fullmatch(name):
        _check_exponent(name, m[2].removeprefix("e") if m[2] else "0")
        return Fraction(name)
    if _RATIO.fullmatch(name):
        numerator, denominator = map(int, name.split("/"))
        if denominator == 0:
            raise ValueError(f"not a number: {name!r} divides by zero")
        return Fraction(numerator, denominator)
    if (m := _HEX.fullmatch(name)) and (m[2] or m[3]):
        exponent = m[4] or "0"
        _check_exponent(name, exponent)
        digits = Fraction(int(m[2] + m[3], 16)) * Fraction(2) ** (int(exponent) - 4 * len(m[3]))
        return -digits if m[1] == "-" else digits
    return None


def _check_exponent(name: str, exponent: str) -> None:
    if abs(int(exponent)) > _LARGEST_EXPONENT:
        raise ValueError(f"{name!r}: exponents go to {_LARGEST_EXPONENT}")
