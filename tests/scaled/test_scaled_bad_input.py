"""What casts to formats with scales refuse, and what they say."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import fmtemu as fe

X = np.ones((4, 20), np.float32)

REFUSED: dict[str, tuple[type[Exception], str]] = {
    "fe.cast(X[0, 0], 'mxfp4')": (ValueError, "the tile's axis -1 is out of range for an array of shape ()"),
    "fe.cast(X, 'block<int4,8@2,float16>')": (
        ValueError,
        "the tile's axis 2 is out of range for an array of shape (4, 20)",
    ),
    "fe.cast(X, 'block<int4,8@1*4@-1,float16>')": (
        ValueError,
        "the tile names axis 1 of an array of shape (4, 20) twice",
    ),
    "fe.cast(X, 'block<int4,8,e4m3fn,outer=12>')": (ValueError, "an outer tile must hold whole tiles; along axis 1"),
    "fe.cast(X, 'block<int4,8,e4m3fn,outer=8@3>')": (ValueError, "the tile's axis 3 is out of range"),
    "fe.cast(X, 'mxfp4', scale=1.0)": (ValueError, "scale must have one number per tile of mxfp4"),
    "fe.cast(X, 'mxfp4 | stochastic')": (ValueError, "stochastic(16) rounding needs seed="),
    "fe.cast(X, 'mxfp4 | stochastic', seed=-1)": (ValueError, "seed must be 0 <= seed < 2**64, got -1"),
    "fe.cast(X, 'mxfp4 | stochastic', seed=1, offset=-1)": (ValueError, "offset must be 0.."),
    "fe.cast(X.astype(float), 'nvfp4')": (
        TypeError,
        "x holds numbers of 53 bits, which nvfp4 cannot round once; cast x to",
    ),
    "fe.cast(np.ones(8, np.int64), 'nvfp4', dtype='f4')": (TypeError, "x holds numbers of 63 bits"),
    "fe.cast(np.ones(8, np.int16), 'mxfp4')": (TypeError, "x is int16, which holds no fractions: give dtype=float32"),
    "fe.cast(X.astype(complex), 'mxfp4')": (
        TypeError,
        "x must hold floating-point numbers of at most float64, or integers",
    ),
    "fe.cast(X > 0, 'mxfp4', dtype='f4')": (TypeError, "or integers, got bool"),
    "fe.cast(X.tolist(), 'mxfp4')": (TypeError, "x must be a NumPy array"),
    "fe.cast(np.ma.array(X), 'mxfp4')": (TypeError, "x is a masked array"),
    "fe.cast(X, 'mxfp4', dtype='int8')": (TypeError, "dtype must be a floating-point dtype, got int8"),
    "fe.cast(X, 'mxfp4', out=np.zeros((4, 20), 'f2'))": (TypeError, "out must have dtype float32, got float16"),
    "fe.cast(X, 'mxfp4', out=np.zeros((4, 19), 'f4'))": (ValueError, "out must have the shape (4, 20), got (4, 19)"),
    "fe.cast(X, 'mxfp4', out=[0.0])": (TypeError, "out must be a NumPy array, got list"),
    "fe.cast(X, 'block<int16,8,float16,outer=tensor> | stochastic(30)', seed=1)": (
        ValueError,
        "cannot be decided exactly in arrays: under two levels of scales",
    ),
    "fe.cast(X, 'block<int16,8,float32,affine> | stochastic(30)', seed=1)": (
        ValueError,
        "cannot be decided exactly in arrays",
    ),
    "fe.cast(X, 'block<e4m3fn,8,e11m3>')": (ValueError, "float64 must hold its elements, its scales and the product"),
    "fe.cast(X, 'block<posit<32,6>,8,e8m0fnu>')": (ValueError, "float64 must hold its elements"),
    "fe.encode(X, 'mxfp4', out=np.zeros((4, 20), 'u1'))": (TypeError, "out is for formats without scales"),
    "fe.encode(X * np.nan, 'block<int8,8,float32>')": (ValueError, "has NaN, which int8 cannot encode"),
    "fe.encode(X * np.nan, 'block<int8,8,float32,affine>')": (ValueError, "x has NaN, which int8 cannot encode; say"),
    "fe.decode(fe.encode(X, 'mxfp4'), 'mxfp4')": (TypeError, "an Encoded knows its format: leave fmt out"),
    "fe.decode(np.zeros((4, 20), 'u1'), 'mxfp4')": (TypeError, "codes of mxfp4 need their scales: give the Encoded"),
    "fe.decode(fe.encode(X, 'mxfp4'), dtype='i1')": (TypeError, "dtype must be a floating-point dtype, got int8"),
    "fe.decode(fe.encode(X, 'mxfp4'), out=np.zeros((4, 19), 'f4'))": (ValueError, "out must have the shape (4, 20)"),
}


@pytest.mark.parametrize("call", REFUSED)
def test_what_is_refused(call: str) -> None:
    error, message = REFUSED[call]
    with pytest.raises(error, match=re.escape(message)), np.errstate(invalid="ignore"):
        eval(call)


def test_x_is_left_alone() -> None:
    x: Any = np.linspace(-3, 3, 80, dtype=np.float32).reshape(4, 20)
    kept = x.copy()
    for call in (fe.cast, fe.encode):
        call(x, "mxfp4")
        call(x, "nvfp4")
    np.testing.assert_array_equal(x, kept)
