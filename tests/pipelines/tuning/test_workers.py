"""Many workers on one study: exactly the trials that were asked for, whatever befalls them."""

import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from pipelines.tuning.database import open_database

WORKER = Path(__file__).with_name("worker_process.py")


@pytest.fixture
def start(tmp_path):
    """Starts workers, and ends those that are left."""
    begun = []

    def begin(root, storage, n_trials, *options):
        number = len(begun)
        (tmp_path / root).mkdir(exist_ok=True)
        with (tmp_path / f"worker-{number}.txt").open("w") as output:
            command = [sys.executable, WORKER, tmp_path / root, storage, str(n_trials), *options]
            worker = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        begun.append(worker)
        worker.told = lambda: (tmp_path / f"worker-{number}.txt").read_text()
        return worker

    yield begin
    for worker in begun:
        if worker.poll() is None:
            worker.kill()
        worker.wait()


def trials_of(address):
    """All trials of the one study there; none where it is not yet there."""
    storage = open_database(address)
    try:
        return [
            trial
            for study in storage.get_all_studies()
            for trial in storage.get_all_trials(study._study_id)
        ]
    finally:
        storage.remove_session()
        storage.engine.dispose()


def n_ended(storage):
    return sum(trial.state.name in ("COMPLETE", "PRUNED") for trial in trials_of(storage))


def wait_for(storage, n_trials, timeout_s=240.0):
    end = time.monotonic() + timeout_s
    while n_ended(storage) < n_trials:
        assert time.monotonic() < end
        time.sleep(0.3)


def check(storage, n_trials):
    """Exactly so many ended, none is left over, and no two have the same values."""
    trials = trials_of(storage)
    states = Counter(trial.state.name for trial in trials)
    assert states["COMPLETE"] + states["PRUNED"] == n_trials
    assert states["RUNNING"] == states["WAITING"] == 0
    ended = [trial for trial in trials if trial.state.name != "FAIL"]
    assert sorted(trial.user_attrs["place"] for trial in ended) == list(range(n_trials))
    assert len({trial.params["train.lr"] for trial in ended}) == n_trials


@pytest.mark.slow
def test_a_killed_worker_and_a_stopped_database_cost_no_trial(postgres, start, tmp_path):
    storage = postgres.create("killed")
    main = start("here", storage, 24)
    joined = [start(root, storage, 99, "--join") for root in ("here", "there", "elsewhere")]
    wait_for(storage, 3)
    joined[-1].kill()
    wait_for(storage, 7)
    postgres.stop()
    time.sleep(20)
    postgres.start()
    for worker in (main, *joined[:-1]):
        assert worker.wait(300) == 0, worker.told()
        assert "Traceback" not in worker.told()
    assert joined[-1].wait() == -signal.SIGKILL
    check(storage, 24)
    assert "does not answer" in main.told()
    (tuned,) = tmp_path.glob("**/tuned.toml")
    assert tuned.parents[3].name == "here"
    best = max(t.value for t in trials_of(storage) if t.state.name == "COMPLETE")
    assert tomllib.loads(tuned.read_text())["study"]["score"] == best


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
def test_four_that_start_at_once_make_one_study(request, start, tmp_path, kind):
    storage = f"sqlite:///{tmp_path / 'studies.db'}"
    if kind == "postgres":
        storage = request.getfixturevalue("postgres").create("at_once")
    workers = [start("here", storage, 8) for _ in range(4)]
    for worker in workers:
        assert worker.wait(300) == 0, worker.told()
    check(storage, 8)
    assert len({worker.told().splitlines()[-1] for worker in workers}) == 1
