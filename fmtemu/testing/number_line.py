"""Where rounding decides: a format's values and the numbers between them, continued past its largest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from fmtemu.formats import LNS, Codebook, Float, Format, HiFloat8, Scaled
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.tapered import Tapered

_HALF = Fraction(1, 2)
#: How many codes past the largest are of interest where the grid goes on.
BEYOND = 4


def successor(fmt: Format, magnitude_code: int) -> int:
    """The next magnitude code in use: one further, but over the subnormals of a format without them."""
    if magnitude_code == 0 and isinstance(fmt, Float) and fmt.has_zero and not fmt.subnormals:
        return 1 << fmt.mantissa_bits
    return magnitude_code + 1


def magnitude(fmt: Format, magnitude_code: int) -> Fraction:
    """The value of a magnitude code; by the same rule beyond the last one, where the format has a rule."""
    if isinstance(fmt, FixedPoint):
        return magnitude_code / Fraction(2) ** fmt.fraction
    if isinstance(fmt, Float | LNS | HiFloat8):
        return fmt.magnitude(magnitude_code)
    return abs(Fraction(fmt.value(fmt.join(False, magnitude_code))))


def magnitude_at(fmt: Format, magnitude_code: int, d: Fraction) -> Fraction:
    """The magnitude at position d (a multiple of a power of two below 1) after a magnitude code, in the
    format's rounding coordinate; an irrational one to 150 bits."""
    if isinstance(fmt, Tapered):
        deeper = d.denominator.bit_length() - 1  # the code of a format of so many bits more
        longer = replace(fmt, bits=fmt.bits + deeper)  # type: ignore[call-arg]
        return longer.magnitude((magnitude_code << deeper) + d.numerator)
    if isinstance(fmt, LNS) and fmt.coordinate == "log":
        return fmt.power((fmt.least_exponent + magnitude_code + d) * fmt.log_step, 150)
    low = magnitude(fmt, magnitude_code)
    return low + d * (magnitude(fmt, successor(fmt, magnitude_code)) - low)


def magnitude_codes(fmt: Format, most: int = 1 << 16) -> Iterable[int]:
    """The magnitude codes of finite numbers, ascending: all if there are at most ``most``, else both
    ends, the powers of two and an even spread."""
    last = max(fmt.limits())
    first = 1 << fmt.mantissa_bits if isinstance(fmt, Float) and fmt.has_zero and not fmt.subnormals else 1
    if last < most:
        return [0, *range(first, last + 1)]
    ends = [*range(most // 8), *range(last - most // 8, last + 1)]
    powers = [(1 << k) + j for k in range(last.bit_length()) for j in (-1, 0, 1)]
    spread = [last * k // (most // 2) + k % 3 for k in range(most // 2)]
    return sorted({code for code in (*ends, *powers, *spread) if code == 0 or first <= code <= last})


def decision_magnitudes(fmt: Format, most: int = 1 << 16) -> tuple[list[Fraction], list[Fraction]]:
    """The values and the middles between neighbours in the rounding coordinate, as magnitudes; the
    grid's first places past the largest value too, where it goes on."""
    if isinstance(fmt, Scaled):
        fmt = fmt.element
    if isinstance(fmt, Codebook):
        entries = fmt.values()
        return [abs(x) for x in entries], [abs(low + high) / 2 for low, high in pairwise(entries)]
    last, tapered = max(fmt.limits()), isinstance(fmt, Tapered)
    codes = [*magnitude_codes(fmt, most)]
    codes += [] if tapered else range(last + 1, last + 1 + BEYOND)
    values = [magnitude(fmt, code) for code in codes]
    if fmt.is_carrier_rounded:
        values += [Fraction(fmt.value_in(fmt.join(False, min(code, last)), 24)) for code in codes]
    inner = [code for code in codes if not (tapered and code in (0, last))]
    return [abs(v) for v in values], [magnitude_at(fmt, code, _HALF) for code in inner]
