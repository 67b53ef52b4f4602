"""A larger number never has a smaller result."""

from __future__ import annotations

import pytest
from obeying import FLOATS, POINTS, assert_obeys


@pytest.mark.parametrize("rounding", ["nearest_even", "toward_zero", "to_odd"])
@pytest.mark.parametrize("name", [*FLOATS, *POINTS, "lns8", "nf4"])  # others have NaN at an end
def test_monotone(name: str, rounding: str) -> None:
    assert_obeys("monotone", name, rounding)
