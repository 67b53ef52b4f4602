"""A number that is not representable goes to the neighbour with the odd code."""

from __future__ import annotations

import pytest
from obeying import assert_obeys


@pytest.mark.parametrize("rounding", ["to_odd", "jam"])
@pytest.mark.parametrize("name", ["e4m3fn", "float16", "int8", "q4.4", "posit8"])
def test_to_odd(name: str, rounding: str) -> None:
    assert_obeys("to_odd", name, rounding)
