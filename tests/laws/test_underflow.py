"""A number below the smallest one becomes what rounding and edges choose."""

from __future__ import annotations

import pytest
from obeying import assert_obeys


@pytest.mark.parametrize("rounding", ["nearest_even", "toward_zero", "toward_positive"])
@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "posit8", "takum8", "lns8"])
def test_underflow(name: str, rounding: str) -> None:
    assert_obeys("underflow", name, rounding)
