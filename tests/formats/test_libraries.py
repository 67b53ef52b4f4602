"""Formats equal the number types of NumPy and ml_dtypes: every fact and every code."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from samples import sample

from fmtemu import Float, Int, as_format

FLOATS = ("float16", "float32", "float64", *(n for n in dir(ml_dtypes) if "float" in n))
INTEGERS = ("int2", "uint2", "int4", "uint4", "int8", "uint8", "int16", "uint16", "int32", "int64", "uint64")


def dtype(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name, name))


def same(ours: object, theirs: float) -> bool:
    """Equal numbers, infinities and zeros of one sign, or NaN both."""
    given = float(ours)  # type: ignore[arg-type] # exact: no format here is wider than float64
    if math.isnan(theirs):
        return math.isnan(given)
    return given == theirs and math.copysign(1, given) == math.copysign(1, theirs)


@pytest.mark.parametrize("name", FLOATS)
def test_floats_have_the_facts_of_finfo(name: str) -> None:
    fmt, info = as_format(name), ml_dtypes.finfo(dtype(name))
    assert isinstance(fmt, Float)
    assert fmt.bits == info.bits or info.bits == 8  # types below a byte are stored in one
    assert fmt.largest == float(info.max)
    assert fmt.smallest_normal == float(info.smallest_normal)
    assert fmt.emin == info.minexp
    assert (fmt.exponent_bits, fmt.mantissa_bits) == (info.iexp, info.nmant)
    if fmt.has_zero:
        assert fmt.lowest == float(info.min)
        assert fmt.smallest_subnormal == float(info.smallest_subnormal)
        assert fmt.eps == float(info.eps)


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_have_the_facts_of_iinfo(name: str) -> None:
    fmt, info = as_format(name), ml_dtypes.iinfo(dtype(name))
    assert isinstance(fmt, Int)
    assert (fmt.lowest, fmt.largest) == (int(info.min), int(info.max))
    assert fmt.signed == (info.kind == "i")


@pytest.mark.parametrize("name", [*FLOATS, *INTEGERS])
def test_codes_read_as_the_library_reads_them(name: str) -> None:
    fmt, bits = as_format(name), as_format(name).bits
    codes = list(range(1 << bits)) if bits <= 8 else sample(range(1 << bits))
    if isinstance(fmt, Float):
        for special in (fmt.infinity_code, fmt.negative_infinity_code, fmt.nan_code):
            codes += [] if special is None else [special]
    carrier = np.array(codes, dtype=f"uint{8 * dtype(name).itemsize}")
    theirs = carrier.view(dtype(name))
    if isinstance(fmt, Int):
        assert [fmt.value(code) for code in codes] == [int(v) for v in theirs]
    else:
        with np.errstate(invalid="ignore"):  # signalling NaNs
            wide = theirs.astype(np.float64)
        assert not [c for c, v in zip(codes, wide, strict=True) if not same(fmt.value(c), v)]


@pytest.mark.parametrize("name", ["float16", "float32", "float64", "bfloat16"])
def test_nan_code_is_the_quiet_nan_of_the_carrier(name: str) -> None:
    nan = np.array(np.nan, dtype=dtype(name))
    assert as_format(name).nan_code == int(nan.view(f"uint{8 * nan.itemsize}"))
