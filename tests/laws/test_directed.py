"""A directed rounding takes the neighbour on its side."""

from __future__ import annotations

import pytest
from obeying import DIRECTED, assert_obeys


@pytest.mark.parametrize("rounding", DIRECTED)
@pytest.mark.parametrize("name", ["e4m3fn", "e2m1fn", "int8", "posit8", "lns8", "nf4"])
def test_directed(name: str, rounding: str) -> None:
    assert_obeys("directed", name, rounding)
