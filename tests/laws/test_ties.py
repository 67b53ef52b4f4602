"""A number in the middle of two neighbours goes to the one that the tie rule names."""

from __future__ import annotations

import pytest
from obeying import NEAREST, assert_obeys


@pytest.mark.parametrize("rounding", NEAREST)
@pytest.mark.parametrize("name", ["e4m3fn", "e2m1fn", "int8", "posit8", "nf4"])
def test_ties(name: str, rounding: str) -> None:
    assert_obeys("ties", name, rounding)
