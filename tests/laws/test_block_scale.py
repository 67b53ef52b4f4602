"""A tile has the scale that the format's rule gives it, from its own elements only."""

from __future__ import annotations

import pytest
from obeying import BLOCKS, assert_obeys


@pytest.mark.parametrize("name", BLOCKS)
def test_block_scale(name: str) -> None:
    assert_obeys("block_scale", name)
