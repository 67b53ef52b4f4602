"""Kernels that go by bounds of the logarithm: these hold, what is decided is exact, and little is left open."""

from __future__ import annotations

from collections import namedtuple
from fractions import Fraction
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from boundaries import (
    Array,
    bits_of,
    exact_value,
    label,
    points,
    possible_edges,
    remembering,
    stochastic_points,
)

import fmtemu as fe
from fmtemu import LNS, Format, Quantizer, Rounding, Stochastic, Takum, exact
from fmtemu.backends.numba import enclosed as loops
from fmtemu.backends.numba import routes
from fmtemu.formats.logarithm import floor_exp2, floor_log2
from fmtemu.kernels.bind import bind
from fmtemu.kernels.bits import layout
from fmtemu.kernels.enclosed import ENCLOSED
from fmtemu.kernels.enclosed_grid import enclosed_grid
from fmtemu.kernels.enclosed_single import SINGLES
from fmtemu.kernels.enclosed_single_grid import single_grid
from fmtemu.kernels.exp2 import rounded_exp2
from fmtemu.kernels.log2 import CELL_BITS, LOG2_ERROR, PLACES
from fmtemu.kernels.plan import FIELDS, make_plan
from fmtemu.random import random_bits

FORMATS = (
    LNS(8, 3),
    LNS(16, 10),
    LNS(32, 23),
    LNS(60, 50),
    LNS(6, 0, step=2),
    LNS(9, 0, step=Fraction(5, 3)),
    LNS(7, 4, specials="none"),
    LNS(5, 0, signed=False),
    LNS(6, 0, signed=False, specials="none", exponent="falling", step=Fraction(13, 37)),
    Takum(3, logarithmic=True),
    Takum(9, logarithmic=True),
    Takum(16, logarithmic=True),
    Takum(32, logarithmic=True),
)
ROUNDINGS = (Rounding("nearest_even"), Rounding("toward_negative"), Rounding("jam"), Stochastic(8, "A"), Stochastic(30))


@cache
def numpy_kernels(mode: str, bits: int = 64) -> dict[str, Any]:
    """The kernels bound to NumPy arrays of float64 words, or of float32 words."""
    if bits == 32:
        return bind({}, rounding=mode)
    operations: dict[str, Any] = {name: np.int64(value) for name, value in layout(64).items()}
    operations["to_float"] = lambda x: np.asarray(x).astype(np.float64)
    operations["from_bits"] = lambda x: np.asarray(x, np.int64).view(np.float64)
    operations["to_bits"] = lambda x: np.asarray(x, np.float64).view(np.int64)
    return bind(operations, rounding=mode)


def fields(quantizer: Quantizer) -> Any:
    plan = make_plan(quantizer, 64, to_codes=True)
    names = FIELDS[plan.family]
    return plan.family, namedtuple("Fields", names)(*map(np.int64, plan.values), np.array(plan.table))


def single_fields(quantizer: Quantizer) -> Any:
    plan = make_plan(quantizer, 32, to_codes=True)
    if plan.quick not in SINGLES:
        return None, None
    return plan.quick, namedtuple("Fields", FIELDS[plan.quick])(*map(np.int32, plan.quick_values))


def mantissas() -> Array:
    """Both ends of every cell, those next to powers of two, and a spread."""
    first = np.arange(1 << CELL_BITS) << (52 - CELL_BITS)
    last = first + (1 << (52 - CELL_BITS)) - 1
    bit, spread = 1 << np.arange(52), np.random.default_rng(3).integers(0, 1 << 52, 1000)
    return np.concatenate([first, last, bit, (1 << 52) - bit, spread])


def test_logarithms_are_as_near_as_said() -> None:
    fraction = mantissas()
    _, p = fields(Quantizer(LNS(60, 50)))
    ours = numpy_kernels("any")["log2_mantissa"](fraction, p)
    for number, bits in zip(fraction.tolist(), ours.tolist(), strict=True):
        x = 1 + Fraction(number, 1 << 52)
        true = 0 if number == 0 else floor_log2(x, Fraction(1 << 63)) + Fraction(1, 2)
        assert abs(bits - true) <= (LOG2_ERROR - Fraction(1, 2)) * (number > 0)


def test_logarithms_in_float64_are_as_near_as_said() -> None:
    fraction = mantissas()
    exponent = np.random.default_rng(4).integers(1, 2047, fraction.size)
    _, p = fields(Quantizer(LNS(8, 3), Stochastic(8)))
    ours = numpy_kernels("any")["float_log2"]((exponent << 52) | fraction, p)
    for number, e, log in zip(fraction.tolist(), exponent.tolist(), ours.tolist(), strict=True):
        if number:
            true = e - 1023 + Fraction(floor_log2(1 + Fraction(number, 1 << 52), Fraction(1 << 80)), 1 << 80)
            assert abs(Fraction(log) - true) < Fraction(1, 1 << 45) + abs(true) / (1 << 51)


def test_logarithms_in_float32_are_as_near_as_said() -> None:
    """Of every significand; those in float64 that they are compared with are off by far less."""
    _, p = single_fields(Quantizer(LNS(8, 3), Stochastic(8)))
    bits = np.arange(1 << 23, dtype=np.int32) + np.int32(127 << 23)
    exponent, log2 = numpy_kernels("any", 32)["single_log2"](bits, p)
    true = np.log2(bits.view(np.float32), dtype=np.float64) - exponent
    assert log2.dtype == np.float32
    assert np.abs(log2 - true).max() < 1.59 * 2**-24


@pytest.mark.parametrize("fmt", [f for f in FORMATS if isinstance(f, LNS)], ids=label)
def test_scaled_logarithms_are_as_near_as_said(fmt: LNS) -> None:
    """Of powers of two they are exact, or compare with all shorter numbers as if they were."""
    fraction = mantissas()[::11]
    exponent = np.random.default_rng(5).integers(1, 2047, fraction.size)
    _, p = fields(Quantizer(fmt, Stochastic(8)))
    wholes, parts = numpy_kernels("any")["scaled_log2"]((exponent << 52) | fraction, p)
    found = zip(fraction.tolist(), exponent.tolist(), wholes.tolist(), parts.tolist(), strict=True)
    for number, e, whole, part in found:
        ours, rate = whole + Fraction(part, 1 << PLACES), 1 / fmt.log_step
        if number == 0:
            true = (e - 1023) * rate
            assert ours == true or (abs(ours - true) < Fraction(1, 1 << PLACES) and part % 2 == 1)
        else:
            log = Fraction(floor_log2(1 + Fraction(number, 1 << 52), Fraction(1 << 120)), 1 << 120)
            assert abs(ours - (e - 1023 + log) * rate) <= Fraction(int(p.error), 1 << PLACES)


@pytest.mark.parametrize("rounding", ROUNDINGS, ids=label)
@pytest.mark.parametrize("fmt", FORMATS, ids=label)
def test_what_is_not_left_open_is_exact(fmt: Format, rounding: Rounding) -> None:
    """By both kernels, on NumPy."""
    quantizer = Quantizer(fmt, rounding)
    if not is_by_bounds(quantizer):
        pytest.skip("other kernels round it so")
    if isinstance(rounding, Stochastic):
        random = random_bits(5, (), 0, 80, rounding.bits).astype(np.int64)
        x = np.concatenate([stochastic_points(fmt, "float64", rounding, random)[:60], points(fmt, "float64")[:20]])
    else:
        x = points(fmt, "float64")[:80]
        random = np.zeros(x.size, np.int64)
    family, p = fields(quantizer)
    bound = numpy_kernels("stochastic" if rounding.is_stochastic else "any")
    with np.errstate(all="ignore"):
        quick, quick_open = bound[f"quick_{family}"](x.view(np.int64), random, p)
        full, full_open = bound[f"encode_{family}"](x.view(np.int64), random, p)
    for i, number in enumerate(x.tolist()):
        code = exact.encode(exact_value(number), quantizer, int(random[i]))
        signed = None if code is None else code - (code >> 63 << 64)
        assert quick_open[i] or quick[i] == signed
        assert full_open[i] or full[i] == (signed or 0)
        assert quick_open[i] or np.isfinite(number)


SINGLE_ROUNDINGS = (*ROUNDINGS, Rounding("nearest_zero"), Rounding("to_odd"), Stochastic(16), Stochastic(5, "equal"))


@pytest.mark.parametrize("rounding", SINGLE_ROUNDINGS, ids=label)
@pytest.mark.parametrize("fmt", FORMATS, ids=label)
def test_what_is_not_left_open_in_float32_is_exact(fmt: Format, rounding: Rounding) -> None:
    quantizer = Quantizer(fmt, rounding)
    family, p = single_fields(quantizer)
    if family is None:
        pytest.skip("no kernel for float32 serves it so")
    x = points(fmt, "float32")[:120]
    random = np.zeros(x.size, np.int32)
    if isinstance(rounding, Stochastic):
        random = random_bits(5, (), 0, 200, rounding.bits).astype(np.int32)
        x = np.concatenate([stochastic_points(fmt, "float32", rounding, random)[:120], x[:80]])
        random = random[: x.size]
    mode = "stochastic" if rounding.is_stochastic else "nearest_even" if rounding.name.startswith("nearest") else "any"
    with np.errstate(all="ignore"):
        codes, is_open = numpy_kernels(mode, 32)[f"quick_{family}"](x.view(np.int32), random, p)
    assert not is_open.all()
    for i in np.flatnonzero(~is_open):
        assert codes[i] == exact.encode(exact_value(float(x[i])), quantizer, int(random[i]))


@pytest.mark.parametrize("spec", ["lns8", "lns16", "takumlog8", "takumlog16"])
def test_float32_leaves_little_open(spec: str) -> None:
    x = np.random.default_rng(0).normal(size=20_000).astype(np.float32)
    quantizer = fe.as_quantizer(spec, rounding=Stochastic(16))
    family, p = single_fields(quantizer)
    random = random_bits(5, (), 0, x.size, 16).astype(np.int32)
    _, is_open = numpy_kernels("stochastic", 32)[f"quick_{family}"](x.view(np.int32), random, p)
    assert is_open.mean() < 0.01


def is_by_bounds(quantizer: Quantizer) -> bool:
    return make_plan(quantizer, 64, to_codes=True).family in ENCLOSED


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The numbers that the definition was asked for."""
    asked: list[float] = []
    define = loops.EnclosedLoop._define

    def asking(self: Any, number: float, random: int) -> int:
        asked.append(number)
        return define(self, number, random)

    monkeypatch.setattr(loops.EnclosedLoop, "_define", asking)
    return asked


#: Which part of sources may be left open.
LEFT_OPEN = {"lns8": 0, "lns16": 0, "takumlog8": 0, "takumlog16": 0, "lns32": 0, "lns<60,50>": 0.005}


@pytest.mark.parametrize("spec", LEFT_OPEN)
def test_little_is_left_open(spec: str, opened: list[float]) -> None:
    x = np.random.default_rng(0).normal(size=20_000)
    fe.encode(x, f"{spec} | stochastic(30)", seed=1)
    assert len(opened) <= LEFT_OPEN[spec] * x.size


@pytest.mark.parametrize("spec", ["lns8", "lns16", "takumlog16", "takumlog<9>", "lns<6,0,step=2>", "lns32"])
def test_powers_of_two_and_zeros_are_decided(spec: str, opened: list[float]) -> None:
    x = np.concatenate([np.ldexp(1.0, np.arange(-1070, 1023)), [0.0, -0.0, np.inf, -np.inf, np.nan]])
    fe.encode(np.concatenate([x, -x]), f"{spec} | stochastic(8)", seed=1)
    assert not opened


@pytest.mark.parametrize(("spec", "share"), [("lns8", 0), ("lns16", 0.01), ("takumlog16", 0.2), ("lns<60,50>", 0.1)])
def test_values_do_not_move_and_few_are_left_open(spec: str, share: float, opened: list[float]) -> None:
    """A value is left open where its float64 is half a last place off, within the bounds, and another may be nearer."""
    fmt = fe.as_format(spec)
    codes = np.random.default_rng(1).integers(1, fmt.limits()[0], 5000).astype(np.uint64)
    x = fe.decode(codes, fmt, dtype=np.float64)
    assert np.array_equal(fe.encode(x, f"{spec} | stochastic(30)", seed=1), codes)
    assert len(opened) <= share * x.size


@pytest.mark.parametrize("precision", [24, 53])
def test_powers_are_rounded_correctly_or_left_open(precision: int) -> None:
    """Next to the ends of cells and anywhere."""
    ends = np.arange(0, 1 << 63, 1 << 57, dtype=np.uint64).astype(np.int64)
    fraction = np.concatenate(
        [ends, ends + 1, ends + (1 << 57) - 1, np.random.default_rng(6).integers(0, 1 << 63, 800)]
    )
    powers, is_open = rounded_exp2(fraction, 1, precision)
    for number, power, unknown in zip(fraction.tolist(), powers.tolist(), is_open.tolist(), strict=True):
        doubled = floor_exp2(Fraction(number, 1 << 63) + precision)
        assert unknown or Fraction(power) == Fraction((doubled + 1) >> 1, 1 << (precision - 1))
    assert is_open.mean() < 0.02


@pytest.mark.parametrize("spec", ["lns8", "takumlog8", "lns<6,2,linear>"])
@pytest.mark.parametrize("source", ["float16", ">f4", "bfloat16", "int16", "uint64"])
def test_any_source(source: str, spec: str) -> None:
    dtype = np.dtype(ml_dtypes.bfloat16) if source == "bfloat16" else np.dtype(source)
    x = np.random.default_rng(8).uniform(0, 40, 30).astype(dtype)
    quantizer = fe.as_quantizer(f"{spec} | stochastic(4)")
    random = random_bits(4, (), 0, x.size, 4).tolist()
    truth = [exact.encode(Fraction(float(v)), quantizer, r) for v, r in zip(x, random, strict=True)]
    assert fe.encode(x, quantizer, seed=4).tolist() == truth
    values = [float(quantizer.format.value(code or 0)) for code in truth]
    assert fe.cast(x, quantizer, seed=4, dtype=np.float64).tolist() == values


EDGED = (LNS(5, 1), LNS(5, 1, signed=False), LNS(4, 1, coordinate="linear"), Takum(6, logarithmic=True))


@pytest.mark.parametrize("fmt", EDGED, ids=label)
def test_edges_of_stochastic_roundings(fmt: Format) -> None:
    """All that the format can have, on float32."""
    rounding = Stochastic(3, "B")
    x = points(fmt, "float32")[:150]
    random = random_bits(4, (2,), 30, x.size, rounding.bits).tolist()
    oracle = remembering(fmt)
    for edges in possible_edges(fmt, rounding):
        quantizer, slow = Quantizer(fmt, rounding, edges), Quantizer(oracle, rounding, edges)
        truth = [exact.encode(exact_value(v), slow, r) for v, r in zip(x.tolist(), random, strict=True)]
        known = np.array([code is not None for code in truth])
        codes = fe.encode(np.where(known, x, 1), quantizer, seed=4, stream=(2,), offset=30)
        assert codes[known].tolist() == [code for code in truth if code is not None]
        values = fe.cast(x, quantizer, seed=4, stream=(2,), offset=30, dtype=np.float64)
        assert np.array_equal(bits_of(values[known]), bits_of(fe.decode(codes[known], fmt, dtype=np.float64)))
        assert np.isnan(values[~known]).all()


@pytest.mark.parametrize("source", ["float32", "float64"])
def test_many_left_open_are_decided_by_the_definition(
    source: str, opened: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With bounds as wide as a code's half, on several pieces of an array and any offset."""
    quantizer = fe.as_quantizer("lns8 | stochastic(3)")
    x = np.random.default_rng(2).normal(size=300).astype(source)
    random = random_bits(9, (), 77, x.size, 3).tolist()
    expected = [exact.encode(Fraction(number), quantizer, r) for number, r in zip(x.tolist(), random, strict=True)]
    family, grid, table = enclosed_grid(quantizer.format, quantizer.rounding)
    single, own = single_grid(quantizer.format, quantizer.rounding) or ("", {})
    wide = {**grid, "reach": 1 << (grid["deep"] - 1), "error": 1 << (PLACES - 2)}
    routes.encode_route.cache_clear()
    monkeypatch.setattr("fmtemu.kernels.plan.enclosed_grid", lambda fmt, rounding: (family, wide, table))
    wide_single = {**own, "reach": 1 << (own["deep"] - 1)}
    monkeypatch.setattr("fmtemu.kernels.plan.single_grid", lambda fmt, rounding: (single, wide_single))
    monkeypatch.setattr(loops, "PIECE", 64)
    monkeypatch.setattr(loops, "SINGLE_PIECE", 64)
    try:
        assert fe.encode(x, quantizer, seed=9, offset=77).tolist() == expected
        assert len(opened) > 100
    finally:
        routes.encode_route.cache_clear()
