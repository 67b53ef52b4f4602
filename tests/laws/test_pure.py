"""A call writes nothing but its result, and the same input gives the same result each time."""

from __future__ import annotations

import pytest
from obeying import assert_obeys


@pytest.mark.parametrize("name", ["e4m3fn", "posit8", "mxfp4"])
def test_pure(name: str) -> None:
    assert_obeys("pure", name)
