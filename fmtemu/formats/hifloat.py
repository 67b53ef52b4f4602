"""HiFloat8: eight bits that spend more on the exponent the farther a number is from 1."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from fmtemu.formats.base import Format, Value, floor_log2

#: Exponent bits -> the dot field that says so: a prefix code. The rest, 0000, are the denormals.
_DOTS = {4: "11", 3: "10", 2: "01", 1: "001", 0: "0001"}
_DENORMAL = "0000"
_SIGN, _NAN, _INFINITY = 0x80, 0x80, 0x6F
#: Magnitude codes of zero and the seven denormals.
_DENORMALS = 8
_EMIN, _EMAX = -15, 15


def _exponent_bits(exponent: int) -> int:
    """Bits of an exponent's field: its sign and its magnitude without the leading one."""
    return min(abs(exponent).bit_length(), 4)


def _mantissa_bits(exponent: int) -> int:
    return 7 - len(_DOTS[_exponent_bits(exponent)]) - _exponent_bits(exponent)


#: The magnitude code of 2**exponent, from the least exponent on.
_FIRSTS = tuple(accumulate((1 << _mantissa_bits(e) for e in range(_EMIN, _EMAX)), initial=_DENORMALS))


@dataclass(frozen=True, repr=False)
class HiFloat8(Format):
    """Huawei's HiF8: sign, dot, exponent and mantissa, (1 + m) * 2**E with E from -15 to 15.

    The dot field, a prefix code, gives the exponent field 4, 3, 2, 1 or 0 bits and the mantissa the
    1, 2 or 3 that remain; E is in sign and magnitude, the magnitude's leading one left out. With the
    dot field 0000 the last three bits M stand for 2**(M - 23), and for zero where M is 0. There is no -0,
    its code is NaN; the largest magnitude, 1.5 * 2**15, is infinity. Rounding is in value. Luo et
    al., Ascend HiFloat8 Format for Deep Learning, arXiv:2409.16626, 2024.
    """

    family = "hifloat"

    @property
    def bits(self) -> int:
        return 8

    def value(self, code: int) -> Value:
        if code == _NAN:
            return math.nan
        if code & ~_SIGN == _INFINITY:
            return -math.inf if code & _SIGN else math.inf
        sign, dot, field, mantissa = self.split(code)
        if dot == _DENORMAL:
            magnitude = Fraction(2) ** (int(mantissa, 2) - 23) if int(mantissa, 2) else Fraction(0)
        else:
            exponent = int("1" + field[1:], 2) if field else 0
            exponent = -exponent if field.startswith("1") else exponent
            magnitude = (1 + Fraction(int(mantissa, 2), 1 << len(mantissa))) * Fraction(2) ** exponent
        return -magnitude if sign == "1" else magnitude

    def split(self, code: int) -> tuple[str, str, str, str]:
        """The bits of a code's sign, dot, exponent and mantissa."""
        bits = f"{code:08b}"
        width, dot = next(((w, dot) for w, dot in _DOTS.items() if bits.startswith(dot, 1)), (0, _DENORMAL))
        start = 1 + len(dot)
        return bits[0], dot, bits[start : start + width], bits[start + width :]

    # -- magnitude codes: 0, the denormals, and the binades one after the other ----------------
    def limits(self) -> tuple[int, int]:
        largest = _FIRSTS[-1]  # 2**15; the code after it is infinity's
        return largest, largest

    def magnitude(self, magnitude_code: int) -> Fraction:
        """The value of a magnitude code, read as a number even beyond the largest."""
        if magnitude_code < _DENORMALS:
            return Fraction(2) ** (magnitude_code - 23) if magnitude_code else Fraction(0)
        exponent, first = _binade(magnitude_code)
        bits = _mantissa_bits(exponent)
        return ((1 << bits) + magnitude_code - first) * Fraction(2) ** (exponent - bits)

    def locate(self, magnitude: Fraction) -> tuple[int, int, Fraction]:
        exponent = floor_log2(magnitude)
        if exponent < _EMIN - _DENORMALS + 1:  # below the smallest
            return 0, 1, magnitude / self.smallest
        step = magnitude / Fraction(2) ** exponent - 1
        if exponent < _EMIN:
            lower = exponent - _EMIN + _DENORMALS
            return lower, lower + 1, step
        position = _first(exponent) + step * (1 << _mantissa_bits(exponent))
        lower = position.numerator // position.denominator
        return lower, lower + 1, position - lower

    def join(self, negative: bool, magnitude_code: int) -> int:
        sign = _SIGN if negative and magnitude_code else 0
        if magnitude_code < _DENORMALS:
            return sign | magnitude_code
        exponent, first = _binade(magnitude_code)
        width, bits = _exponent_bits(exponent), _mantissa_bits(exponent)
        field = abs(exponent) ^ (1 << width >> 1)  # the leading one gives its place to the sign
        field |= (exponent < 0) << width >> 1
        return sign | int(_DOTS[width], 2) << (width + bits) | field << bits | (magnitude_code - first)

    def spelling(self) -> str:
        return "hif8"

    # -- facts -------------------------------------------------------------------------------
    @property
    def precision(self) -> int:
        return 4

    @property
    def lsb_exponent(self) -> int:
        return floor_log2(self.smallest)

    @property
    def nan_code(self) -> int:
        return _NAN

    @property
    def infinity_code(self) -> int:
        return _INFINITY

    @property
    def negative_infinity_code(self) -> int:
        return _SIGN | _INFINITY


def _first(exponent: int) -> int:
    """The magnitude code of 2**exponent; beyond the largest each binade has two."""
    if exponent > _EMAX:
        return _FIRSTS[-1] + ((exponent - _EMAX) << _mantissa_bits(_EMAX))
    return _FIRSTS[exponent - _EMIN]


def _binade(magnitude_code: int) -> tuple[int, int]:
    """The exponent of a number that is no denormal, and the magnitude code of its power of two."""
    beyond = max(magnitude_code - _FIRSTS[-1], 0) >> _mantissa_bits(_EMAX)
    exponent = bisect_right(_FIRSTS, magnitude_code) - 1 + _EMIN + beyond
    return exponent, _first(exponent)
