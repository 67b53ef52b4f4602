"""The queue: every configuration is done once and none is lost, whoever dies."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext

import optuna
import pytest

from fmtemu.explore.locks import FileLock, JournalLock, drop_torn_line
from fmtemu.explore.queue import ATTEMPTS, Queue
from fmtemu.explore.storage import open_storage, quiet_optuna, without_password
from fmtemu.explore.study import ExploreError

CHOICES = {"a": ["x", "y", "z"], "b": ["1", "2"]}


@pytest.fixture(autouse=True)
def _quiet():
    with quiet_optuna():
        yield


@pytest.fixture(params=["journal", "sqlite"])
def storage(request, tmp_path):
    return open_storage(None if request.param == "journal" else f"sqlite:///{tmp_path}/s.db", tmp_path)


def queue_in(storage, lease=15.0, choices=CHOICES):
    study = optuna.create_study(study_name="q", storage=storage, load_if_exists=True)
    return Queue(study, storage, choices, nullcontext(), lease)


def finish_all(queue):
    done = []
    while (claim := queue.claim()) is not None:
        queue.finish(claim, [1.0], {"seen": True})
        done.append(tuple(claim.params.values()))
    return done


def test_every_configuration_is_claimed_once(storage):
    first, second = queue_in(storage), queue_in(storage)
    first.fill()
    second.fill()
    claims = [q.claim() for _ in range(3) for q in (first, second)]
    assert sorted(tuple(c.params.values()) for c in claims) == [(a, b) for a in "xyz" for b in "12"]
    assert first.claim() is None


def test_an_interrupted_filling_is_completed_not_doubled(storage):
    queue = queue_in(storage)
    queue._add({"a": "y", "b": "2"})
    queue._add({"a": "x", "b": "1"})
    queue.fill()
    assert len(finish_all(queue)) == 6
    assert queue.counts().done == queue.counts().total == 6


def test_a_queue_filled_twice_at_once_does_everything_once(storage):
    queue = queue_in(storage)
    for _ in range(2):
        for a in CHOICES["a"]:
            for b in CHOICES["b"]:
                queue._add({"a": a, "b": b})
    assert len(finish_all(queue)) == 6


def test_a_filling_that_stopped_elsewhere_is_completed(storage):
    queue = queue_in(storage, lease=0.05)
    queue._add({"a": "x", "b": "1"})
    queue.release_abandoned()
    assert len(finish_all(queue)) == 1
    time.sleep(0.1)
    queue.release_abandoned()
    assert len(finish_all(queue)) == 5


def test_what_a_silent_worker_held_is_done_by_another_and_its_late_result_dropped(storage):
    silent, watcher = queue_in(storage), queue_in(storage, lease=0.05)
    silent.fill()
    claim = silent.claim()
    watcher.release_abandoned()
    assert len(finish_all(watcher)) == 5
    time.sleep(0.1)
    watcher.release_abandoned()
    assert finish_all(watcher) == [tuple(claim.params.values())]
    silent.finish(claim, [2.0], {})
    assert {trial.value for trial in watcher.results().values()} == {1.0}


def test_a_working_worker_keeps_its_claim(tmp_path, monkeypatch):
    monkeypatch.setattr("fmtemu.explore.queue.BEAT", 0.02)
    storage = open_storage(None, tmp_path)
    worker, watcher = queue_in(storage), queue_in(storage, lease=1.0)
    worker.fill()
    worker.claim()
    for _ in range(15):
        watcher.release_abandoned()
        time.sleep(0.1)
    assert len(finish_all(watcher)) == 5


def test_a_configuration_that_kills_its_workers_becomes_an_error(storage):
    queue = queue_in(storage, lease=0.02, choices={"a": ["x"]})
    queue.fill()
    for _ in range(ATTEMPTS):
        assert queue.claim() is not None
        queue.release_abandoned()
        time.sleep(0.05)
        queue.release_abandoned()
    assert queue.claim() is None
    (trial,) = queue.results().values()
    assert "workers died" in trial.user_attrs["error"]


def test_a_failure_is_a_result(storage):
    queue = queue_in(storage, choices={"a": ["x"]})
    queue.fill()
    queue.fail(queue.claim(), "ValueError: no")
    assert queue.counts().done == 1
    (trial,) = queue.results().values()
    assert trial.user_attrs["error"] == "ValueError: no"


WORKER = """
import json, pathlib, sys, time
from contextlib import nullcontext
import optuna
from fmtemu.explore.locks import FileLock
from fmtemu.explore.queue import Queue
from fmtemu.explore.storage import open_storage
optuna.logging.set_verbosity(optuna.logging.ERROR)
out = pathlib.Path(sys.argv[1])
storage = open_storage(None, out)
study = optuna.create_study(study_name="q", storage=storage, load_if_exists=True)
queue = Queue(study, storage, json.loads(sys.argv[2]), FileLock(out / "queue.lock"), lease=0.5)
queue.fill()
print("ready", flush=True)
with open(out / "done.log", "a") as log:
    while queue.counts().done < queue.counts().total:
        claim = queue.claim()
        if claim is None:
            time.sleep(0.05)
            queue.release_abandoned()
            continue
        log.write(json.dumps(claim.params) + chr(10)); log.flush()
        queue.finish(claim, [float(claim.params["a"]) * float(claim.params["b"])], {})
"""


def start(out, choices):
    return subprocess.Popen([sys.executable, "-c", WORKER, str(out), json.dumps(choices)], stdout=subprocess.PIPE)


def end(processes):
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0


def check_complete(out, choices):
    with_results = queue_in(open_storage(None, out), choices=choices).results()
    found = {tuple(v for _, v in key): trial.value for key, trial in with_results.items()}
    assert found == {(a, b): float(a) * float(b) for a in choices["a"] for b in choices["b"]}


def test_two_processes_share_one_study(tmp_path):
    choices = {"a": [str(i) for i in range(12)], "b": [str(i) for i in range(12)]}
    end([start(tmp_path, choices), start(tmp_path, choices)])
    check_complete(tmp_path, choices)
    lines = (tmp_path / "done.log").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 144


def test_sigkill_at_any_moment_loses_and_doubles_nothing(tmp_path):
    choices = {"a": [str(i) for i in range(25)], "b": [str(i) for i in range(25)]}
    for delay in (0.0, 0.1, 0.3):  # while filling, and while working
        pair = [start(tmp_path, choices), start(tmp_path, choices)]
        if delay:
            pair[0].stdout.readline()
        else:
            while not (tmp_path / "study.journal").exists():
                time.sleep(0.001)
        time.sleep(delay)
        for process in pair:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
    end([start(tmp_path, choices), start(tmp_path, choices)])
    check_complete(tmp_path, choices)
    assert len((tmp_path / "done.log").read_text().splitlines()) <= 625 + 6  # only what the killed had in hand


def test_a_torn_line_is_cut_off(tmp_path):
    journal = tmp_path / "j"
    for torn, kept in (("a\nb\nc", "a\nb\n"), ("abc", ""), ("", ""), ("a\n", "a\n")):
        journal.write_text(torn)
        drop_torn_line(journal)
        assert journal.read_text() == kept


def test_the_journal_goes_on_after_a_torn_record(tmp_path):
    queue_in(open_storage(None, tmp_path)).fill()
    with open(tmp_path / "study.journal", "a") as journal:
        journal.write('{"op_code": 4, "wor')
    assert len(finish_all(queue_in(open_storage(None, tmp_path)))) == 6


def test_locks_exclude(tmp_path):
    lock = JournalLock(tmp_path / "j")
    (tmp_path / "j").touch()
    lock.acquire()
    code = (
        "import sys, pathlib; from fmtemu.explore.locks import FileLock\nwith FileLock(pathlib.Path(sys.argv[1])): pass"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "j.lock")])
    with pytest.raises(subprocess.TimeoutExpired):
        other.wait(1.5)
    lock.release()
    assert other.wait(30) == 0
    with FileLock(tmp_path / "j.lock"):
        assert (tmp_path / "j.lock").exists()


@pytest.mark.parametrize(
    "url",
    ["sqlite:////no/such/folder/s.db", "postgresql://me:secret@127.0.0.1:1/db", "nonsense", "redis://127.0.0.1:1"],
)
def test_an_unreachable_storage_is_named_without_its_password(url, tmp_path):
    with pytest.raises(ExploreError, match="cannot reach the storage") as caught:
        open_storage(url, tmp_path)
    assert "secret" not in str(caught.value)
    assert without_password(url) in str(caught.value)
