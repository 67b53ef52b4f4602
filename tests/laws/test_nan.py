"""NaN becomes NaN, or what the edges choose."""

from __future__ import annotations

import pytest
from obeying import BLOCKS, SCALARS, assert_obeys


@pytest.mark.parametrize("name", [*SCALARS, *BLOCKS])
def test_nan(name: str) -> None:
    assert_obeys("nan", name)
