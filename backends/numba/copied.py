"""Casts to the source's own format: a copy, in which NaNs alone may change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class CopyLoop:
    """Copies numbers as they are; where there is a NaN, ``loop`` does it, which makes that the canonical one."""

    def __init__(self, loop: Callable[..., bool]) -> None:
        self.loop = loop

    def __call__(self, x: Any, y: Any, values: Any) -> bool:
        """Write y from x, and tell whether x has a NaN."""
        if x.size and np.isnan(x.max()):
            return self.loop(x, y, values)
        np.copyto(y, x)
        return False
