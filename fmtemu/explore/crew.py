"""The worker processes of one run: started, watched, replaced when they die."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from types import TracebackType
from typing import IO

from fmtemu.explore.study import ExploreError
from fmtemu.explore.worker import Task

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


class Crew:
    """``jobs`` worker processes at one task, ended on leaving ``with``.

    Programs of their own rather than multiprocessing, whose fork copies torch's thread pools in an
    unusable state and whose spawn runs the caller's script again.
    """

    def __init__(self, task: Task, jobs: int) -> None:
        self._task = task
        self._jobs = jobs
        self._workers: list[tuple[subprocess.Popen[str], IO[str]]] = []
        self._deaths_in_a_row = 0

    def __enter__(self) -> Crew:
        for _ in range(self._jobs):
            self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process, log in self._workers:
            process.kill()
            process.communicate()
            log.close()

    def progressed(self) -> None:
        """A configuration was done: deaths so far were no sign that none can be."""
        self._deaths_in_a_row = 0

    def replace_dead(self) -> None:
        """Start a worker for each that was killed; ExploreError if one failed, or if none gets anywhere."""
        for process, log in list(self._workers):
            code = process.poll()
            if code is None or code == 0:
                continue
            self._deaths_in_a_row += 1
            log.seek(0)
            said = log.read().strip()
            if code > 0 or self._deaths_in_a_row > 4 * self._jobs:
                ended = f"was killed by signal {-code}" if code < 0 else f"failed with exit code {code}"
                raise ExploreError(f"a worker process {ended}{':' if said else ''}\n{said}".strip())
            self._workers.remove((process, log))
            log.close()
            self._start()

    def _start(self) -> None:
        log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with its process
        process = subprocess.Popen(
            [sys.executable, "-m", "fmtemu.explore.worker"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            text=True,
            env={**os.environ, **_ONE_THREAD},
        )
        self._workers.append((process, log))
        assert process.stdin is not None  # a pipe was asked for
        process.stdin.write(self._task.dumps())
        process.stdin.flush()
