"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of torch, imported later: each core has a worker of its own

Oracle = Callable[[str], "np.lib.npyio.NpzFile"]


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    """Recorded results of other implementations by name, from the folder FMTEMU_ORACLES; each file
    is opened once and closed at the end."""
    folder = Path(os.environ.get("FMTEMU_ORACLES", "../shared/oracles"))
    with ExitStack() as files:

        @cache
        def load(name: str) -> np.lib.npyio.NpzFile:
            path = folder / f"{name}.npz"
            if not path.exists():
                pytest.skip(f"no recorded results in {path} (FMTEMU_ORACLES names the folder)")
            return files.enter_context(np.load(path))

        yield load
