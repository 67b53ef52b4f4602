"""The same seed gives the same results, another seed others; elements share no random bits."""

from __future__ import annotations

import pytest
from obeying import STOCHASTIC, assert_obeys


@pytest.mark.parametrize("rounding", STOCHASTIC)
@pytest.mark.parametrize("name", ["e4m3fn", "int8", "posit8", "nf4"])
def test_stochastic_streams(name: str, rounding: str) -> None:
    assert_obeys("stochastic_streams", name, rounding)
