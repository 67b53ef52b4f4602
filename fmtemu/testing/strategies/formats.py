"""Formats of every family, drawn field by field so that they shrink to small ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any, TypeVar

from hypothesis import assume, reject
from hypothesis import strategies as st

from fmtemu.formats import LNS, Codebook, Fixed, Float, Format, HiFloat8, Int, Posit, Takum, as_format
from fmtemu.formats.base import check_count
from fmtemu.formats.carrier import fits
from fmtemu.formats.lns import COORDINATES, EXPONENTS, LNS_SPECIALS
from fmtemu.formats.minifloat import SPECIALS
from fmtemu.testing.points import source_dtype
from fmtemu.testing.strategies.blocks import blocks

Made = TypeVar("Made")
Draw = st.DrawFn

#: How far a bias, or a fixed point, is moved at most.
_SHIFT = 40
_MOST_ENTRIES = 24
_STEPS = (Fraction(1), Fraction(1, 2), Fraction(2), Fraction(3), Fraction(1, 4), Fraction(3, 8))


def formats(family: str | None = None, *, max_bits: int = 16, source: str = "float64") -> st.SearchStrategy[Format]:
    """Formats of one of FAMILIES, or of all, whose codes have at most ``max_bits`` (2..64) bits and whose
    finite values floats of dtype ``source`` hold, as casts need it. They shrink to few bits, to standard
    specials and bias, and to plain integers. Raises ValueError for an unknown family, naming the known."""
    check_count("formats", "max_bits", max_bits, 2, 64)
    carrier = as_format(source_dtype(source))
    assert isinstance(carrier, Float)
    if family is not None and family not in FAMILIES:
        raise ValueError(f"formats: family must be one of {', '.join(FAMILIES)} or None (all), got {family!r}")
    chosen = FAMILIES if family is None else {family: FAMILIES[family]}
    found = st.one_of([strategy(max_bits, carrier) for strategy in chosen.values()])
    return found.filter(lambda fmt: fits(fmt, carrier))


def _integers(max_bits: int, carrier: Float) -> st.SearchStrategy[Int]:
    kinds = ((True, False), (False, False), (True, True))
    made = [Int(bits, *kind) for bits in range(2, max_bits + 1) for kind in kinds] + [Int(1, signed=False)]
    return st.sampled_from([fmt for fmt in made if fits(fmt, carrier)])


@st.composite
def _fixed(draw: Draw, max_bits: int, carrier: Float) -> Fixed:
    signed = draw(st.sampled_from((True, False)))
    bits = draw(st.integers(1 + signed, min(max_bits, carrier.precision + signed)))
    lowest, highest = max(-_SHIFT, bits - carrier.emax), min(_SHIFT, -carrier.lsb_exponent)
    frac_bits = draw(st.integers(0, min(bits, highest)) | st.integers(lowest, highest))
    return Fixed(bits - frac_bits, frac_bits, signed)


@st.composite
def _floats(draw: Draw, max_bits: int, carrier: Float) -> Float:
    signed = draw(st.sampled_from((True, False)))
    most = min(max_bits - signed, carrier.exponent_bits)
    exponent_bits = draw(st.sampled_from([*range(min(2, most), most + 1), *range(min(2, most))]))
    mantissa_bits = draw(st.integers(0, min(max_bits - signed - exponent_bits, carrier.mantissa_bits)))
    subnormals = draw(st.sampled_from((True, False)))
    bias = None if exponent_bits else 0
    made = [attempt(Float, exponent_bits, mantissa_bits, bias, name, subnormals, signed) for name in SPECIALS]
    fmt = draw(st.sampled_from([fmt for fmt in made if fmt is not None] or reject()))
    up, down = carrier.emax - fmt.emax, fmt.lsb_exponent - carrier.lsb_exponent
    assume(up >= 0 and down >= 0)
    shift = draw(st.just(0) | st.integers(-min(up, _SHIFT), min(down, _SHIFT)))
    return replace(fmt, bias=fmt.bias + shift)  # type: ignore[operator]  # set by Float


@st.composite
def _posits(draw: Draw, max_bits: int, carrier: Float) -> Posit:
    bits = draw(st.integers(2, min(max_bits, carrier.precision + 2)))
    runs = st.none() if bits < 4 else st.none() | st.integers(1, bits - 2)
    max_regime = draw(runs)
    room = carrier.emax // (max_regime or bits - 1)
    es = draw(st.integers(0, min(room.bit_length(), 16)))
    return Posit(bits, es, max_regime)


def _takums(max_bits: int, carrier: Float) -> st.SearchStrategy[Takum]:
    made = [Takum(bits, logarithmic) for logarithmic in (False, True) for bits in range(2, max_bits + 1)]
    return st.sampled_from([fmt for fmt in made if fits(fmt, carrier)])


@st.composite
def _logarithmic(draw: Draw, max_bits: int, carrier: Float) -> LNS:
    signed = draw(st.sampled_from((True, False)))
    is_wide = carrier.precision >= 24  # else powers of two only
    bits = draw(st.integers(1 + signed, max_bits if is_wide else min(max_bits, carrier.exponent_bits + signed)))
    coarsest = max(0, bits - signed - carrier.exponent_bits)
    finest = min(coarsest + 8, 22) if is_wide else 0
    frac_bits = draw(st.integers(min(coarsest, finest), finest))
    exponent = draw(st.sampled_from(list(EXPONENTS)))
    specials = draw(st.sampled_from([name for name in LNS_SPECIALS if signed or name != "nan"]))
    step = draw(st.sampled_from(_STEPS if is_wide else (Fraction(1),)))
    coordinate = draw(st.sampled_from(COORDINATES))
    return attempt(LNS, bits, frac_bits, signed, specials, exponent, step, coordinate) or reject()


def _hifloats(max_bits: int, carrier: Float) -> st.SearchStrategy[HiFloat8]:
    # Of just one there would be nothing to draw, and all formats would shrink to it.
    return st.sampled_from((HiFloat8(), HiFloat8())) if max_bits >= 8 else st.nothing()


@st.composite
def _codebooks(draw: Draw, max_bits: int, carrier: Float) -> Codebook:
    width: Any = carrier.bits
    numbers = st.one_of(
        st.integers(-8, 8).map(float),
        st.integers(-512, 512).map(lambda k: k / 64),
        st.floats(width=width, allow_nan=False, allow_infinity=False),
    )
    most = min(1 << max_bits, _MOST_ENTRIES)
    return Codebook(tuple(sorted(draw(st.lists(numbers, min_size=2, max_size=most, unique=True)))))


def _with_scales(max_bits: int, carrier: Float) -> st.SearchStrategy[Format]:
    plain = [strategy(max_bits, carrier) for family, strategy in FAMILIES.items() if family != "scaled"]
    return blocks(st.one_of(plain))


def attempt(make: Callable[..., Made], *arguments: Any) -> Made | None:
    """What ``make`` makes of its arguments, or None where it refuses them."""
    try:
        return make(*arguments)
    except ValueError:
        return None


#: Family -> the strategy of its formats, given the most bits and the float format that holds their values;
#: the simplest first.
FAMILIES: dict[str, Callable[[int, Float], st.SearchStrategy[Format]]] = {
    "int": _integers,
    "fixed": _fixed,
    "float": _floats,
    "posit": _posits,
    "takum": _takums,
    "lns": _logarithmic,
    "hifloat": _hifloats,
    "codebook": _codebooks,
    "scaled": _with_scales,
}
