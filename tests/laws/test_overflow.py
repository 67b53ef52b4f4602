"""A number that rounds past the largest number, and no other, becomes what the edges choose."""

from __future__ import annotations

import pytest
from obeying import SCALARS, assert_obeys


@pytest.mark.parametrize("rounding", ["nearest_even", "toward_negative", "to_odd"])
@pytest.mark.parametrize("name", SCALARS)
def test_overflow(name: str, rounding: str) -> None:
    assert_obeys("overflow", name, rounding)
