"""What a process pays before its first cast. Run as test_cast_speed.py says."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

FIRST_CAST = "import fmtemu, numpy; fmtemu.cast(numpy.ones(4, 'f4'), 'e4m3fn')"
PROGRAMS = {
    "python -c pass": "pass",
    "import numpy": "import numpy",
    "import fmtemu": "import fmtemu",
    "import fmtemu and cast, with a warm disk cache": FIRST_CAST,
    "import ml_dtypes": "import ml_dtypes",
    "import gfloat": "import gfloat",
    "import torch": "import torch",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_start(benchmark: Any, program: str) -> None:
    command = [sys.executable, "-c", PROGRAMS[program]]
    benchmark.group = "start of a process"
    benchmark.pedantic(lambda: subprocess.run(command, check=True), rounds=7, warmup_rounds=1)
