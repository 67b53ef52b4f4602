"""An array gives an array of the same shape, of its dtype or of the format's own, or of integer codes."""

from __future__ import annotations

import pytest
from obeying import BLOCKS, SCALARS, assert_obeys


@pytest.mark.parametrize("name", [*SCALARS, *BLOCKS])
def test_runs(name: str) -> None:
    assert_obeys("runs", name)
