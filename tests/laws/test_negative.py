"""A negative number in an unsigned format becomes what the edges choose."""

from __future__ import annotations

import pytest
from obeying import assert_obeys


@pytest.mark.parametrize("name", ["uint8", "e8m0fnu", "ue5m3"])
def test_negative(name: str) -> None:
    assert_obeys("negative", name)
