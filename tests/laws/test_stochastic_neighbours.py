"""A stochastic rounding gives one of the two neighbours, and moves no number of the format."""

from __future__ import annotations

import pytest
from obeying import FLOATS, OTHERS, POINTS, assert_obeys


@pytest.mark.parametrize("rounding", ["stochastic(4,A)"])
@pytest.mark.parametrize("name", [*FLOATS, *POINTS, *OTHERS])
def test_stochastic_neighbours(name: str, rounding: str) -> None:
    assert_obeys("stochastic_neighbours", name, rounding)
