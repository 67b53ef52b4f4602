"""run: a whole sweep, from the study to the table and the picture."""

from __future__ import annotations

import hashlib
import io
import os
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import torch
from optuna.study import StudyDirection
from torch import nn

from fmtemu.explore.costs import COSTS
from fmtemu.explore.crew import Crew
from fmtemu.explore.defaults import as_formats
from fmtemu.explore.front import pareto_front
from fmtemu.explore.locks import FileLock
from fmtemu.explore.measure import Measure, score_of
from fmtemu.explore.progress import progress_bar
from fmtemu.explore.queue import LEASE, Queue
from fmtemu.explore.settings import Settings, keep, write_whole
from fmtemu.explore.storage import open_storage, quiet_optuna, without_password
from fmtemu.explore.study import ExploreError, Source, Study, load_study
from fmtemu.explore.table import make_table
from fmtemu.explore.worker import MODEL, Task, load_model, open_queue, work
from fmtemu.formats import Format
from fmtemu.plot import plot_front
from fmtemu.scale_search import check_method

if TYPE_CHECKING:
    import pandas as pd

_POLL = 0.5


@dataclass(frozen=True)
class Exploration:
    """What a sweep found: all rows, those on the Pareto front, the float32 score, and where it is kept."""

    table: pd.DataFrame
    front: pd.DataFrame
    float32_score: float
    cost: str
    out: Path


def run(
    study: str,
    *,
    weights: str | Iterable[object] = "default",
    activations: str | Iterable[object] = "default",
    calibration: str = "least_squares",
    cost: str = "xilinx7",
    out: str | Path | None = None,
    storage: str | None = None,
    jobs: int | None = None,
    progress: bool = False,
    lease: float = LEASE,
) -> Exploration:
    """Score the model of ``study`` with every pair of formats; write results.csv and front.png to ``out``.

    The options are those of ``fmtemu explore``. ``out`` is fmtemu-out/<study> by default, ``jobs``
    the number of cores; one job works in this very process. ``lease``: seconds of silence after
    which a worker is taken for dead. A run that was interrupted goes on when called again. Raises
    ExploreError for a study, an option, a folder or a storage that will not do.
    """
    chosen_weights, chosen_activations = _formats("weights", weights), _formats("activations", activations)
    _check(calibration, cost, jobs, {*chosen_weights, *chosen_activations})
    with quiet_optuna():
        loaded, source = load_study(study)
        settings = Settings.of(source, _names(chosen_weights), _names(chosen_activations), calibration)
        folder = Path(out) if out is not None else Path("fmtemu-out") / source.name
        queue, float32_score = _prepare(loaded, source, settings, folder, storage, lease)
        jobs = jobs or _cores()
        task = Task(study, settings, str(folder), storage, lease)
        with progress_bar(queue, shown=progress) as show:
            for _ in _work_here(loaded, queue, task) if jobs == 1 else _work_elsewhere(queue, task, jobs):
                show()
        table = make_table(settings, float32_score, queue.results())
    front = pareto_front(table, cost)
    write_whole(folder / "results.csv", table.to_csv(index=False))
    plot_front(table, cost, folder / "front.png", float32_score=float32_score, cost_label=COSTS[cost])
    return Exploration(table, front, float32_score, cost, folder)


def _prepare(
    study: Study, source: Source, settings: Settings, out: Path, storage_url: str | None, lease: float
) -> tuple[Queue, float]:
    """The filled queue of the sweep, made now or found, and the score of the float32 model."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExploreError(f"--out {out} cannot be a folder: {error.strerror}") from error
    with FileLock(out / "prepare.lock"):  # a second process waits here while the first trains the model
        keep(settings, out)
        storage = open_storage(storage_url, out)
        model = _trained_model(study, source, out)
        made = _make(settings, storage)
        found = optuna.load_study(study_name=settings.name, storage=storage)
        digest = _digest(model)
        there = found.user_attrs.get("model_sha256")
        if there is None:
            Measure(model, study, settings.calibration)  # what it cannot handle should end here, not in a worker
            with warnings.catch_warnings():  # names for the dashboard; nothing is read back from them
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                found.set_metric_names(["score", *COSTS])
            found.set_user_attr("settings", settings.choices() | {"calibration": settings.calibration})
            found.set_user_attr("float32_score", score_of(model, study.evaluate))
            found.set_user_attr("model_sha256", digest)
        elif there != digest:
            raise ExploreError(
                f"{_place(storage_url, out)} holds a sweep of {source.name} with other trained weights: let every "
                "process load the model from one file, or keep one --out"
            )
        queue = open_queue(settings, out, storage_url, lease)
        if made or storage_url is None:
            queue.fill()  # else another machine may be at it; the queue watches whether it comes to an end
        return queue, float(found.user_attrs["float32_score"])


def _make(settings: Settings, storage: optuna.storages.BaseStorage) -> bool:
    """Make the Optuna study; whether it was not there before."""
    directions = [StudyDirection.MAXIMIZE] + [StudyDirection.MINIMIZE] * len(COSTS)
    try:
        optuna.create_study(study_name=settings.name, storage=storage, directions=directions)
    except optuna.exceptions.DuplicatedStudyError:
        return False
    return True


def _trained_model(study: Study, source: Source, out: Path) -> nn.Module:
    """The model that is in ``out``, so that all processes and later runs explore the same weights."""
    if (out / MODEL).exists():
        return load_model(out)
    model: Any = study.model if isinstance(study.model, nn.Module) else study.model()
    if not isinstance(model, nn.Module):
        raise ExploreError(f"{source.spec}: the function given as model must return a torch module, got {model!r}")
    model.eval()
    buffer = io.BytesIO()
    try:
        torch.save(model, buffer)
    except Exception as error:  # pickle raises whatever the model's attributes raise
        raise ExploreError(f"{source.spec}: the model cannot be saved for the worker processes: {error}") from error
    write_whole(out / MODEL, buffer.getvalue())
    return model


def _work_here(study: Study, queue: Queue, task: Task) -> Iterator[None]:
    yield from work(queue, Measure(load_model(Path(task.out)), study, task.settings.calibration))


def _work_elsewhere(queue: Queue, task: Task, jobs: int) -> Iterator[None]:
    counts = queue.counts()
    if counts.done == counts.total:
        return
    with Crew(task, jobs) as crew:
        done = counts.done
        while done < counts.total:
            time.sleep(_POLL)
            queue.release_abandoned()
            crew.replace_dead()
            now = queue.counts().done
            if now > done:
                crew.progressed()
            done = now
            yield


def _check(calibration: str, cost: str, jobs: int | None, formats: Iterable[Format]) -> None:
    if cost not in COSTS:
        raise ExploreError(f"unknown cost {cost!r}; allowed: {', '.join(COSTS)}")
    try:
        for fmt in formats:
            check_method("calibration", calibration, fmt)
    except ValueError as error:
        raise ExploreError(str(error)) from None
    if jobs is not None and jobs < 1:
        raise ExploreError(f"jobs must be at least 1, got {jobs}")


def _formats(side: str, spec: str | Iterable[object]) -> tuple[Format, ...]:
    try:
        return as_formats(spec)
    except (TypeError, ValueError) as error:
        raise ExploreError(f"{side}: {error}") from error


def _names(formats: Iterable[object]) -> tuple[str, ...]:
    return tuple(str(fmt) for fmt in formats)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _digest(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, torch.Tensor):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _place(storage_url: str | None, out: Path) -> str:
    return str(out) if storage_url is None else without_password(storage_url)
