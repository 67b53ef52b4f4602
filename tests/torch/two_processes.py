"""Two processes of a worker script that meet over gloo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist


def run_two(worker: Path, folder: Path) -> list[Any]:
    """What the worker saves as each rank; it is called with its rank, the meeting file and the file to save to."""
    if not (dist.is_available() and dist.is_gloo_available()):
        pytest.skip("this PyTorch has no gloo")
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", worker, str(rank), folder / "meeting", folder / f"{rank}.pt"],
            env={**os.environ, "GLOO_SOCKET_IFNAME": "lo"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        said = [process.communicate(timeout=240)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(said)
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]
