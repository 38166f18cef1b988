from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from submissions.build import OutputError, build, write_csv
from submissions.check import SampleError, SubmissionError, SubmissionForm, check
from submissions.form import read_sample

LABELS = SubmissionForm(id="id", kind="labels", columns=("y",), labels=("cat", "dog", "owl"))
BINARY = SubmissionForm(id="id", kind="labels", columns=("y",), labels=(0, 1))
OTTO = SubmissionForm(id="id", kind="probabilities", columns=("Class_1", "Class_2", "Class_3"))
ONE = SubmissionForm(id="id", kind="probabilities", columns=("p",))
IDS = np.array([13, 11, 12])
PROBABILITIES = np.array([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1], [0.1, 0.8, 0.1]])


def sample_of(form: SubmissionForm, ids=(11, 12, 13)) -> pd.DataFrame:
    return pd.DataFrame({"id": list(ids)} | dict.fromkeys(form.columns, 0))


def test_each_prediction_goes_to_its_id_in_the_samples_order():
    table = build(IDS, PROBABILITIES, sample_of(LABELS), LABELS)
    assert table.to_dict("list") == {"id": [11, 12, 13], "y": ["cat", "dog", "owl"]}
    table = build(IDS, PROBABILITIES, sample_of(OTTO), OTTO)
    assert table["id"].tolist() == [11, 12, 13]
    assert np.array_equal(table[list(OTTO.columns)], PROBABILITIES[[1, 2, 0]])
    check(table, sample_of(OTTO), OTTO)


@settings(deadline=None)
@given(order=st.permutations(range(20)), sample_order=st.permutations(range(20)))
def test_shuffled_test_rows_give_the_same_submission(order, sample_order):
    ids, order = np.arange(100, 120), np.array(order)
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    for form in (LABELS, OTTO):
        sample = sample_of(form, ids[sample_order])
        plain = build(ids, probabilities, sample, form)
        shuffled = build(ids[order], probabilities[order], sample, form)
        pd.testing.assert_frame_equal(plain, shuffled)
        assert plain["id"].tolist() == sample["id"].tolist()


def test_labels_are_written_as_the_form_has_them():
    for predictions in ([1, 0, 1], [1.0, 0.0, 1.0], ["1", "0", "1"]):
        table = build(IDS, predictions, sample_of(BINARY), BINARY)
        assert table["y"].tolist() == [0, 1, 1]
        assert table.dtypes.tolist() == [np.int64, np.int64]
    assert build(IDS, ["owl", "cat", "dog"], sample_of(LABELS), LABELS)["y"].tolist() == [
        "cat", "dog", "owl",
    ]  # fmt: skip


def test_one_probability_is_that_of_the_last_class():
    p = np.array([0.3, 0.1, 0.2])
    for predictions in (p, p[:, None], np.column_stack([1 - p, p])):
        assert build(IDS, predictions, sample_of(ONE), ONE)["p"].tolist() == [0.1, 0.2, 0.3]


def test_ids_match_as_text():
    table = build(["13", "11", "12"], [1, 0, 1], sample_of(BINARY), BINARY)
    assert table["id"].tolist() == [11, 12, 13]
    sample = sample_of(BINARY, ["007", "x"])
    assert build(["x", "007"], [1, 0], sample, BINARY)["id"].tolist() == ["007", "x"]


@pytest.mark.parametrize(
    ("ids", "predictions", "form", "message"),
    [
        ([11, 12], PROBABILITIES[:2], OTTO, "1 ids of the sample are missing .first: '13'"),
        ([11, 12, 14], PROBABILITIES, OTTO, "1 ids are not in the sample .'14'; line 4"),
        ([11, 12, 12], PROBABILITIES, OTTO, "1 ids are repeated .'12'; line 4"),
        (IDS, PROBABILITIES[:2], OTTO, "found 2 rows, expected 3"),
        (IDS, PROBABILITIES[:, :2], OTTO, r"found the shape \(3, 2\), expected \(3, 3\)"),
        (IDS, PROBABILITIES[:, :2], LABELS, r"found the shape \(3, 2\), expected \(3, 3\)"),
        (IDS, PROBABILITIES * [1, np.nan, 1], LABELS, "3 rows are missing or infinite"),
        (IDS, np.full(3, np.inf), ONE, "3 rows are missing or infinite"),
        (IDS, ["cat", "cow", "dog"], LABELS, "found 'cow' in line 3, expected one of cat, dog"),
    ],
)
def test_predictions_that_do_not_fit(ids, predictions, form, message):
    with pytest.raises(SubmissionError, match=message):
        build(ids, predictions, sample_of(form), form)


def test_a_sample_that_names_a_column_twice_is_refused(tmp_path):
    path = tmp_path / "sample.csv"
    path.write_text("id,y,id\n1,0,1\n")
    with pytest.raises(SampleError, match=r"sample\.csv: found the column 'id' twice"):
        read_sample(path)


def test_a_sample_without_the_forms_columns():
    with pytest.raises(SampleError, match="missing columns Class_1"):
        build(IDS, PROBABILITIES, sample_of(LABELS), OTTO)


def test_the_bytes_are_fixed(tmp_path):
    table = pd.DataFrame({"id": [1, 2], "p": [1 / 3, 1e-12], "y": ["a,b", "é"]})
    write_csv(table, tmp_path / "new" / "folder" / "s.csv")
    written = (tmp_path / "new" / "folder" / "s.csv").read_bytes()
    assert written == 'id,p,y\n1,0.333333333,"a,b"\n2,1e-12,é\n'.encode()


def test_a_written_submission_passes_the_check(tmp_path):
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 3).astype(np.float32)
    write_csv(build(IDS, probabilities, sample_of(OTTO), OTTO), tmp_path / "s.csv")
    check(tmp_path / "s.csv", sample_of(OTTO), OTTO)


def test_an_older_file_is_replaced_as_a_whole_and_nothing_else_is_left(tmp_path):
    path, reader = tmp_path / "s.csv", tmp_path / "reader.csv"
    path.write_text("old", encoding="utf-8")
    reader.hardlink_to(path)
    write_csv(pd.DataFrame({"id": [1]}), path)
    assert path.read_text(encoding="utf-8") == "id\n1\n"
    assert reader.read_text(encoding="utf-8") == "old"
    assert set(tmp_path.iterdir()) == {path, reader}


WRITE_MUCH = """
import pandas as pd, sys
from submissions.build import OutputError, write_csv
try:
    write_csv(pd.DataFrame({"id": range(100_000)}), sys.argv[1])
except OutputError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def write_much(path: Path, **options) -> subprocess.CompletedProcess:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", WRITE_MUCH, str(path)],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(root)},
        **options,
    )  # fmt: skip


def assert_full_disk_is_reported(done: subprocess.CompletedProcess, path: Path) -> None:
    assert done.returncode == 3, done.stderr
    assert done.stdout.startswith(f"{path}: not written: the disk is full (")
    assert done.stdout.count("\n") == 1
    assert "Next: df -h " in done.stdout
    assert path.read_text(encoding="utf-8") == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_may_not_grow_leaves_nothing_half_written(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("old", encoding="utf-8")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))  # noqa: E731
    assert_full_disk_is_reported(write_much(path, preexec_fn=limit), path)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB, where this process may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this process may not mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_nothing_half_written(small_disk):
    path = small_disk / "s.csv"
    path.write_text("old", encoding="utf-8")
    assert_full_disk_is_reported(write_much(path), path)


@pytest.mark.parametrize("folder", ["/proc", "/proc/none", "a_file"])
def test_a_folder_that_cannot_be_written(tmp_path, folder):
    (tmp_path / "a_file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match=r"the folder cannot be written .*Next: ls -ld") as caught:
        write_csv(pd.DataFrame({"id": [1]}), tmp_path / folder / "s.csv")
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a_file"]


KILLED = """
import os, signal, sys
import pandas as pd
from submissions import build
build.os.fsync = lambda number: os.kill(os.getpid(), signal.SIGKILL)
build.write_csv(pd.DataFrame({"id": [1]}), sys.argv[1])
"""


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    path = tmp_path / "s.csv"
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, env=env)
    assert len(list(tmp_path.iterdir())) == 1
    write_csv(pd.DataFrame({"id": [1]}), path)
    assert list(tmp_path.iterdir()) == [path]
