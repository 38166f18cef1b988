"""Runs killed at random moments of stage 4 end with the bytes of runs that were left alone."""

import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.configuration.assignments import assign, choose_members
from pipelines.console import Narrator, StageLine
from pipelines.runs import run as runs
from pipelines.runs.clean import CleanRequest, clean
from pipelines.runs.request import RunRequest
from pipelines.workspace.kept_training import KeptTraining
from pipelines.workspace.stage_cache import MANIFEST

SCRIPT = Path(__file__).with_name("killed_runs.py")
GOES_ON = {
    "mlp": r"mlp: resumed at epoch \d of 8",
    "texts": r"texts: resumed at epoch \d of 8",
    "pictures": r"pictures: resumed at epoch \d of 4",
    "trees": r"trees: \d of 6 models kept",
    "estimator": r"forest: \d of 6 models kept",
    "by time": r"mlp: (refit: )?resumed at epoch \d of 8",
}


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder of all runs, and how often each was killed."""
    root = tmp_path_factory.mktemp("killed")
    command = [sys.executable, str(SCRIPT), str(root)]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return root, json.loads(done.stdout)


def contents(folder):
    """Every file of a run by its name, without when its stages were made and how long they took."""
    found = {
        p.relative_to(folder).as_posix(): p
        for p in folder.rglob("*")
        if p.is_file() and p.suffix != ".lock"
    }
    return {name: content_of(path) for name, path in found.items()}


def content_of(path):
    if path.name != MANIFEST:
        return path.read_bytes()
    manifest = json.loads(path.read_text())
    return {name: manifest[name] for name in ("fingerprint", "content", "sizes")}


@pytest.mark.slow
@pytest.mark.parametrize("kind", GOES_ON)
def test_a_run_killed_in_stage_4_ends_with_the_same_bytes(killed, kind):
    root, kills = killed
    whole = contents(root / kind / "whole")
    names = " ".join(whole)
    assert all(name in names for name in ("submission.csv", "predictions.npz", "models/"))
    for folder in ("kept", "killed-1", "killed-2"):
        assert contents(root / kind / folder) == whole, folder
    assert all(kills[kind])
    logs = "".join((root / kind / f"killed-{seed}.txt").read_text() for seed in (1, 2))
    assert re.search(GOES_ON[kind], logs)
    assert "not used" not in logs


class Go:
    """Runs a competition, and keeps what it printed."""

    def __init__(self, root):
        self.root, self.printed = root, ""

    def __call__(self, competition):
        stream = io.StringIO()
        request = RunRequest(source="sample", track=False, root=self.root)
        try:
            return runs.run(competition, request, Narrator(Console(file=stream, width=200)))
        finally:
            self.printed = stream.getvalue()


@pytest.fixture
def go(tmp_path):
    return Go(tmp_path)


@pytest.fixture
def interrupt(monkeypatch, go):
    """Runs a competition until a bar stands at a step, then types Ctrl-C."""
    advance = StageLine.advance

    def interrupt(competition, at):
        def stop(line, done, total):
            advance(line, done, total)
            if (done, total) == at:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(StageLine, "advance", stop)
            go(competition)

    return interrupt


def unfinished(root):
    return list(root.glob("runs/toy/*/stages/.*"))


def test_ctrl_c_keeps_every_finished_model(go, interrupt, toy):
    trees = assign(choose_members(toy, ["trees"]), {"trees.n_seeds": 2})
    interrupt(trees, (4, 12))
    assert len(unfinished(go.root)) == 1
    go(trees)
    assert re.search(r"note +trees: \d+ of 12 models kept", go.printed)
    assert unfinished(go.root) == []


def test_a_damaged_file_is_reported_and_the_one_before_is_taken(go, interrupt, toy, monkeypatch):
    monkeypatch.setattr(KeptTraining, "share", float("inf"))
    monkeypatch.setattr(KeptTraining, "least_s", 0.0)
    linear = choose_members(toy, ["linear"])
    interrupt(linear, (6, 8))
    (kept,) = unfinished(go.root)
    (kept / "network.npz").write_bytes(b"torn")
    go(linear)
    assert "linear: what was kept is not used: network.npz is damaged; the one before" in go.printed
    assert "linear: resumed at epoch 4 of 8" in go.printed


def test_a_quick_training_keeps_nothing(go, toy, monkeypatch):
    def refuse(*_):
        raise AssertionError("it was kept")

    monkeypatch.setattr(KeptTraining, "_write", refuse)
    go(choose_members(toy, ["linear", "trees"]))
    assert unfinished(go.root) == []


def test_clean_removes_what_an_older_run_kept(go, interrupt, toy, narrator):
    trees = assign(choose_members(toy, ["trees"]), {"trees.n_seeds": 2})
    interrupt(trees, (4, 12))
    time.sleep(1.1)  # a run's id begins with the second in which it was made
    newer = go(assign(trees, {"trees.trees.num_leaves": 4}))
    assert len(unfinished(go.root)) == 1
    clean(CleanRequest(yes=True, root=go.root), narrator)
    assert unfinished(go.root) == []
    folders = [path.name for path in (go.root / "runs" / "toy").iterdir() if path.is_dir()]
    assert folders == [newer.run]
