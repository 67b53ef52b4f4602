"""The laws of casting, on random sources: what must hold whatever the format and the rounding."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from boundaries import DETERMINISTIC, ODD, SMALL, WIDE, Array, bits_of, has_arrays, label, result_dtype
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import fmtemu as fe
from fmtemu import LNS, Codebook, Float, Format, Int, Quantizer, Rounding, Stochastic
from fmtemu.formats.tapered import Tapered

FORMATS = (*SMALL, *WIDE, *ODD)
ROUNDINGS = (*DETERMINISTIC, Stochastic(), Stochastic(1, "A"), Stochastic(24, "B"), Stochastic(8, "equal"))
NEAREST = tuple(r for r in DETERMINISTIC if r.name.startswith("nearest"))
SIGN_SYMMETRIC = tuple(
    r for r in ROUNDINGS if r.name not in ("nearest_up", "nearest_down", "toward_positive", "toward_negative")
)

law = settings(max_examples=60, deadline=None, derandomize=True)
formats = st.sampled_from(FORMATS)
deterministic = st.sampled_from(DETERMINISTIC)
roundings = st.sampled_from(ROUNDINGS)
seeds = st.integers(0, 2**64 - 1)


@st.composite
def sources(draw: st.DrawFn, fmt: Format, **options: Any) -> Array:
    """float32 or float64 numbers, most of them where the format has its own."""
    width = draw(st.sampled_from([32, 64]))
    anywhere = st.floats(width=width, allow_nan=False, **options)  # type: ignore[arg-type]
    largest = float(np.float32(min(fmt.largest, Fraction(2) ** 120)))
    inside = st.floats(-largest, largest, width=width)  # type: ignore[arg-type]
    numbers = st.lists(st.one_of(inside, inside, anywhere), min_size=1, max_size=40)
    return np.array(draw(numbers), f"float{width}")


can_be_cast = cache(has_arrays)


def cast(x: Array, fmt: Format, rounding: Rounding, seed: int = 0, **options: Any) -> Array:
    assume(can_be_cast(fmt, rounding))
    if rounding.is_stochastic:
        assume(can_be_cast(fmt, rounding))
        options["seed"] = seed
    return fe.cast(x, fmt, rounding=rounding, dtype=result_dtype(fmt, x.dtype.name), **options)


def within(x: Array, fmt: Format) -> Array:
    """The numbers between the format's ends; zero too if it has one."""
    dtype = x.dtype
    x = x.astype(np.float64)
    kept = (x >= float(fmt.lowest)) & (x <= float(fmt.largest)) & (np.abs(x) >= float(fmt.smallest))
    return x[kept | ((x == 0) & fmt.has_zero)].astype(dtype)


@law
@given(st.data(), formats, roundings, seeds)
def test_idempotent(data: st.DataObject, fmt: Format, rounding: Rounding, seed: int) -> None:
    """Even jam; but not where it saturates: the lowest two's complement number is even."""
    x = data.draw(sources(fmt))
    if rounding.name == "jam" and isinstance(fmt, Int | fe.Fixed):
        x = x[x >= float(fmt.lowest)]
    once = cast(x, fmt, rounding, seed)
    assert np.array_equal(bits_of(cast(once, fmt, rounding, seed + 1 if seed < 9 else 0)), bits_of(once))


@law
@given(st.data(), formats, deterministic)
def test_monotone(data: st.DataObject, fmt: Format, rounding: Rounding) -> None:
    values = cast(np.sort(data.draw(sources(fmt))), fmt, rounding)
    values = values[~np.isnan(values)]  # of negative sources in e8m0
    assert (values[1:] >= values[:-1]).all()


def is_symmetric(fmt: Codebook) -> bool:
    """Whether all its numbers have an opposite; and zero, which counts as positive, is one of them."""
    return fmt.has_zero and [-entry for entry in reversed(fmt.entries)] == list(fmt.entries)


@law
@given(st.data(), formats, st.sampled_from(SIGN_SYMMETRIC), seeds)
def test_odd(data: st.DataObject, fmt: Format, rounding: Rounding, seed: int) -> None:
    """In formats that have the opposite of each number; jam is so in sign and magnitude only."""
    if fmt.lowest != -fmt.largest or (isinstance(fmt, Codebook) and not is_symmetric(fmt)):
        fmt = Float(4, 3, specials="fn")
    x = data.draw(sources(fmt))
    if rounding.name == "jam" and isinstance(fmt, Int):
        rounding = Rounding("to_odd")
    # A posit makes NaN of an infinity.
    assert np.array_equal(cast(-x, fmt, rounding, seed), -cast(x, fmt, rounding, seed), equal_nan=True)


@law
@given(st.data(), formats)
def test_directed_roundings_bracket(data: st.DataObject, fmt: Format) -> None:
    x = within(data.draw(sources(fmt)), fmt)
    down, up = (cast(x, fmt, Rounding(name)) for name in ("toward_negative", "toward_positive"))
    inward, outward = (cast(x, fmt, Rounding(name)) for name in ("toward_zero", "away_from_zero"))
    assert ((down <= x) & (x <= up)).all()
    if not isinstance(fmt, Codebook) or fmt.has_zero:  # else the neighbours may have different signs
        assert np.array_equal(inward, np.where(x > 0, down, up))
        assert np.array_equal(outward, np.where(x > 0, up, down))
    assert np.array_equal(down == up, cast(x, fmt, Rounding("nearest_even")) == x)


@law
@given(st.data(), formats, roundings, seeds)
def test_results_are_one_of_the_two_neighbours(data: st.DataObject, fmt: Format, rounding: Rounding, seed: int) -> None:
    x = within(data.draw(sources(fmt)), fmt)
    if rounding.name == "jam":
        return
    down, up = (cast(x, fmt, Rounding(name)) for name in ("toward_negative", "toward_positive"))
    values = cast(x, fmt, rounding, seed)
    assert ((values == down) | (values == up)).all()


def position(fmt: Format, magnitude: Fraction) -> Fraction:
    """Where a magnitude stands in the rounding coordinate, on which codes are whole numbers."""
    lower, upper, d = fmt.locate(magnitude)
    return lower + d * (upper - lower)


@law
@given(st.data(), formats.filter(lambda fmt: not isinstance(fmt, Codebook)), st.sampled_from(NEAREST))
def test_nearest_is_within_half_a_step(data: st.DataObject, fmt: Format, rounding: Rounding) -> None:
    x = within(data.draw(sources(fmt)), fmt)
    for source, value in zip(x.tolist(), cast(x, fmt, rounding).tolist(), strict=True):
        if source == 0:
            continue
        lower, upper, _ = fmt.locate(abs(Fraction(source)))
        distance = position(fmt, abs(Fraction(source))) - (position(fmt, abs(Fraction(value))) if value else 0)
        assert abs(distance) * 2 <= upper - lower


VALUE_NEAREST = tuple(f for f in FORMATS if f.bits <= 8 and not isinstance(f, Tapered | LNS))


@law
@given(st.data(), st.sampled_from(VALUE_NEAREST), st.sampled_from(NEAREST))
def test_nearest_beats_every_other_value(data: st.DataObject, fmt: Format, rounding: Rounding) -> None:
    values = np.array([float(v) for v in fmt.values()])
    x = within(data.draw(sources(fmt)), fmt)[:8].astype(np.float32).astype(np.float64)
    x = within(x, fmt)
    best = cast(x, fmt, rounding)
    for source, value in zip(x.tolist(), best.tolist(), strict=True):
        other = values[np.argmin(np.abs(values - source))]  # near enough to be compared exactly
        assert abs(Fraction(value) - Fraction(source)) <= abs(Fraction(float(other)) - Fraction(source))


@law
@given(st.data(), formats, roundings, seeds)
def test_cast_is_decode_of_encode(data: st.DataObject, fmt: Format, rounding: Rounding, seed: int) -> None:
    x = data.draw(sources(fmt))
    options = {"seed": seed} if rounding.is_stochastic else {}
    values = cast(x, fmt, rounding, seed)
    codes = fe.encode(x, fmt, rounding=rounding, **options)
    assert np.array_equal(bits_of(fe.decode(codes, fmt, dtype=values.dtype)), bits_of(values))


@cache
def canonical_codes(fmt: Format) -> list[int]:
    """Every code that encode can give; of wide formats a spread."""
    if fmt.bits > 12:
        last = (1 << fmt.bits) - 1
        codes = sorted({*range(512), *range(last - 511, last + 1), *range(0, last, last // 997)})
    else:
        codes = list(fmt.codes())
    return [c for c in codes if fmt.value(c) == fmt.value(c) or c == fmt.nan_code]


@pytest.mark.parametrize("fmt", FORMATS, ids=label)
def test_encode_of_decode_is_the_identity_on_codes(fmt: Format) -> None:
    codes = np.array(canonical_codes(fmt), np.min_scalar_type((1 << fmt.bits) - 1))
    with np.errstate(over="ignore"):
        values = fe.decode(codes, fmt)
    assert np.array_equal(fe.encode(values, fmt), codes)


@pytest.mark.parametrize("rounding", [r for r in ROUNDINGS if r.name != "jam"], ids=label)
def test_representable_numbers_never_move(rounding: Rounding) -> None:
    options = {"seed": 5} if rounding.is_stochastic else {}
    for fmt in filter(lambda fmt: can_be_cast(fmt, rounding), FORMATS):
        with np.errstate(over="ignore"):
            values = fe.decode(np.array(canonical_codes(fmt), np.min_scalar_type((1 << fmt.bits) - 1)), fmt)
        moved = fe.cast(values, Quantizer(fmt, rounding), **options)
        assert np.array_equal(bits_of(moved), bits_of(values)), fmt


@law
@given(st.data(), formats.filter(lambda fmt: not isinstance(fmt, Codebook)))
def test_jam_sets_the_last_bit(data: st.DataObject, fmt: Format) -> None:
    """Of the magnitude code, which counts against the raw code where exponents fall."""
    assume(not (isinstance(fmt, LNS) and fmt.exponent == "falling"))
    x = data.draw(sources(fmt))
    x = within(x, fmt)
    codes = fe.encode(x, fmt, rounding="jam", overflow="saturate")
    limit = np.isin(codes, [fmt.join(False, fmt.limits()[0]), fmt.join(True, max(fmt.limits()[1], 0))])
    zero = (x == 0) & (fmt.family in ("float", "posit", "takum", "lns"))
    assert ((codes % 2 == 1) | zero | limit).all()
