"""`foldwise new` as a person types it: exit codes, the file, and the command that it ends with."""

import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.commands import app
from tests.made_up import Form, write

GRADES = Form(slug="graded", metric="qwk", target="grade", labels=(1, 2, 3))
DEMAND = Form(
    slug="demand",
    metric="rmsle",
    target="sold",
    values=lambda signal: np.rint(np.exp(2 + 0.3 * signal)).astype(int),
    change=lambda train, test: (with_days(train, "2021-01-01"), with_days(test, "2023-01-01")),
)
QUICK = ("--folds", "3", "--set", "train.epochs=6", "--set", "trees.n_estimators=40")


def with_days(table, first):
    days = pd.date_range(first, periods=len(table)).strftime("%d-%m-%Y")
    return table.assign(day=days)


@pytest.fixture(autouse=True)
def workspace(signed_out, tmp_path, monkeypatch):
    folder = tmp_path / "workspace"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def source(tmp_path):
    """Writes a form's files; gives the folder."""

    def make(form):
        write(form, tmp_path / form.slug)
        return str(tmp_path / form.slug)

    return make


def faults(capsys):
    return capsys.readouterr().err.splitlines()


def test_the_drafted_file_runs_by_the_command_that_new_ends_with(source, capsys):
    assert app.main(["new", "demand", "--source", source(DEMAND)]) == 0
    printed = capsys.readouterr()
    assert "rmsle (guess: the target is positive and skewed; --metric decides)" in printed.out
    foldwise, *typed = shlex.split(printed.out.splitlines()[-1])[1:]
    assert (foldwise, typed[:2]) == ("foldwise", ["run", "demand"])
    assert app.main([*typed, *QUICK]) == 0
    ended = capsys.readouterr()
    assert "did not take it" not in ended.out + ended.err  # MLflow took the model and its example
    (csv,) = Path("submissions/demand").glob("*.csv")
    assert pd.read_csv(csv)["sold"].between(1, 100).all()


def test_two_likely_metrics_are_both_named(source, capsys):
    assert app.main(["new", "graded", "--source", source(GRADES)]) == 2
    (line,) = faults(capsys)
    assert line.endswith("type --metric qwk or --metric accuracy")
    assert not Path("competitions").exists()


def test_a_file_that_is_there_stays_as_it_is(source, capsys):
    typed = ["new", "graded", "--source", source(GRADES), "--metric", "qwk", "--name", "mine"]
    assert app.main(typed) == 0
    file = Path("competitions/mine.py")
    file.write_text("# mine\n")
    capsys.readouterr()
    assert app.main(typed) == 2
    (line,) = faults(capsys)
    assert "add --force to replace it" in line
    assert file.read_text() == "# mine\n"
    assert app.main([*typed, "--force"]) == 0
    assert 'name="mine"' in file.read_text()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--metric", "nonsense"), 2, "unknown metric 'nonsense': known: accuracy"),
        (("--metric", "auc"), 2, "--metric auc looks at probabilities"),
        (("--target", "nope"), 2, "--target nope: the training file has no such column"),
        (("--name", "1x"), 2, "type another --name"),
        (("--source", "nowhere"), 2, "--source nowhere: no such file or folder"),
        (("--source", "."), 3, "which file is the sample submission?"),
    ],
)
def test_what_cannot_be_drafted_is_one_line(options, code, said, source, capsys):
    folder = source(DEMAND)
    assert app.main(["new", "demand", "--source", folder, *options]) == code
    (line,) = faults(capsys)
    assert said in line
    assert not Path("competitions").exists()


def test_without_a_source_the_files_come_from_kaggle(capsys):
    assert app.main(["new", "demand"]) != 0
    said = " ".join(faults(capsys))
    assert "kaggle auth login" in said
    assert "--source PATH" in said
    assert "--source sample" not in said
