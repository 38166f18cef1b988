"""What follows a submission is no condition of it: figures, report, MLflow and the ledger."""

import json

import pytest

from features.folds import FoldPlan
from pipelines.commands import app
from pipelines.configuration.assignments import assign, choose_members
from pipelines.figures import gallery, predictions, scores
from pipelines.prediction import mlflow_model
from pipelines.report import charts, gather, html, leaks
from pipelines.report.evidence import Evidence
from pipelines.runs import mlflow_record
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest
from pipelines.tracking.tracker import Tracker
from pipelines.workspace.summary import Summary
from submissions import ledger


class OddError(Exception):
    """An error of no kind that our code names."""


def fail(*_, **__):
    raise OddError("<odd> fault\nof two lines")


# What follows the submission, and the name of it in the warning.
PARTS = {
    (predictions, "confusion"): "cannot draw confusion",
    (predictions, "reliability"): "cannot draw reliability",
    (gallery.curves, "learning_curves"): "cannot draw learning_curves",
    (scores, "blend_weights"): "cannot draw blend_weights",
    (scores, "scores_by_fold"): "cannot draw scores_by_fold",
    (gather, "adversarial"): "train against test",
    (gather, "importance"): "feature importance",
    (gather, "_curves"): "learning curves",
    (gather, "_outcome"): "confusion, calibration",
    (gather, "_table"): "report was not written",
    (gather, "_origin"): "report was not written",
    **{
        (leaks, name): "leak check: "
        for name in (
            *("_row_wise", "_held_out_once", "_groups_whole", "_fitted_in_fold"),
            *("_score_reproduced", "_not_too_good", "_duplicates", "_giveaways", "_csv_unchanged"),
        )
    },
    **{
        (charts, name): "chart of "
        for name in ("fold_scores", "blend_weights", "calibration", "importance", "drifts")
    },
    (html, "_values"): "report was not written",
    (mlflow_model, "describe"): "no MLflow model",
}


@pytest.fixture(scope="module")
def small(toy):
    one = assign(toy, {"folds.n_repeats": 1, "linear.train.epochs": 2})
    return choose_members(one, ["linear", "trees"])


@pytest.fixture
def heard(narrator, monkeypatch):
    """The warnings that the narrator is told."""
    told = []
    monkeypatch.setattr(narrator, "warn", told.append)
    return told


@pytest.fixture
def go(tmp_path, narrator, heard):
    def run(competition, **request):
        asked = {"source": "sample", "track": False, "root": tmp_path} | request
        return runs.run(competition, RunRequest(**asked), narrator)

    return run


def is_submitted(root, summary):
    """Whether CSV, summary and ledger line are there."""
    folder = root / "runs" / "toy" / summary.run
    (entry,) = ledger.read(root / "submissions" / "ledger.jsonl")
    assert (root / summary.submission).is_file()
    assert entry.run == summary.run == Summary.read(folder).run
    assert not list(root.rglob("*.writing"))
    return folder


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part[0].__name__}.{part[1]}")
def test_whatever_fails_after_the_submission_is_a_warning(
    go, small, tmp_path, heard, monkeypatch, part
):
    with monkeypatch.context() as patch:
        patch.setattr(*part, fail)
        folder = is_submitted(tmp_path, summary := go(small))
    (warning,) = [line for line in heard if PARTS[part] in line][:1]
    assert "OddError: <odd> fault" in warning
    assert "\n" not in warning
    assert summary.run in warning
    assert "of two lines" in (folder / "error.log").read_text()
    heard.clear()
    go(small)
    assert heard == []
    assert Evidence.read(folder).failed == {}
    assert len(list((folder / "figures").glob("*.png"))) == len(Summary.read(folder).figures) == 5
    page = (folder / "report.html").read_text()
    assert "This page lacks" not in page


def test_the_report_command_makes_what_failed(go, small, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(gather, "adversarial", fail)
        patch.setattr(scores, "blend_weights", fail)
        summary = go(small)
    folder = is_submitted(tmp_path, summary)
    page = (folder / "report.html").read_text()
    assert "This page lacks" in page
    assert "&lt;odd&gt; fault" in page
    assert Summary.read(folder).undrawn == ("blend_weights",)
    monkeypatch.chdir(tmp_path)
    from pipelines.runs import reported

    monkeypatch.setattr(reported.competitions, "load_competition", lambda _: small)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert app.main(["report", summary.run]) == 0
    assert "warning" not in capsys.readouterr().err
    assert "This page lacks" not in (folder / "report.html").read_text()
    assert Summary.read(folder).undrawn == ()
    assert Evidence.read(folder).drift is not None


def test_real_inputs_that_no_figure_or_check_suits(go, small, tmp_path, toy_folder, heard):
    """One test row, a group of three values, columns that are empty."""
    lines = (toy_folder / "test.csv").read_text().splitlines()
    (toy_folder / "test.csv").write_text("\n".join(lines[:2]) + "\n")
    rows = (toy_folder / "sample.csv").read_text().splitlines()
    (toy_folder / "sample.csv").write_text("\n".join(rows[:2]) + "\n")
    plan = FoldPlan(n_folds=3, group="kind")
    summary = go(small.model_copy(update={"folds": plan}), source=str(toy_folder))
    is_submitted(tmp_path, summary)
    assert summary.n_rows == 1


def test_a_tracker_that_fails_is_a_warning_and_is_tried_again(
    go, small, tmp_path, heard, monkeypatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    with monkeypatch.context() as patch:
        patch.setattr(Tracker, "start", fail)
        is_submitted(tmp_path, go(small, track=True))
    assert "MLflow: OddError" in heard[0]
    with monkeypatch.context() as patch:
        patch.setattr(mlflow_record, "of_run", fail)
        assert go(small, track=True).mlflow_run_id is None
    assert "MLflow did not take the run" in heard[-1]


def test_a_ledger_that_cannot_be_written_is_a_warning(go, small, tmp_path, heard):
    book = tmp_path / "submissions" / "ledger.jsonl"
    book.mkdir(parents=True)
    with pytest.warns(ledger.LedgerWarning, match="found a folder"):
        summary = go(small)
    assert "ledger cannot be written" in heard[0]
    assert (tmp_path / summary.submission).is_file()
    book.rmdir()
    go(small)
    is_submitted(tmp_path, summary)


def test_no_stored_file_holds_nan(go, small, tmp_path, monkeypatch):
    def undefined(*_, **__):
        return float("nan")

    monkeypatch.setattr("pipelines.report.importance.score_with", undefined)
    folder = is_submitted(tmp_path, go(small))
    assert "feature importance" in Evidence.read(folder).failed

    def refuse(constant):
        raise AssertionError(constant)

    for path in folder.rglob("*.json"):
        json.loads(path.read_text(), parse_constant=refuse)
