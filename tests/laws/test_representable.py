"""A number of the format is its own result."""

from __future__ import annotations

import pytest
from obeying import SCALARS, assert_obeys


@pytest.mark.parametrize("rounding", ["nearest_even", "toward_zero", "to_odd"])
@pytest.mark.parametrize("name", SCALARS)
def test_representable(name: str, rounding: str) -> None:
    assert_obeys("representable", name, rounding)
