"""Which finished run a person means."""

from __future__ import annotations

import pytest

from pipelines.workspace import finished_runs
from pipelines.workspace.finished_runs import NoRunError
from pipelines.workspace.layout import Workspace
from pipelines.workspace.summary import Summary


def summary(run, *, cv=0.5, greater_is_better=True):
    return Summary(
        **dict.fromkeys(("source", "origin", "metric", "folds"), ""),
        **dict.fromkeys(("submission", "submission_sha256"), ""),
        **dict.fromkeys(("n_splits", "n_held_back", "n_rows", "seconds", "cv_std"), 0),
        run=run,
        competition="toy",
        synthetic=False,
        greater_is_better=greater_is_better,
        cv=cv,
        members=(),
        figures=(),
        stage_seconds={},
        local_score=None,
    )


@pytest.fixture
def workspace(tmp_path):
    """Three finished runs of one competition, one of another, and one that is not finished."""
    here = Workspace(tmp_path)
    runs = [("toy", "20260101-1"), ("toy", "20260103-3"), ("toy", "20260102-2")]
    for competition, run in [*runs, ("other", "20260104-4")]:
        here.run(competition, run).folder.mkdir(parents=True)
        summary(run).write(here.run(competition, run).folder)
    here.run("toy", "20260105-5").folder.mkdir()
    here.run("toy", "20260105-5").run_file.write_text("{}")
    return here


def test_the_newest_comes_first_and_unfinished_ones_do_not_count(workspace):
    found = [one.run for one in finished_runs.finished(workspace, "toy")]
    assert found == ["20260103-3", "20260102-2", "20260101-1"]
    assert finished_runs.newest(workspace, "toy", None).run == "20260103-3"
    assert finished_runs.newest(workspace, "toy", "20260101-1").run == "20260101-1"


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("20260101-7", "did you mean 20260101-1"),
        ("zzz", "type foldwise runs toy"),
        ("20260105-5", "--run 20260105-5 to finish it"),
    ],
)
def test_a_run_that_is_not_there_is_named_with_what_to_do(workspace, run, message):
    with pytest.raises(NoRunError, match=message):
        finished_runs.newest(workspace, "toy", run)


def test_a_competition_without_runs_says_how_to_make_one(workspace):
    with pytest.raises(NoRunError, match="type foldwise run nothing"):
        finished_runs.newest(workspace, "nothing", None)


def test_a_text_means_a_run_or_the_newest_of_a_competition(workspace):
    by = finished_runs.by_id_or_competition
    assert by(workspace, "20260104-4").competition == "other"
    assert by(workspace, "toy").run_id == "20260103-3"
    with pytest.raises(NoRunError, match="did you mean other"):
        by(workspace, "othre")


def test_the_best_come_first_and_equals_stay_in_their_order():
    runs = [summary("a", cv=0.1), summary("b", cv=0.3), summary("c", cv=0.3)]
    assert [run.run for run in finished_runs.best_first(runs)] == ["b", "c", "a"]
    losses = [summary("a", cv=0.1, greater_is_better=False)]
    losses += [summary("b", cv=0.3, greater_is_better=False)]
    assert [run.run for run in finished_runs.best_first(losses)] == ["a", "b"]


def test_the_best_run_is_taken_by_choice_and_the_page_says_which(workspace):
    better = workspace.run("toy", "20260102-2").folder
    summary("20260102-2", cv=0.7).write(better)
    newest, best = (finished_runs.newest(workspace, "toy", run) for run in (None, "best"))
    assert (newest.run, best.run) == ("20260103-3", "20260102-2")
    assert "the best cv of" in finished_runs.why(workspace, best, "best")
    reason = finished_runs.why(workspace, newest, None)
    assert reason.startswith(f"the newest; {best.run} has a better cv, 0.7")
    assert finished_runs.why(workspace, newest, newest.run) == ""
