"""The id and the target, found from the sample submission."""

import pytest

from pipelines.drafting.answers import NoSuchTargetError


def test_the_id_is_the_column_of_the_same_rows(files, drafted):
    files.train = files.train[["a", "id", "b", "c", "y"]]
    assert drafted(files).competition.id == "id"


def test_the_sample_may_call_the_id_otherwise(files, drafted):
    files.sample = files.sample.rename(columns={"id": "Row"})
    competition = drafted(files).competition
    assert (competition.id, competition.submission_id) == ("id", "Row")


def test_a_sample_without_id_has_the_rows_in_order(files, drafted):
    files.sample = files.sample[["y"]]
    made = drafted(files)
    assert made.competition.id is None
    assert "# rows in the test file's order" in made.text
    assert "none: rows in the test file's order" in made.printed


def test_an_id_that_counts_the_rows_stands_in_the_sample_alone(files, drafted):
    files.train, files.test = (table.drop(columns="id") for table in (files.train, files.test))
    files.sample["id"] = range(1, len(files.sample) + 1)
    competition = drafted(files).competition
    assert competition.file_format.row_numbers
    assert competition.id == "id"


def test_a_training_file_without_the_id_is_refused(files, drafted):
    files.train = files.train.drop(columns="id")
    with pytest.raises(NoSuchTargetError, match=r"train\.csv: found no column 'id', expected"):
        drafted(files)


def test_the_sample_may_call_the_target_otherwise(files, drafted):
    files.sample = files.sample.rename(columns={"y": "Prediction"})
    competition = drafted(files).competition
    assert (competition.target, competition.submission_column) == ("y", "Prediction")


def test_columns_of_the_training_file_alone_are_declared_and_not_used(files, drafted):
    files.train["paid"] = files.train["y"] * 2
    made = drafted(files)
    assert made.column("paid").train_only
    assert "# not used: only the training file has it" in made.text
    assert "train only: paid is not in the test file" in made.printed


def test_a_target_that_cannot_be_told_is_asked_for(files, drafted):
    files.train["z"] = files.train["y"]
    files.sample = files.sample.rename(columns={"y": "answer"})
    with pytest.raises(NoSuchTargetError, match=r"asks for 'answer'.* are 'y', 'z'; type --target"):
        drafted(files)
    assert drafted(files, target="z").competition.target == "z"


def test_a_target_that_no_file_has_is_refused(files, drafted):
    with pytest.raises(NoSuchTargetError, match="--target nope: the training file has no such"):
        drafted(files, target="nope")


def test_a_target_whose_values_the_test_file_has_is_refused(files, drafted):
    with pytest.raises(NoSuchTargetError, match="--target a: the test file has its values"):
        drafted(files, target="a")
