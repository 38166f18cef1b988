"""Studies on a real cluster of two nodes: how many trials at once, what is told, which bytes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from models.executor import LOCAL, Needs
from pipelines.commands.app import main
from pipelines.tuning.study import Study, Trial
from tests.pipelines.executors import own_competition
from tests.pipelines.executors.own_runs import SPACES, Told, study

pytest.importorskip("ray", reason="Ray is not installed: pip install 'foldwise[ray]'")

ROOT = Path(__file__).resolve().parents[3]
IN_ROUNDS = {"n_trials": 18, "rounds": 3}  # the third learns: ten trials are drawn at random


@pytest.mark.parametrize("name", list(SPACES))
def test_a_study_in_rounds_is_that_of_one_machine(
    executor: Any, tmp_path: Path, person: Told, name: str
) -> None:
    here, there = (
        study(tmp_path / where, name, person, executor, **IN_ROUNDS)
        for where, executor in (("here", LOCAL), ("there", executor))
    )
    assert tried(there) == tried(here)


def tried(study: Study) -> list[Any]:
    """What was tried and what came of it, and which of it is the best."""
    return [study.best and study.best.place, *map(came_of, study.trials)]


def came_of(trial: Trial) -> Any:
    return trial.place, trial.state, trial.values, trial.score, trial.curve


def test_trials_are_proposed_as_soon_as_there_is_room(
    executor: Any, tmp_path: Path, person: Told
) -> None:
    made = study(tmp_path, "mlp", person, executor, n_trials=4)
    assert [trial.state for trial in made.trials] == ["complete"] * 4
    begun = sorted((t.start_ms or 0, (t.start_ms or 0) + 1000 * t.seconds) for t in made.trials)
    assert begun[1][0] < begun[0][1]  # two at once


def test_there_is_room_for_as_many_trials_as_the_nodes_can_hold(executor: Any) -> None:
    """Two nodes of one core."""
    import ray

    memory = min(node["Resources"]["memory"] for node in ray.nodes())
    assert executor.room(Needs()) == 2
    assert executor.room(Needs(n_bytes=int(memory * 0.4))) == 2
    assert executor.room(Needs(threads=0, n_bytes=int(memory * 0.4))) == 4
    assert executor.room(Needs(threads=2)) == 1  # which is refused once it is handed over


def test_a_study_tells_how_many_trials_run_where(
    executor: Any, tmp_path: Path, person: Told
) -> None:
    told: list[str] = []
    with executor.shown("tune · mlp", told.append):
        study(tmp_path, "mlp", person, executor, n_trials=4)
    rest = {text.partition(" · ")[2] for text in told}
    assert "2 running on 2 nodes" in rest


SO_FAR = re.compile(r"best 0\.\d{4} of \d+(, \d+ pruned)? · 2 running on 2 nodes")


def test_one_line_tells_of_the_first_round_and_ctrl_c_keeps_what_has_ended(
    cluster: Any, tmp_path: Path
) -> None:
    """As a person would type it at a terminal."""
    own_competition.write(tmp_path)
    search = ("--member", "trees", "--trials", "400", "--rounds", "2", "--no-score", "--no-track")
    typed = ["tune", "own", *search, "--source", "files", "--on", f"ray:{cluster['address']}"]
    told = tmp_path / "told"
    with (
        told.open("w") as terminal,
        subprocess.Popen(
            [sys.executable, "-m", "pipelines", *typed],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "FORCE_COLOR": "1"},  # bars, as at one
            stdout=terminal,
            stderr=terminal,
        ) as command,
    ):
        while not SO_FAR.search(told.read_text()):
            assert command.poll() is None, told.read_text()
            time.sleep(0.1)
        command.send_signal(signal.SIGINT)
        command.wait(timeout=60)
    assert command.returncode == 130, told.read_text()
    tuned = tomllib.loads((tmp_path / "studies" / "own" / "trees" / "tuned.toml").read_text())
    assert 0 < tuned["study"]["n_trials"] < 200
    assert "Traceback" not in told.read_text()


@pytest.mark.parametrize("further", [["--rounds", "2"], []])
def test_trials_of_a_cluster_are_in_no_stack(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], further: Any
) -> None:
    monkeypatch.chdir(home)
    typed = ["tune", "own", "--source", "files", "--trials-at-once", "4", *further]
    assert main([*typed, "--on", "ray:127.0.0.1:1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--on and --trials-at-once exclude each other" in line


def test_a_study_in_rounds_is_that_of_one_node_too(
    cluster: Any, executor: Any, tmp_path: Path, person: Told
) -> None:
    """Comes last, since the cluster has one node afterwards."""
    two = study(tmp_path / "two", "mlp", person, executor, **IN_ROUNDS)
    cluster["process"].stdin.write("lose\n")
    cluster["process"].stdin.flush()
    while executor.room(Needs()) > 1:
        time.sleep(0.1)
    one = study(tmp_path / "one", "mlp", person, executor, **IN_ROUNDS)
    assert tried(one) == tried(two)
