"""Studies on a real cluster of two nodes: how many trials at once, what is told, which bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from models.executor import LOCAL, Needs
from pipelines.commands.app import main
from pipelines.tuning.storage import JOURNAL
from tests.pipelines.executors import own_competition
from tests.pipelines.executors.own_runs import SPACES, Told, study

pytest.importorskip("ray", reason="Ray is not installed: pip install 'foldwise[ray]'")

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", list(SPACES))
def test_a_study_in_rounds_is_that_of_one_machine(
    executor: Any, tmp_path: Path, person: Told, name: str
) -> None:
    here, there = (
        study(tmp_path / str(where), name, person, where, rounds=2) for where in (LOCAL, executor)
    )
    assert [(t.values, t.score, t.curve) for t in there.trials] == [
        (t.values, t.score, t.curve) for t in here.trials
    ]


def test_trials_are_proposed_as_soon_as_there_is_room(
    executor: Any, tmp_path: Path, person: Told
) -> None:
    made = study(tmp_path, "mlp", person, executor)
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
        study(tmp_path, "mlp", person, executor)
    rest = {text.partition(" · ")[2] for text in told}
    assert "2 running on 2 nodes" in rest


def test_ctrl_c_in_the_first_round_keeps_what_has_ended(cluster: Any, tmp_path: Path) -> None:
    """As a person would type it."""
    own_competition.write(tmp_path)
    search = ("--member", "trees", "--trials", "400", "--rounds", "2", "--no-score", "--no-track")
    typed = ["tune", "own", *search, "--source", "files", "--on", f"ray:{cluster['address']}"]
    folder = tmp_path / "studies" / "own" / "trees"
    with subprocess.Popen(
        [sys.executable, "-m", "pipelines", *typed],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as command:
        while not has_complete_trial(folder / JOURNAL):
            assert command.poll() is None, command.communicate()[0]
            time.sleep(0.1)
        command.send_signal(signal.SIGINT)
        told, _ = command.communicate(timeout=60)
    assert command.returncode == 130, told
    assert (folder / "tuned.toml").exists(), told


def has_complete_trial(journal: Path) -> bool:
    """Whether a trial has got its score."""
    return journal.exists() and b'"values":[' in journal.read_bytes()


@pytest.mark.parametrize("further", [["--rounds", "2"], []])
def test_trials_of_a_cluster_are_in_no_stack(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], further: Any
) -> None:
    monkeypatch.chdir(home)
    typed = ["tune", "own", "--source", "files", "--trials-at-once", "4", *further]
    assert main([*typed, "--on", "ray:127.0.0.1:1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--on and --trials-at-once exclude each other" in line
