"""Pairs of commands in one workspace at the same moment: each gives what it gives alone."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.workspace import stage_cache
from pipelines.workspace.layout import RunLayout, Workspace
from submissions import ledger

COMMAND = Path(__file__).with_name("side_by_side.py")
IMPORT_S = 6.0  # what the processes need before they can start together

pytestmark = pytest.mark.slow


def together(folder, *commands):
    """What each command printed; all start at the same moment."""
    folder.mkdir(exist_ok=True)
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    start = str(time.time() + IMPORT_S)
    running = [
        subprocess.Popen(
            [sys.executable, COMMAND, command, start],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    told = [process.communicate(timeout=300) for process in running]
    for process, (_, error) in zip(running, told, strict=True):
        assert process.returncode == 0, error
        assert "Traceback" not in error
        assert "warning" not in error.replace("a run keeps the defaults", ""), error
    return [output.strip() for output, _ in told]


def csv(folder, run_id):
    return (folder / "submissions" / "toy" / f"{run_id}.csv").read_bytes()


def check(folder):
    """Every stage is whole, no half is left, and the ledger has each run once."""
    for run in (folder / "runs" / "toy").glob("*/"):
        stage_cache.check(RunLayout(run))
    assert not list(folder.rglob("*.writing"))
    noted = [entry.run for entry in ledger.read(Workspace(folder).ledger)]
    assert len(noted) == len(set(noted))
    return noted


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What commands give that nobody disturbs."""
    folder = tmp_path_factory.mktemp("alone")
    (first,) = together(folder, "run")
    (other,) = together(folder, "run lr=0.1")
    (tuned,) = together(folder, "tune")
    return {"run": csv(folder, first), "run lr=0.1": csv(folder, other), "tune": tuned}


def test_two_identical_runs_are_one(alone, tmp_path):
    first, second = together(tmp_path, "run", "run")
    assert first == second
    assert check(tmp_path) == [first]
    assert csv(tmp_path, first) == alone["run"]


def test_two_different_runs_give_what_each_gives_alone(alone, tmp_path):
    first, second = together(tmp_path, "run", "run lr=0.1")
    assert csv(tmp_path, first) == alone["run"]
    assert csv(tmp_path, second) == alone["run lr=0.1"]
    assert sorted(check(tmp_path)) == sorted([first, second])


def test_a_run_beside_a_study_and_a_sync(alone, tmp_path):
    run_id, tuned, _ = together(tmp_path, "run", "tune", "sync")
    assert csv(tmp_path, run_id) == alone["run"]
    assert tuned == alone["tune"]
    check(tmp_path)


def test_studies_with_different_results_never_take_each_others_scores(alone, tmp_path):
    first, second, third = together(tmp_path, "tune", "tune", "tune lr=1")
    default = alone["tune"].split()[0]
    assert {first.split()[0], second.split()[0], third.split()[0]} == {default}
    check(tmp_path)
    for run in (tmp_path / "runs" / "toy").glob("tune-*-scored"):
        manifest = json.loads((run / "stages" / "train-mlp" / "manifest.json").read_text())
        assert manifest["fingerprint"]
