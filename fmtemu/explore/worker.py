"""The work: claim a configuration, measure it, record the result, until none is left.

As a program (``python -m fmtemu.explore.worker``) this is one worker process. It is told what to do
by one JSON line on its standard input, and ends at once when that closes: its parent is gone.
"""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmtemu.explore.costs import COSTS
from fmtemu.explore.locks import FileLock
from fmtemu.explore.measure import Measure
from fmtemu.explore.queue import Claim, Queue
from fmtemu.explore.settings import Settings
from fmtemu.explore.storage import open_storage, quiet_optuna
from fmtemu.explore.study import load_study
from fmtemu.formats import as_format

if TYPE_CHECKING:
    from torch import nn

MODEL = "model.pt"
QUEUE_LOCK = "queue.lock"
_PATIENCE = 0.5


@dataclass(frozen=True)
class Task:
    """All that a worker process needs to know."""

    study: str
    settings: Settings
    out: str
    storage: str | None
    lease: float

    def dumps(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def loads(cls, line: str) -> Task:
        """The inverse of ``dumps``."""
        fields = json.loads(line)
        settings: dict[str, Any] = fields.pop("settings")
        settings = {name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()}
        return cls(settings=Settings(**settings), **fields)


def open_queue(settings: Settings, out: Path, storage_url: str | None, lease: float) -> Queue:
    """The queue of an Optuna study that has been made."""
    import optuna

    storage = open_storage(storage_url, out)
    study = optuna.load_study(study_name=settings.name, storage=storage)
    return Queue(study, storage, settings.choices(), FileLock(out / QUEUE_LOCK), lease)


def load_model(out: Path) -> nn.Module:
    """The trained model that the first process of the sweep left in ``out``."""
    import torch

    model: nn.Module = torch.load(out / MODEL, weights_only=False)  # written by the sweep itself
    return model


def work(queue: Queue, measure: Measure) -> Iterator[None]:
    """Do configurations until all are done, yielding after each and while waiting for others."""
    while True:
        claim = queue.claim()
        if claim is not None:
            _do(claim, queue, measure)
        elif (counts := queue.counts()).done == counts.total:
            return
        else:  # the rest is in the hands of other workers, which may die
            time.sleep(_PATIENCE)
            queue.release_abandoned()
        yield


def _do(claim: Claim, queue: Queue, measure: Measure) -> None:
    try:
        found = measure(as_format(claim.params["weights"]), as_format(claim.params["activations"]))
    except Exception as error:  # whatever the user's code raises is this configuration's result
        queue.fail(claim, f"{type(error).__name__}: {error}".strip())
        return
    queue.finish(
        claim,
        [found.score, *(found.costs[name] for name in COSTS)],
        {"weight_sqnr": found.weight_sqnr, "activation_sqnr": found.activation_sqnr},
    )


def _end_with(parent: io.TextIOBase) -> None:
    parent.read()
    os._exit(1)


def main() -> None:
    """Work at the task on standard input."""
    task = Task.loads(sys.stdin.readline())
    threading.Thread(target=_end_with, args=(sys.stdin,), daemon=True).start()
    out = Path(task.out)
    with quiet_optuna():
        study, _ = load_study(task.study)
        measure = Measure(load_model(out), study, task.settings.calibration)
        for _ in work(open_queue(task.settings, out, task.storage, task.lease), measure):
            pass


if __name__ == "__main__":
    main()
