"""Zero keeps its sign where the format has two zeros, and so does a number that rounds to zero."""

from __future__ import annotations

import pytest
from obeying import FLOATS, assert_obeys


@pytest.mark.parametrize("rounding", ["nearest_even", "toward_positive"])
@pytest.mark.parametrize("name", FLOATS)
def test_signed_zero(name: str, rounding: str) -> None:
    assert_obeys("signed_zero", name, rounding)
