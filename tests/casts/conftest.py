"""What the tests of casts share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest


@pytest.fixture(scope="session")
def oracle(oracle: Callable[[str], Any]) -> Iterator[Callable[[str], Any]]:
    """Recorded results by name, each file opened once and closed at the end."""
    with ExitStack() as files:
        yield cache(lambda name: files.enter_context(oracle(name)))
