"""A test file predicted in parts gives the submission that it gives as a whole."""

import shutil

import pandas as pd
import pytest

from features.tables.text_file import TableError
from pipelines.prediction import whole_files
from pipelines.prediction.kept_files import kept_files
from pipelines.prediction.whole_files import ChangedCodeWarning, predict_file
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest


@pytest.fixture(scope="module")
def made(toy, tmp_path_factory, narrator):
    """A finished run's folder, and its test file."""
    root = tmp_path_factory.mktemp("whole-files")
    summary = runs.run(toy, RunRequest(source="sample", root=root, track=False), narrator)
    test = next((root / "data" / "toy").glob("*/test.csv"))
    return root / "runs" / "toy" / summary.run, test


@pytest.mark.parametrize("rows", [7, 45, 1000])
def test_parts_give_the_bytes_of_the_run(made, toy, tmp_path, rows):
    run, test = made
    out = tmp_path / "submission.csv"
    assert predict_file(toy, run, test, out, rows=rows) == 45
    assert out.read_bytes() == (run / "stages/submission/submission.csv").read_bytes()


def test_no_more_than_a_part_is_read_at_once(made, toy, tmp_path, monkeypatch):
    run, test = made
    lengths = []
    read = whole_files.new_rows.read

    def counted(competition, path):
        rows = read(competition, path)
        lengths.append(len(rows.ids))
        return rows

    monkeypatch.setattr(whole_files.new_rows, "read", counted)
    predict_file(toy, run, test, tmp_path / "submission.csv", rows=20)
    assert lengths == [20, 20, 5]


def test_the_kept_files_alone_are_enough(made, toy, tmp_path):
    run, test = made
    copy = tmp_path / "input" / run.name
    for path in kept_files(run, toy):
        target = copy / path.relative_to(run)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    out = tmp_path / "submission.csv"
    predict_file(toy, copy, test, out)
    assert out.read_bytes() == (run / "stages/submission/submission.csv").read_bytes()
    assert not list(copy.glob(".predict-*"))


def test_numbers_of_rows_without_ids_go_on_from_part_to_part(made, toy, tmp_path):
    run, test = made
    bare = tmp_path / "bare.csv"
    pd.read_csv(test).drop(columns="Id").to_csv(bare, index=False)
    predict_file(toy, run, bare, tmp_path / "submission.csv", rows=20)
    ids = pd.read_csv(tmp_path / "submission.csv").iloc[:, 0]
    assert ids.tolist() == list(range(1, 46))


def test_a_fault_in_a_later_part_leaves_no_file(made, toy, tmp_path):
    run, test = made
    broken = tmp_path / "test.csv"
    broken.write_text(test.read_text() + "9999,wide,red\n")
    with pytest.raises(TableError, match=r"test-from-row-41\.csv.*'wide'"):
        predict_file(toy, run, broken, tmp_path / "submission.csv", rows=20)
    assert [path.name for path in tmp_path.iterdir()] == ["test.csv"]


def test_changed_code_is_a_warning(made, toy, tmp_path, monkeypatch):
    run, test = made
    monkeypatch.setattr(whole_files.Predictor, "is_of_this_code", False)
    with pytest.warns(ChangedCodeWarning, match="of its test rows still match"):
        predict_file(toy, run, test, tmp_path / "submission.csv")
