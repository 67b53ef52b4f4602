"""Where the study is kept: a journal file in the output folder, or any Optuna storage."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmtemu.explore.locks import JournalLock
from fmtemu.explore.study import ExploreError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

JOURNAL = "study.journal"


def open_storage(url: str | None, out: Path) -> BaseStorage:
    """The Optuna storage at ``url``, or the journal file in ``out``; ExploreError if unreachable.

    Measured on 2 cores and 2304 trials: a journal under ``JournalLock`` enqueues in 2 s and passes
    them all through two workers in 5 s, with none done twice. SQLite needs 14 ms to enqueue one and
    let two workers claim the same trial; Optuna's own journal locks starve one of two workers, and
    after a SIGKILL keep everyone waiting for 30 s.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend

    if url is None:
        journal = out / JOURNAL
        lock: Any = JournalLock(journal)  # Optuna keeps the base class of locks to itself; acquire and release are all
        return optuna.storages.JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))
    try:
        return optuna.storages.get_storage(url)
    except Exception as error:  # each kind of storage fails with its own driver's exceptions
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise ExploreError(f"cannot reach the storage {without_password(url)}: {_hidden(reason, url)}") from error


def without_password(url: str) -> str:
    """A storage URL fit for showing."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", url)


def _hidden(text: str, url: str) -> str:
    return text.replace(url, without_password(url))


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Optuna without its messages about every study made and trial finished."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
