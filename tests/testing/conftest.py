"""The data of the documentation and the tools of other folders' tests are imported from their folders."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
for folder in ("docs", "tests/casts", "tests/scaled"):
    sys.path.insert(0, str(ROOT / folder))
