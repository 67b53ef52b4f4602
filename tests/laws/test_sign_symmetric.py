"""The result of -x is that of x with the other sign."""

from __future__ import annotations

import pytest
from obeying import FLOATS, assert_obeys


@pytest.mark.parametrize("rounding", ["nearest_even", "toward_zero", "nearest_away"])
@pytest.mark.parametrize("name", [*FLOATS[:4], "posit8", "takum8"])
def test_sign_symmetric(name: str, rounding: str) -> None:
    assert_obeys("sign_symmetric", name, rounding)
