"""The columns of golden vectors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Column:
    """Unsigned numbers of ``bits`` bits, ``count`` in each row; ``role`` is "input" or "expected"."""

    name: str
    bits: int
    count: int
    role: str
    meaning: str

    def array(self, numbers: Iterable[Any]) -> NDArray[Any]:
        """A read-only array of the smallest unsigned dtype: of shape (rows,), or (rows, count) of several."""
        found = np.array(list(numbers), next(f"u{size}" for size in (1, 2, 4, 8) if self.bits <= 8 * size))
        found = found.reshape(-1, self.count) if self.count > 1 else found.reshape(-1)
        found.setflags(write=False)
        return found
