"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Oracle = Callable[[str], "np.lib.npyio.NpzFile"]


@pytest.fixture(scope="session")
def oracle() -> Oracle:
    """Recorded results of other implementations by name, from the folder FMTEMU_ORACLES."""
    folder = Path(os.environ.get("FMTEMU_ORACLES", "../shared/oracles"))

    def load(name: str) -> np.lib.npyio.NpzFile:
        path = folder / f"{name}.npz"
        if not path.exists():
            pytest.skip(f"no recorded results in {path} (FMTEMU_ORACLES names the folder)")
        return np.load(path)

    return load
