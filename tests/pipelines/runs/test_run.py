"""The toy competition through all six stages, with real files, SQLite and figures."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipelines.configuration.assignments import assign, choose_members, configure
from pipelines.raw_files.sources import choose_source
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest
from pipelines.stages.dataset import encode
from pipelines.stages.download import download
from pipelines.stages.preprocess import FeaturesError, prepare
from pipelines.workspace.run_folders import RunFolderError
from pipelines.workspace.stage_cache import StageStore
from submissions import ledger

STAGES = (
    "preprocess",
    *("dataset-scaled", "dataset-unscaled", "train-linear", "train-mlp", "train-trees"),
    *("ensemble", "submission"),
)


@pytest.fixture
def made(monkeypatch):
    """The names of the stages that are made from here on."""
    names = []
    do = StageStore.do

    def note(self, name, make, **ingredients):
        stage = do(self, name, make, **ingredients)
        if stage.status == "made":
            names.append(name)
        return stage

    monkeypatch.setattr(StageStore, "do", note)
    return names


@pytest.fixture
def go(tmp_path, narrator):
    """Runs a competition in the test's own workspace."""

    def run(competition, **request):
        defaults = {"source": "sample", "track": False, "root": tmp_path}
        asked = RunRequest(**(defaults | request))
        return runs.run(competition, asked, narrator)

    return run


def test_six_stages_end_in_a_checked_submission(go, toy, tmp_path, made):
    summary = go(toy)
    assert made == list(STAGES)
    csv = pd.read_csv(tmp_path / summary.submission)
    sample = pd.read_csv(next((tmp_path / "data" / "toy").glob("*/sample.csv")))
    assert list(csv["Id"]) == list(sample["Id"])
    assert set(csv["win"]) == {0, 1}
    assert summary.n_splits == 6
    assert abs(sum(member.weight for member in summary.members) - 1) < 1e-9


def test_the_local_score_is_that_of_the_csv(go, toy, tmp_path):
    summary = go(toy)
    csv = pd.read_csv(tmp_path / summary.submission)
    holdout = pd.read_csv(next((tmp_path / "data" / "toy").glob("*/holdout.csv")))
    both = csv.merge(holdout, on="Id")
    assert summary.local_score == pytest.approx((both["win_x"] == both["win_y"]).mean())
    assert (summary.synthetic, summary.n_held_back) == (True, len(holdout))


def test_the_same_request_makes_nothing_anew(go, toy, made):
    first = go(toy)
    made.clear()
    assert go(toy) == first
    assert made == []


def test_two_workspaces_give_the_same_bytes(go, toy, tmp_path):
    first = go(toy)
    second = go(toy, root=tmp_path / "other")
    csvs = [tmp_path / first.submission, tmp_path / "other" / second.submission]
    assert csvs[0].read_bytes() == csvs[1].read_bytes()
    assert (first.cv, first.cv_std) == (second.cv, second.cv_std)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"mlp.train.lr": 0.03}, ["train-mlp", "ensemble", "submission"]),
        ({"trees.trees.num_leaves": 4}, ["train-trees", "ensemble", "submission"]),
        ({"blend.shrink": False}, ["ensemble", "submission"]),
        ({"folds.seed": 1}, list(STAGES)),
    ],
    ids=["a network", "trees", "the blend", "the folds"],
)
def test_a_changed_setting_makes_just_what_depends_on_it(go, toy, made, settings, expected):
    go(toy)
    made.clear()
    go(assign(toy, settings))
    # A stage whose input came out with the same bytes as before has nothing to do.
    assert [name for name in made if name != "submission"] == [
        name for name in expected if name != "submission"
    ]


def test_fewer_members_reuse_what_the_others_made(go, toy, made):
    go(toy)
    made.clear()
    summary = go(choose_members(toy, ["linear", "trees"]))
    assert [name for name in made if name != "submission"] == ["ensemble"]
    assert [member.name for member in summary.members] == ["linear", "trees"]


def test_a_changed_file_is_never_answered_with_a_stale_stage(go, toy, toy_folder, made, edit):
    first = go(toy, source=str(toy_folder))
    made.clear()
    edit(toy_folder / "train.csv", "\n2,1,", "\n2,0,")
    second = go(toy, source=str(toy_folder))
    assert second.run != first.run
    assert "preprocess" in made
    assert "train-trees" in made


def test_a_person_s_own_files_have_no_local_score(go, toy, toy_folder):
    summary = go(toy, source=str(toy_folder))
    assert summary.local_score is None
    assert (summary.source, summary.synthetic) == ("path", False)


def test_shuffled_test_rows_give_the_same_submission(go, toy, toy_folder, tmp_path):
    first = go(toy, source=str(toy_folder))
    test = pd.read_csv(toy_folder / "test.csv")
    test.sample(frac=1, random_state=3).to_csv(toy_folder / "test.csv", index=False)
    second = go(toy, source=str(toy_folder))
    assert first.run != second.run
    assert (tmp_path / first.submission).read_text() == (tmp_path / second.submission).read_text()


def test_the_ledger_has_each_run_once(go, toy, tmp_path):
    first, _ = go(toy), go(toy)
    second = go(assign(toy, {"blend.shrink": False}))
    entries = ledger.read(tmp_path / "submissions" / "ledger.jsonl")
    assert [entry.run for entry in entries] == [first.run, second.run]
    assert entries[0].cv == first.cv
    assert entries[0].synthetic


def test_out_gets_the_same_csv_and_a_lost_copy_comes_back(go, toy, tmp_path):
    summary = go(toy, out=tmp_path / "mine" / "answer.csv")
    copy = tmp_path / summary.submission
    content = copy.read_bytes()
    assert (tmp_path / "mine" / "answer.csv").read_bytes() == content
    copy.unlink()
    go(toy)
    assert copy.read_bytes() == content


def test_the_run_folder_tells_how_it_was_made(go, toy, tmp_path):
    folder = tmp_path / "runs" / "toy" / go(toy).run
    described = json.loads((folder / "run.json").read_text())
    assert described["configuration"]["folds"]["n_folds"] == 3
    assert {"torch", "python", "lightgbm"} <= set(described["versions"])
    assert "git_commit" in described
    assert {path.name for path in (folder / "figures").iterdir()} >= {"learning_curves.png"}


def test_an_unfinished_run_goes_on_where_it_was(go, toy, tmp_path, made, monkeypatch):
    def refuse(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.stages.ensemble.ensemble", refuse)
        with pytest.raises(KeyboardInterrupt):
            go(toy)
    (unfinished,) = (tmp_path / "runs" / "toy").glob("2*")
    made.clear()
    summary = go(toy, run_id=unfinished.name)
    assert made == ["ensemble", "submission"]
    assert summary.run == unfinished.name


def test_a_named_run_is_never_continued_with_other_settings(go, toy):
    first = go(toy)
    with pytest.raises(RunFolderError, match="other data, settings or code"):
        go(assign(toy, {"folds.seed": 5}), run_id=first.run)


def test_features_that_look_at_other_rows_are_refused(toy, toy_folder, tmp_path):
    def centred(table):
        return table.assign(double=table["size"] - table["size"].mean())

    leaky = toy.model_copy(update={"features": centred})
    raw = download(leaky, choose_source(str(toy_folder), leaky), tmp_path / "data")
    with pytest.raises(FeaturesError, match=r"double changed.*belongs in an encoder"):
        prepare(leaky, raw)


def test_a_held_out_row_leaves_the_folds_encoding_of_other_rows_unchanged(
    toy, toy_folder, tmp_path
):
    def first_fold():
        raw = download(toy, choose_source(str(toy_folder), toy), tmp_path / "data")
        return encode(prepare(toy, raw), toy.members[0].encoder).views[0]

    before = first_fold()
    held_out = before.split.valid_rows[0]
    table = pd.read_csv(toy_folder / "train.csv")
    table.loc[held_out, ["size", "kind"]] = [9.5, "violet"]
    table.to_csv(toy_folder / "train.csv", index=False)
    after = first_fold()
    assert list(before.split.valid_rows) == list(after.split.valid_rows)
    for key, rows in before.train.items():
        assert (rows[before.split.train_rows] == after.train[key][before.split.train_rows]).all()
        assert (before.test[key] == after.test[key]).all()
    assert (before.train["x_num"][held_out] != after.train["x_num"][held_out]).any()


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import make_toy
from rich.console import Console
from pipelines.console import Narrator
from pipelines.runs import run as runs
from pipelines.workspace.stage_cache import StageStore

do = StageStore.do

def killed_in(self, name, make, **ingredients):
    def half(folder):
        make(folder)
        if name == sys.argv[3]:
            os.kill(os.getpid(), signal.SIGKILL)
    return do(self, name, half, **ingredients)

StageStore.do = killed_in
request = runs.RunRequest(source="sample", track=False, root=Path(sys.argv[2]))
print(runs.run(make_toy(), request, Narrator(Console(quiet=True))).run)
"""


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["preprocess", "train-mlp", "submission"])
def test_a_killed_run_goes_on_to_the_same_bytes(go, toy, tmp_path, stage):
    here = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", KILLED, here, str(tmp_path), stage]
    killed = subprocess.run(command, env=os.environ, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (unfinished,) = (tmp_path / "runs" / "toy").glob("2*")
    resumed = go(toy)
    assert resumed.run == unfinished.name
    whole = go(configure(toy), root=tmp_path / "whole")
    csvs = [tmp_path / resumed.submission, tmp_path / "whole" / whole.submission]
    assert csvs[0].read_bytes() == csvs[1].read_bytes()
    assert not list(tmp_path.rglob("*.writing"))
