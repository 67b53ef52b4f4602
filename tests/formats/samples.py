"""The formats the laws are tested on, and which of their codes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction

from fmtemu.formats import LNS, Codebook, Fixed, Float, Format, Int, Posit, Takum
from fmtemu.formats.catalog import ENTRIES
from fmtemu.formats.minifloat import SPECIALS
from fmtemu.formats.tapered import Tapered

CATALOG = tuple(entry.format for entry in ENTRIES)

ODD = (
    Float(0, 3, bias=0, specials="none"),
    Float(0, 4, bias=-2, specials="fn", signed=False),
    Float(1, 3, specials="none"),
    Float(1, 3),
    Float(2, 0, specials="none"),
    Float(5, 0),
    Float(6, 0, specials="fnuz"),
    Float(4, 3, bias=20, specials="fn"),
    Float(4, 3, bias=-40, specials="none"),
    Float(4, 3, subnormals=False),
    Float(3, 4, specials="fnuz", subnormals=False),
    Float(2, 3, specials="none", subnormals=False),
    Float(4, 4, signed=False),
    Float(5, 3, specials="none", signed=False),
    Float(4, 4, specials="fn", signed=False, subnormals=False),
    Float(5, 2, specials="p3109"),
    Float(7, 0, specials="p3109"),
    Float(6, 2, specials="p3109", signed=False),
    Float(5, 3, specials="fnuz", signed=False),
    Float(3, 0, specials="e8m0", signed=False),
    Float(11, 52, specials="none", subnormals=False),
    Float(15, 48),
    Posit(2, 0),
    Posit(2, 3),
    Posit(3, 1),
    Posit(5, 3),
    Posit(6, 4),
    Posit(10, 1),
    Posit(12, 2),
    Posit(64, 3),
    Posit(8, 1, 1),
    Posit(7, 0, 3),
    Posit(8, 2, 3),
    Posit(8, 5, 4),
    Posit(10, 2, 8),
    Posit(64, 5, 6),
    *(Takum(bits) for bits in (*range(2, 8), 12, 13, 57, 58, 64)),
    *(Takum(bits, logarithmic=True) for bits in (2, 4, 6, 10, 56, 57, 64)),
    Fixed(-2, 8),
    Fixed(10, -3),
    Fixed(-3, 9, signed=False),
    Fixed(0, 4),
    Fixed(1, 1),
    Fixed(32, 32),
    LNS(2, 0),
    LNS(6, 2, specials="zero"),
    LNS(5, 1, specials="none"),
    LNS(1, 0, signed=False),
    LNS(6, 1, signed=False, exponent="rising"),
    LNS(5, 2, exponent="falling"),
    LNS(6, 0, step=2),
    LNS(7, 0, step=Fraction(3, 37)),
    LNS(4, 0, signed=False, specials="none", exponent="falling", step=Fraction(13, 37)),
    LNS(8, 3, coordinate="linear"),
    LNS(6, 1, signed=False, specials="none", coordinate="linear"),
    LNS(16, 5),
    LNS(64, 51),
    Int(1, signed=False),
    Int(2, symmetric=True),
    Int(8, symmetric=True),
    Int(64),
    Int(64, signed=False),
    Codebook((0.0, 3.0)),
    Codebook((1.0, 1.5, 3.0)),
    Codebook((-4.0, 0.75, 1.0, 1.5, 8.0)),
    Codebook((-1.7e308, 5e-324, 0.1)),
)


def small_floats(bits: int) -> Iterable[Float]:
    """Every floating-point format of at most ``bits`` bits, with its default bias."""
    for e, m in itertools.product(range(1, bits + 1), range(bits)):
        for specials, subnormals, signed in itertools.product(SPECIALS, (True, False), (True, False)):
            if signed + e + m > bits or (specials == "e8m0" and (signed or m)):
                continue
            with suppress(ValueError):  # refused: no finite number but zero
                yield Float(e, m, specials=specials, subnormals=subnormals, signed=signed)


ALL = tuple(dict.fromkeys((*CATALOG, *ODD, *small_floats(5))))
ENUMERABLE = tuple(f for f in ALL if f.bits <= 10)
FLOATS = tuple(f for f in ALL if isinstance(f, Float))
TAPERED = tuple(f for f in ALL if isinstance(f, Tapered))
IRRATIONAL = tuple(f for f in TAPERED if isinstance(f, Takum) and f.logarithmic)
LOGARITHMIC = tuple(f for f in ALL if isinstance(f, LNS) and f.coordinate == "log")
ROUNDED_IN_VALUE = tuple(f for f in ALL if not isinstance(f, Tapered) and f not in LOGARITHMIC)


def sample(candidates: range) -> list[int]:
    """All of a short range; both ends and an even spread of a long one."""
    length = candidates.stop - candidates.start  # len() ends at 2**63
    if length <= 1024:
        return list(candidates)
    ends = [*candidates[:40], *candidates[-40:]]
    return sorted({*ends, *candidates[:: length // 199]})


def magnitude_codes(fmt: Format, negative: bool = False) -> list[int]:
    """Magnitude codes of finite numbers of one sign, ascending; a sample for wide formats."""
    codes = sample(range(fmt.limits()[negative] + 1))
    if isinstance(fmt, Float) and not fmt.subnormals:
        unused = range(1, 1 << fmt.mantissa_bits)
        return [k for k in codes if k not in unused]
    return codes


def successor(fmt: Format, magnitude_code: int) -> int:
    """The next magnitude code in use; one further, but over the subnormals where there are none."""
    if magnitude_code == 0 and isinstance(fmt, Float) and fmt.has_zero and not fmt.subnormals:
        return 1 << fmt.mantissa_bits
    return magnitude_code + 1
