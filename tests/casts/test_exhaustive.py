"""All inputs of a source against a search in a table of exact.py's decisions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import ml_dtypes
import numpy as np
import pytest
from boundaries import DETERMINISTIC, SMALL, Array, bits_of, exact_value, has_arrays, label, remembering

import fmtemu as fe
from fmtemu import Format, Quantizer, Rounding, exact
from fmtemu.formats.carrier import fits

SLOW = pytest.mark.slow
IN_FLOAT32 = tuple(fmt for fmt in SMALL if fits(fmt, fe.as_format("float32")))


class Steps(NamedTuple):
    """A monotone function of a source's bits: ``codes[i]`` from ``starts[i]`` on."""

    starts: Array
    codes: Array

    def __call__(self, bits: Array) -> Array:
        return self.codes[np.searchsorted(self.starts, bits, side="right") - 1]


def steps(quantizer: Quantizer, first: int, last: int, dtype: np.dtype[np.floating]) -> Steps:
    """exact.encode of the floats with the bits first .. last, all of one sign and numbers."""
    word = np.dtype(f"u{dtype.itemsize}")

    @cache
    def code(bits: int) -> int:
        found = exact.encode(exact_value(float(np.array(bits, word).view(dtype))), quantizer)
        assert found is not None
        return found

    def changes(low: int, high: int) -> Iterator[int]:
        """The bits in (low, high] whose code is not that of the float before."""
        if code(low) == code(high):
            return
        if high - low == 1:
            yield high
            return
        middle = (low + high) // 2
        yield from changes(low, middle)
        yield from changes(middle, high)

    starts = [first, *changes(first, last)]
    return Steps(np.array(starts, word), np.array([code(start) for start in starts], np.uint64))


class Table(NamedTuple):
    """The codes of every float of a dtype: numbers of both signs by steps, NaN of both signs."""

    positive: Steps
    negative: Steps
    nan: tuple[int, int]
    infinity: int
    sign: int

    def __call__(self, bits: Array) -> Array:
        codes = np.where(bits < self.sign, self.positive(bits), self.negative(bits))
        nan = (bits & (self.sign - 1)) > self.infinity
        return np.where(nan, np.where(bits < self.sign, *self.nan), codes)


def table(quantizer: Quantizer, source: str) -> Table:
    dtype: np.dtype[np.floating] = np.dtype(source)
    oracle = Quantizer(remembering(quantizer.format), quantizer.rounding, quantizer.edges)
    infinity, sign = int(bits_of(np.array([np.inf], dtype))[0]), 1 << (8 * dtype.itemsize - 1)
    nan = exact.encode(float("nan"), oracle), exact.encode(-float("nan"), oracle)
    return Table(
        steps(oracle, 0, infinity, dtype),
        steps(oracle, sign, sign + infinity, dtype),
        (nan[0] or 0, nan[1] or 0),
        infinity,
        sign,
    )


def assert_all_equal(x: Array, quantizer: Quantizer, truth: Table) -> None:
    fmt = quantizer.format
    if quantizer.outcomes.nan is None:
        x = x[~np.isnan(x)]
    codes = fe.encode(x, quantizer)
    wrong = np.flatnonzero(codes != truth(bits_of(x)))[:5]
    assert not [(float(x[i]).hex(), int(codes[i])) for i in wrong]
    values = fe.cast(x, quantizer, dtype=np.float32)
    assert np.array_equal(bits_of(values), bits_of(fe.decode(codes, fmt, dtype=np.float32)))


def turning(formats: tuple[Format, ...], count: int) -> Iterator[object]:
    """Each format with every rounding, all but ``count`` of them slow."""
    for i, fmt in enumerate(formats):
        for j, rounding in enumerate(DETERMINISTIC):
            if not has_arrays(fmt, rounding):
                continue
            chosen = (j - 5 * i) % len(DETERMINISTIC) < count
            yield pytest.param(fmt, rounding, id=f"{label(fmt)}-{label(rounding)}", marks=() if chosen else SLOW)


@pytest.mark.parametrize(("fmt", "rounding"), list(turning(IN_FLOAT32, 1)))
def test_every_float16_by_table(fmt: Format, rounding: Rounding) -> None:
    quantizer = Quantizer(fmt, rounding)
    x = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    assert_all_equal(x, quantizer, table(quantizer, "float16"))


@pytest.mark.parametrize(("fmt", "rounding"), list(turning(IN_FLOAT32[::2], 1)))
def test_every_bfloat16(fmt: Format, rounding: Rounding) -> None:
    """bfloat16 arrays, and the same numbers as float32, by the decisions on float32."""
    quantizer = Quantizer(fmt, rounding)
    x = (np.arange(1 << 16, dtype=np.uint32) << 16).view(np.float32)
    truth = table(quantizer, "float32")
    with np.errstate(invalid="ignore"):  # signalling NaN
        assert_all_equal(x, quantizer, truth)
        native = np.arange(1 << 16, dtype=np.uint16).view(ml_dtypes.bfloat16)
        number = ~np.isnan(x)
        assert np.array_equal(fe.encode(native[number], quantizer), truth(bits_of(x[number])))


def test_the_table_is_the_definition() -> None:
    """The search above against exact.py itself, here and there."""
    for spec in ("e4m3fn | nearest_away", "posit8 | toward_negative", "int4 | saturate"):
        quantizer = fe.as_quantizer(spec)
        truth = table(quantizer, "float32")
        x = np.random.default_rng(1).integers(0, 1 << 32, 300, dtype=np.uint32).view(np.float32)
        x = x[~np.isnan(x)]
        assert truth(bits_of(x)).tolist() == [exact.encode(exact_value(float(v)), quantizer) for v in x]


@SLOW
@pytest.mark.parametrize("spec", ["e4m3fn", "posit8", "e5m2 | toward_negative", "int8 | to_odd | nan=zero"])
def test_every_float32(spec: str) -> None:
    quantizer, part = fe.as_quantizer(spec), 1 << 24
    truth = table(quantizer, "float32")
    for low, high in pairwise(range(0, (1 << 32) + 1, part)):
        x = np.arange(low, high, dtype=np.int64).astype(np.uint32).view(np.float32)
        codes = fe.encode(x, quantizer)
        assert np.array_equal(codes, truth(bits_of(x)).astype(codes.dtype)), f"between bits {low:#x} and {high:#x}"
        values = fe.cast(x, quantizer)
        assert np.array_equal(bits_of(values), bits_of(fe.decode(codes, quantizer)))
