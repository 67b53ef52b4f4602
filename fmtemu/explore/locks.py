"""Locks that die with their holder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType


class FileLock:
    """An exclusive lock on a file, for ``with``; the kernel frees it when its holder is killed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> None:
        self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o666)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)


class JournalLock:
    """The lock of Optuna's journal file, which also mends what a killed writer left behind.

    A record cut short by SIGKILL would glue itself to the next one and make the journal
    unreadable; whoever takes the lock next cuts it off, for its writer is dead.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._lock = FileLock(journal.with_suffix(".lock"))

    def acquire(self) -> bool:
        """Wait for the lock; True, as Optuna expects."""
        self._lock.__enter__()
        try:
            drop_torn_line(self._journal)
        except BaseException:
            self.release()
            raise
        return True

    def release(self) -> None:
        """Free the lock."""
        self._lock.__exit__(None, None, None)


def drop_torn_line(path: Path) -> None:
    """Cut a file of lines after its last newline."""
    with open(path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            return
        file.seek(size - 1)
        if file.read(1) == b"\n":
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
