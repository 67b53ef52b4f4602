"""A code, decoded and encoded again, is the same code."""

from __future__ import annotations

import pytest
from obeying import SCALARS, assert_obeys


@pytest.mark.parametrize("name", SCALARS)
def test_round_trip(name: str) -> None:
    assert_obeys("round_trip", name, returns="codes")
