"""The last, short tile of an axis is treated as any other."""

from __future__ import annotations

import pytest
from obeying import BLOCKS, assert_obeys


@pytest.mark.parametrize("name", BLOCKS)
def test_partial_block(name: str) -> None:
    assert_obeys("partial_block", name)
