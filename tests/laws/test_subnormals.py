"""Subnormal numbers are kept, and numbers below the smallest normal are rounded to them."""

from __future__ import annotations

import pytest
from obeying import FLOATS, assert_obeys


@pytest.mark.parametrize("rounding", ["nearest_even", "toward_zero"])
@pytest.mark.parametrize("name", FLOATS)
def test_subnormals(name: str, rounding: str) -> None:
    assert_obeys("subnormals", name, rounding)
