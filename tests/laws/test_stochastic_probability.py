"""The neighbour away from zero has the probability that the position and its bits give."""

from __future__ import annotations

import pytest
from obeying import STOCHASTIC, assert_obeys


@pytest.mark.parametrize("rounding", STOCHASTIC)
@pytest.mark.parametrize("name", ["e4m3fn", "int8", "posit8", "nf4"])
def test_stochastic_probability(name: str, rounding: str) -> None:
    assert_obeys("stochastic_probability", name, rounding)
