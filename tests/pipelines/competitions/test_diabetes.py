"""Diabetes: both makers' tables, what is missing in them, and a small run through all stages."""

import numpy as np
import pandas as pd
import pytest

from features.tables.text_file import TableError
from pipelines.competitions.diabetes import COMPETITION, MEASURED, scaled, zeros_are_missing
from pipelines.configuration.assignments import configure
from pipelines.raw_files.conversions import diabetes as conversion
from pipelines.raw_files.samples import diabetes as sample
from pipelines.raw_files.sources import Source
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest
from pipelines.runs.sendable import why_not
from pipelines.runs.summary_page import next_commands
from pipelines.stages.download import download

SMALL = (
    *("folds.n_repeats=1", "train.epochs=10", "trees.n_estimators=10"),
    "notes-batches.train.evaluate_every=5",
)
FILES = ("train.csv", "test.csv", "holdout.csv", "sample_submission.csv")


@pytest.fixture(scope="module")
def dealt(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diabetes")
    sample.write(folder)
    return {name: pd.read_csv(folder / name) for name in FILES}


@pytest.fixture(scope="module")
def patients(dealt):
    """The whole table as it was before it was dealt."""
    test = dealt["test.csv"].merge(dealt["holdout.csv"], on="Id")
    whole = pd.concat([dealt["train.csv"], test]).sort_values("Id")
    return whole.drop(columns="Id").reset_index(drop=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, narrator):
    root = tmp_path_factory.mktemp("workspace")
    competition = configure(COMPETITION, folds=3, sets=SMALL)
    asked = RunRequest(source="sample", track=False, root=root)
    return root, runs.run(competition, asked, narrator)


def test_the_sample_is_the_table_that_the_course_uses(patients):
    assert len(patients) == 768
    assert patients["Outcome"].sum() == 268
    assert patients.iloc[0].tolist() == [6, 148, 72, 35, 0, 33.6, 0.627, 50, 1]
    zeros = (patients[list(MEASURED)] == 0).sum()
    assert zeros.to_dict() == {
        "Glucose": 5, "BloodPressure": 35, "SkinThickness": 227, "Insulin": 374, "BMI": 11
    }  # fmt: skip


def test_a_stratified_fifth_is_held_back(dealt):
    assert sorted(set(dealt["train.csv"]["Id"]) | set(dealt["test.csv"]["Id"])) == [*range(1, 769)]
    assert len(dealt["train.csv"]) + len(dealt["test.csv"]) == 768
    assert dealt["holdout.csv"]["Outcome"].value_counts().to_dict() == {0: 100, 1: 54}
    assert "Outcome" not in dealt["test.csv"]
    for name in ("holdout.csv", "sample_submission.csv"):
        assert dealt[name]["Id"].equals(dealt["test.csv"]["Id"])


def as_the_course_wrote_it(patients, path):
    """Scaled to [-1, 1], the smallest value as 0, no header, 1 for healthy."""
    numbers = patients[list(conversion.NAMES)].to_numpy()
    low, high = numbers.min(axis=0), numbers.max(axis=0)
    copy = np.where(numbers == low, 0, 2 * (numbers - low) / (high - low) - 1)
    table = pd.DataFrame(copy).assign(healthy=1 - patients["Outcome"])
    table.to_csv(path, header=False, index=False, float_format="%.6g")


@pytest.mark.parametrize("name", conversion.FILES)
def test_the_courses_copy_becomes_the_same_files(name, patients, dealt, tmp_path):
    as_the_course_wrote_it(patients, tmp_path / name)
    raw = download(COMPETITION, Source("path", tmp_path, ""), tmp_path / "data")
    train = pd.read_csv(raw.files["train.csv"].path)
    # Those in the very middle of a scale are the ones that cannot be told from the smallest.
    truth = dealt["train.csv"].assign(
        Age=lambda table: table["Age"].replace(51, 21),
        BloodPressure=lambda table: table["BloodPressure"].replace(61, 0),
    )
    pd.testing.assert_frame_equal(train, truth)
    assert raw.holdout is not None
    assert pd.read_csv(raw.holdout).equals(dealt["holdout.csv"])


def test_a_fault_in_a_foreign_table_is_reported_with_its_place(patients, tmp_path):
    wrong = patients.assign(Glucose=patients["Glucose"].mask(patients.index == 3, 9999))
    wrong.to_csv(tmp_path / "diabetes.csv", index=False)
    with pytest.raises(TableError, match=r"^diabetes\.csv in .*line 5.*9999.*run the same"):
        download(COMPETITION, Source("path", tmp_path, ""), tmp_path / "data")
    assert not list((tmp_path / "data").rglob("*.csv"))


def test_zeros_that_nobody_has_are_missing_and_filled_from_the_rows_fitted_on(patients):
    table = zeros_are_missing(patients)
    assert table[list(MEASURED)].isna().sum().sum() == 5 + 35 + 227 + 374 + 11
    assert (table["Pregnancies"] == 0).any()
    fitted_on, other = table.iloc[:500], table.iloc[500:]
    encoder = scaled().fit(fitted_on, None)
    np.testing.assert_allclose(encoder.medians_, fitted_on[list(conversion.NAMES)].median())
    assert np.isfinite(encoder.transform(other)["x_num"]).all()


def test_the_run_scores_the_patients_held_back(finished):
    root, summary = finished
    csv = pd.read_csv(root / summary.submission)
    assert list(csv.columns) == ["Id", "0", "1"]
    assert (len(csv), summary.n_held_back) == (154, 154)
    assert summary.local_score is not None and summary.local_score > 0.75
    assert summary.warnings == ()


def test_accuracy_is_reported_beside_auc_for_all_members(finished):
    _, summary = finished
    (accuracy,) = summary.also
    assert accuracy.metric == "accuracy"
    assert accuracy.local_score is not None
    assert all(0.6 < score < 0.9 for score in (accuracy.cv, accuracy.local_score))
    assert all(0.6 < member.also[0] < 0.85 for member in summary.members)
    assert '"also":[{"metric":"accuracy"' in summary.as_json()


def test_kaggle_takes_no_submission_of_it(finished):
    _, summary = finished
    real = summary.model_copy(update={"source": "path"})
    assert "held back" in str(why_not(real))
    assert not any("submit" in command for command in next_commands(real))


def test_a_score_that_is_too_good_warns_of_a_leak(finished, narrator):
    root, _ = finished
    suspicious = configure(
        COMPETITION.model_copy(update={"leak_beyond": 0.7}),
        members=["logistic"],
        folds=3,
        sets=["folds.n_repeats=1"],
    )
    asked = RunRequest(source="sample", track=False, root=root)
    (warning,) = runs.run(suspicious, asked, narrator).warnings
    assert warning.startswith("auc of the blend 0.8")
    assert "beyond 0.7" in warning
