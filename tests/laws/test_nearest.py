"""Any other number goes to the nearer one of its two neighbours."""

from __future__ import annotations

import pytest
from obeying import SCALARS, assert_obeys


@pytest.mark.parametrize("rounding", ["nearest_even", "nearest_away"])
@pytest.mark.parametrize("name", SCALARS)
def test_nearest(name: str, rounding: str) -> None:
    assert_obeys("nearest", name, rounding)
