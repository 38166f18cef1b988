"""Files of predictions as libraries and people write them."""

import numpy as np
import pandas as pd
import pytest

from models.tasks import Task
from pipelines.blending.alignment import aligned
from pipelines.blending.prediction_files import Expected, PredictionFileError, read

IDS = pd.Series([f"r{at}" for at in range(6)], dtype=object)
SECOND = np.linspace(0.1, 0.9, 6)
TWO = Expected(
    task=Task("binary", 2),
    columns=(("no", "0"), ("yes", "1")),
    id_names=("id",),
    ids=IDS,
    rows="training",
    labels=("no", "yes"),
    answers=("target",),
)
THREE = Expected(
    task=Task("multiclass", 3),
    columns=(("a", "Class_a"), ("b", "Class_b"), ("c", "Class_c")),
    id_names=("id",),
    ids=IDS,
    rows="test",
    labels=("a", "b", "c"),
)
SHARES = np.tile([0.2, 0.3, 0.5], (6, 1))


def write(path, content):
    if isinstance(content, np.ndarray):
        np.save(path, content)
    elif path.suffix == ".parquet":
        content.to_parquet(path)
    else:
        content.to_csv(path, index=content.index.name is not None or path.stem == "indexed")
    return path


def columns(*names, values=SECOND, **more):
    return pd.DataFrame({"id": IDS, **dict.fromkeys(names, values), **more})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("one.csv", columns("target")),
        ("named.csv", columns("prediction", truth=[0, 1, 0, 1, 0, 1])),
        ("classes.csv", columns("yes", no=1 - SECOND)),
        ("affix.csv", columns("pred_yes", pred_no=1 - SECOND)),
        ("one.parquet", columns("target")),
        ("autogluon.parquet", pd.DataFrame({"no": 1 - SECOND, "yes": SECOND}, index=IDS)),
        ("one.npy", SECOND),
        ("two.npy", np.column_stack([1 - SECOND, SECOND])),
        ("reordered.csv", columns("target").iloc[::-1]),
        ("indexed.csv", columns("target")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_form_gives_the_same_rows(tmp_path, name, content):
    if name == "autogluon.parquet":
        content.index.name = "id"
    made = aligned(read(write(tmp_path / name, content), TWO), TWO)
    np.testing.assert_allclose(made.values, np.column_stack([1 - SECOND, SECOND]))
    without_ids = name.endswith(".npy")
    assert any("has no ids" in note for note in made.notes) == without_ids


@pytest.mark.parametrize("prefix", ["", "Class_", "proba_"])
def test_a_column_for_each_class(tmp_path, prefix):
    shuffled = {f"{prefix}{name}": SHARES[:, at] for at, name in ((2, "c"), (0, "a"), (1, "b"))}
    path = write(tmp_path / "x.csv", pd.DataFrame({"id": IDS, **shuffled}))
    np.testing.assert_allclose(aligned(read(path, THREE), THREE).values, SHARES)


def test_labels_count_as_sure(tmp_path):
    path = write(tmp_path / "x.csv", pd.DataFrame({"id": IDS, "answer": list("abcabc")}))
    made = read(path, THREE)
    np.testing.assert_array_equal(made.values, np.eye(3)[[0, 1, 2, 0, 1, 2]])
    assert "labels rather than probabilities" in made.notes[0]


def test_sums_that_are_off_by_rounding_are_divided_out_and_others_refused(tmp_path):
    near = write(tmp_path / "near.npy", SHARES * 1.004)
    np.testing.assert_allclose(aligned(read(near, THREE), THREE).values, SHARES)
    far = write(tmp_path / "far.npy", SHARES * 0.8)
    with pytest.raises(PredictionFileError, match="6 rows not summing to 1"):
        aligned(read(far, THREE), THREE)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.npy", SHARES[:, :2], "found 2 columns of predictions, expected 3"),
        ("x.npy", SHARES[None], "found an array of float64 with shape"),
        ("x.csv", pd.DataFrame({"id": IDS, "p": SECOND, "q": SECOND}), "a column for each of a, b"),
        ("x.txt", None, "a file of kind '.txt'"),
        ("gone.csv", None, "no such file"),
        ("gone.npy", None, "no such file"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        write(path, content)
    with pytest.raises(PredictionFileError, match=message):
        read(path, THREE)


def test_a_pickled_array_is_not_opened(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(PredictionFileError, match="no array"):
        read(path, TWO)
