"""A number is rounded once, from its exact value."""

from __future__ import annotations

import pytest
from obeying import assert_obeys


@pytest.mark.parametrize("name", ["e4m3fn", "float16", "int8", "posit8", "nf4"])
def test_double_rounding(name: str) -> None:
    assert_obeys("double_rounding", name)
