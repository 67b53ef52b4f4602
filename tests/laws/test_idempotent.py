"""A result, cast again, is itself."""

from __future__ import annotations

import pytest
from obeying import SCALARS, assert_obeys


@pytest.mark.parametrize("rounding", ["nearest_even", "toward_negative"])
@pytest.mark.parametrize("name", SCALARS)
def test_idempotent(name: str, rounding: str) -> None:
    assert_obeys("idempotent", name, rounding)
