"""A run from Python: scores, predictions and files, and the earlier run's result at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import foldwise
from pipelines.competitions import UnknownCompetitionError
from pipelines.configuration.assignments import ConfigurationError
from pipelines.runs.from_python import RunResult


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("workspace")


def run(root, **options):
    chosen = {"source": "sample", "members": ["trees"], "folds": 3, "root": root}
    return foldwise.run("titanic", **chosen | options)


def test_a_run_has_scores_predictions_and_files(root, capsys):
    made = run(root, settings={"trees.trees.n_estimators": 30})
    assert capsys.readouterr().out == ""
    assert 0.75 < made.score < 0.9
    assert made.scores.loc["trees", "weight"] == 1
    assert list(made.oof) == ["died", "survived"]
    assert made.oof.index.name == "PassengerId"
    assert made.oof.sum(axis=1).between(0.999, 1.001).all()
    csv = pd.read_csv(made.submission, dtype="str")
    assert csv["PassengerId"].tolist() == made.test.index.tolist()
    assert (
        csv["Survived"].tolist() == (made.test["survived"] > 0.5).astype(int).astype(str).tolist()
    )
    assert made.report.exists()
    assert all(figure.exists() for figure in made.figures.values())
    assert repr(made).startswith("RunResult(titanic ")
    assert "<table" in made._repr_html_()
    again = run(root, settings={"trees.trees.n_estimators": 30}, verbose=True)
    assert again.summary.run == made.summary.run
    assert "nothing to do" in capsys.readouterr().out


def test_places_are_right_in_a_workspace_beside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = run("here", settings={"trees.trees.n_estimators": 20})
    assert made.submission.exists()
    assert made.figures
    assert all(figure.exists() for figure in made.figures.values())


def test_a_competition_may_be_passed_itself(root):
    titanic = foldwise.load_competition("titanic")
    made = foldwise.run(titanic, "sample", members=["trees"], folds=3, root=root)
    assert made.summary.competition == "titanic"


@pytest.mark.parametrize(
    ("ids", "changed", "columns", "index"),
    [
        (["7", "8"], {}, ["0", "1"], ["7", "8"]),
        (["7", "7"], {}, ["Id", "0", "1"], [0, 1]),
        (["1", "2"], {"id": None}, ["id", "0", "1"], [0, 1]),
        (["1", "2"], {"id": None, "submission_id": "Row"}, ["Row", "0", "1"], [0, 1]),
    ],
)
def test_rows_are_named_by_ids_that_name_one_row_each(toy, tmp_path, ids, changed, columns, index):
    made = RunResult(None, tmp_path, toy.model_copy(update=changed))
    frame = made._frame(pd.Series(ids), np.eye(2))
    assert list(map(str, frame)) == columns
    assert frame.index.tolist() == index
    assert frame.index.name == ("row" if index == [0, 1] else "Id")


def test_what_is_wrong_is_one_line(root):
    with pytest.raises(UnknownCompetitionError, match="did you mean 'titanic'"):
        foldwise.run("titanik")
    with pytest.raises(ConfigurationError, match=r"trees\.trees\.n_estimator"):
        run(root, settings={"trees.trees.n_estimator": 30})
