"""Elements, scales and values that float64 leaves undecided: there the definition decides."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scaled_samples import normal
from tiles import cast_exactly

import fmtemu as fe
from fmtemu import exact, exact_scaled
from fmtemu.backends.numba import decided


def test_products_next_to_ties_of_float32() -> None:
    """A float64 next to tie / scale times the scale is next to the tie, and float64 takes it for the tie itself."""
    rng = np.random.default_rng(5)
    ties = np.ldexp(2 * rng.integers(2**23, 2**24, 500) + 1.0, -24)
    scale = np.ldexp(rng.integers(2**23, 2**24, 500) + 0.0, -23)
    element = ties / scale
    truth = [
        exact.cast(Fraction(e) * Fraction(s), fe.Quantizer("float32")) for e, s in zip(element, scale, strict=True)
    ]
    np.testing.assert_array_equal(decided.decide_products(element, scale), np.array(truth, np.float32))
    assert (np.float32(element * scale) != np.array(truth, np.float32)).any()


def test_products_that_are_no_numbers() -> None:
    element = np.array([np.nan, np.inf, -0.0, 1e300, 1e-300, -1.5])
    product = decided.decide_products(element, np.full(6, 2.0))
    np.testing.assert_array_equal(product, np.float32([np.nan, np.inf, -0.0, np.inf, 0.0, -3.0]))
    assert np.signbit(product[2])


@pytest.mark.parametrize("spec", ["block<lns8,8,float32>", "block<lns8,8,ue5m3,rule=rceil>"])
def test_scales_by_the_definition(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left undecided by a greater error than float64's becomes what it was."""
    x, define, found = normal(shape=(2, 32)), exact_scaled.find_scale, []

    def find_scale(*arguments: Any) -> Any:
        found.append(define(*arguments))
        return found[-1]

    expected = fe.cast(x, spec)
    monkeypatch.setattr(decided, "_ERROR", 2.0**-3)
    monkeypatch.setattr(decided.exact_scaled, "find_scale", find_scale)
    np.testing.assert_array_equal(fe.cast(x, spec), expected)
    assert found
    np.testing.assert_array_equal(expected, cast_exactly(x, fe.as_quantizer(spec)))
