"""The configurations of a study as Optuna trials: each is done once, and none is lost.

A configuration is a waiting trial until a worker claims it. Of several trials of one configuration
the lowest-numbered one that is not abandoned counts, so that a queue filled twice at the same
moment, on storages that no lock reaches, still does everything once. A worker keeps its claim alive
by writing a beat into the trial; a claim without a new beat for LEASE seconds, by the clock of
whoever watches, is abandoned (state FAIL, no error) and its configuration enqueued again.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState, create_trial

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

Params = tuple[tuple[str, str], ...]

LEASE = 15.0
BEAT = 3.0
#: How many workers a configuration may take down before that is its result.
ATTEMPTS = 3

_ERROR, _BEAT, _DUPLICATE = "error", "beat", "duplicate"
_FILLING = -1  # stands for the filling of the queue where trial ids stand for trials


@dataclass(frozen=True)
class Claim:
    """A configuration that is this worker's to do."""

    trial_id: int
    params: dict[str, str]


@dataclass(frozen=True)
class Counts:
    """How many configurations there are and how many are done."""

    total: int
    done: int


class Queue:
    """Every pair (or tuple) of the given ``choices`` as a trial of ``study`` in ``storage``.

    ``lock`` is held while trials are added, so that no two processes of its reach add the same.
    """

    def __init__(
        self,
        study: Study,
        storage: BaseStorage,
        choices: Mapping[str, Sequence[str]],
        lock: AbstractContextManager[None],
        lease: float = LEASE,
    ) -> None:
        self._study = study
        self._storage = storage
        self._distributions: dict[str, BaseDistribution] = {
            name: CategoricalDistribution(list(values)) for name, values in choices.items()
        }
        self._configurations = [
            dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())
        ]
        self._lock = lock
        self._lease = lease
        self._waiting: deque[FrozenTrial] = deque()
        self._seen: dict[int, tuple[object, float]] = {}
        self._heartbeat = _Heartbeat(storage)

    def fill(self) -> None:
        """Enqueue every configuration that no trial stands for: all, or those an interruption left out."""
        with self._lock:
            present = _counting(self._trials())
            for params in self._configurations:
                if as_key(params) not in present:
                    self._add(params)

    def claim(self) -> Claim | None:
        """The next configuration, now this worker's; None if none is waiting."""
        if not self._waiting:
            self._waiting = deque(self._find_waiting())
        while self._waiting:
            trial = self._waiting.popleft()
            try:
                claimed = self._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
            except UpdateFinishedTrialError:
                continue  # another worker has been quicker, and is done
            if claimed:
                self._heartbeat.beat_for(trial._trial_id)
                return Claim(trial._trial_id, dict(trial.params))
        return None

    def finish(self, claim: Claim, values: Sequence[float], attributes: Mapping[str, Any]) -> None:
        """Record the result of a claim."""
        self._tell(claim, TrialState.COMPLETE, values, attributes)

    def fail(self, claim: Claim, error: str) -> None:
        """Record that the configuration cannot be done, and why."""
        self._tell(claim, TrialState.FAIL, None, {_ERROR: error})

    def counts(self) -> Counts:
        """How many configurations there are, enqueued or not, and how many are done."""
        return Counts(len(self._configurations), len(self.results()))

    def results(self) -> dict[Params, FrozenTrial]:
        """The finished trial of every configuration that is done."""
        return {key: trial for key, trial in _counting(self._trials()).items() if trial.state.is_finished()}

    def release_abandoned(self) -> None:
        """Enqueue again what dead workers had claimed or had yet to enqueue; call it every few seconds."""
        trials = self._trials()
        for trial in trials:
            if trial.state == TrialState.RUNNING and self._is_still(trial._trial_id, trial.user_attrs.get(_BEAT)):
                self._abandon(trial)
        enqueued = len(_counting(trials))
        if enqueued < len(self._configurations) and self._is_still(_FILLING, enqueued):
            self.fill()

    def _is_still(self, what: int, beat: object) -> bool:
        """Whether ``beat`` has been the same for longer than the lease."""
        now = time.monotonic()
        last, since = self._seen.setdefault(what, (beat, now))
        if beat != last:
            self._seen[what] = (beat, now)
        return beat == last and now - since > self._lease

    def _abandon(self, trial: FrozenTrial) -> None:
        with self._lock:
            try:
                self._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
            except UpdateFinishedTrialError:
                return  # it was alive after all, or another process has seen the same
            trials = self._trials()
            if as_key(trial.params) in _counting(trials):
                return
            losses = Counter(as_key(t.params) for t in trials if _is_abandoned(t))
            if losses[as_key(trial.params)] < ATTEMPTS:
                self._add(trial.params)
            else:
                self._add(trial.params, error=f"{ATTEMPTS} workers died of it (killed, or out of memory)")

    def _add(self, params: Mapping[str, str], error: str | None = None) -> None:
        self._study.add_trial(
            create_trial(
                state=TrialState.WAITING if error is None else TrialState.FAIL,
                params=dict(params),
                distributions=self._distributions,
                system_attrs={"fixed_params": dict(params)},  # as Optuna marks an enqueued trial
                user_attrs={} if error is None else {_ERROR: error},
            )
        )

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _find_waiting(self) -> list[FrozenTrial]:
        trials = self._trials()
        counting = _counting(trials)
        found = []
        for trial in trials:
            if trial.state == TrialState.WAITING:
                if counting[as_key(trial.params)].number == trial.number:
                    found.append(trial)
                else:
                    self._discard(trial)
        return found

    def _discard(self, duplicate: FrozenTrial) -> None:
        try:
            self._storage.set_trial_user_attr(duplicate._trial_id, _DUPLICATE, True)
            self._storage.set_trial_state_values(duplicate._trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return  # another process has discarded it

    def _tell(
        self, claim: Claim, state: TrialState, values: Sequence[float] | None, attributes: Mapping[str, Any]
    ) -> None:
        self._heartbeat.beat_for(None)
        try:
            for name, value in attributes.items():
                self._storage.set_trial_user_attr(claim.trial_id, name, value)
            self._storage.set_trial_state_values(claim.trial_id, state, values)
        except UpdateFinishedTrialError:
            return  # this worker was silent for too long, and another has the configuration


class _Heartbeat(threading.Thread):
    """Writes a beat into the trial in work, every BEAT seconds."""

    def __init__(self, storage: BaseStorage) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._storage = storage
        self._trial_id: int | None = None

    def beat_for(self, trial_id: int | None) -> None:
        """Keep this claim alive from now on; None: there is none."""
        self._trial_id = trial_id
        if trial_id is not None and not self.is_alive():
            self.start()

    def run(self) -> None:
        while True:
            time.sleep(BEAT)
            trial_id = self._trial_id
            if trial_id is not None:
                try:
                    self._storage.set_trial_user_attr(trial_id, _BEAT, time.time())
                except UpdateFinishedTrialError:
                    continue  # it ended in this very moment


def as_key(params: Mapping[str, str]) -> Params:
    """A configuration as a dictionary key."""
    return tuple(sorted(params.items()))


def _counting(trials: Iterable[FrozenTrial]) -> dict[Params, FrozenTrial]:
    """Of each configuration the trial that stands for it."""
    counting: dict[Params, FrozenTrial] = {}
    for trial in trials:
        if trial.state != TrialState.FAIL or _ERROR in trial.user_attrs:
            counting.setdefault(as_key(trial.params), trial)
    return counting


def _is_abandoned(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.FAIL and _ERROR not in trial.user_attrs and _DUPLICATE not in trial.user_attrs
