"""Small logarithmic formats that no kernel computes: their tables equal the definition."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from boundaries import DETERMINISTIC

import fmtemu as fe
from fmtemu import exact
from fmtemu.kernels.tabulated import is_tabulated
from fmtemu.rounding import Rounding

FORMATS = (
    fe.LNS(5, 2, coordinate="linear"),
    fe.LNS(4, 1, coordinate="linear", specials="zero"),
    fe.LNS(4, 0, signed=False, coordinate="linear", exponent="rising"),
    fe.LNS(5, 1, step=Fraction(3, 2)),
    fe.LNS(3, 2, signed=False, specials="none", exponent="falling", step=Fraction(5, 3)),
    fe.Takum(5, logarithmic=True),
)


@pytest.mark.parametrize("rounding", DETERMINISTIC, ids=str)
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_codes_and_values_equal_the_definition(fmt: fe.Format, rounding: Rounding) -> None:
    """On values, their means and geometric means, and the float64 next to these."""
    quantizer = fe.Quantizer(fmt, rounding)
    values = np.array([float(value) for value in fmt.values()])
    means = (values[1:] + values[:-1]) / 2
    roots = np.copysign(np.sqrt(np.abs(values[1:])) * np.sqrt(np.abs(values[:-1])), means)
    near = np.concatenate([values[::3], means[::3], roots[::3]])
    x = np.concatenate([near, np.nextafter(near, np.inf), np.nextafter(near, -np.inf), [0.0, -0.0, 1e-30, -1e30]])
    expected = [exact.encode(number if number == 0 else Fraction(number), quantizer) for number in x.tolist()]
    codes = fe.encode(x, quantizer)
    assert codes.tolist() == expected
    np.testing.assert_array_equal(fe.cast(x, quantizer), fe.decode(codes, fmt, dtype=np.float64))


def test_specials_and_float32() -> None:
    x = np.float32([math.nan, math.inf, -math.inf, 2.9, 3.1])
    assert fe.cast(x, "lns<5,0,linear>").tolist()[1:] == [128, -128, 2, 4]
    assert np.isnan(fe.cast(x, "lns<5,0,linear>")[0])


@pytest.mark.parametrize("spec", ["lns8", "lns<9,3,linear>", "takumlog16", "takum8", "nf4"])
def test_others_are_not_tabulated(spec: str) -> None:
    assert not is_tabulated(fe.as_format(spec), 64)
