"""An element's result depends on nothing but its value: no shape, stride, position or thread."""

from __future__ import annotations

import pytest
from obeying import assert_obeys


@pytest.mark.parametrize("name", ["e4m3fn", "bfloat16", "int8", "posit8", "nf4", "mxfp4", "nvfp4"])
def test_layout(name: str) -> None:
    assert_obeys("layout", name)
