"""The fold plan that the files speak for."""

import numpy as np
import pandas as pd


def days(first):
    return lambda n, _: pd.date_range(first, periods=n).strftime("%Y-%m-%d")


def test_plain_folds_are_stratified_and_more_where_rows_are_few(files, drafted):
    folds = drafted(files).competition.folds
    assert (folds.n_folds, folds.group, folds.time, folds.stratify) == (10, None, None, True)


def test_ids_like_0013_01_name_a_group(files, drafted):
    for table, first in ((files.train, 0), (files.test, 5000)):
        table["id"] = [f"{first + n // 2:04d}_{n % 2 + 1:02d}" for n in range(len(table))]
    files.sample["id"] = files.test["id"].to_numpy()
    made = drafted(files)
    assert made.competition.folds.group == "id_group"
    added = made.competition.features(pd.DataFrame({"id": ["0013_01", "0013_02"]}))
    assert added["id_group"].tolist() == ["0013", "0013"]
    assert "# ids like '0000_01' name a group" in made.text


def test_a_column_that_rows_share_within_a_file_is_a_group(files, drafted):
    for table, first in ((files.train, 0), (files.test, 5000)):
        table["patient"] = first + np.arange(len(table)) // 3
    made = drafted(files)
    assert made.competition.folds.group == "patient"
    assert "# not used: rows that share it stay in one fold" in made.text


def test_a_column_whose_values_both_files_share_is_no_group(files, drafted):
    for table in (files.train, files.test):
        table["shop"] = np.arange(len(table)) // 3
    assert drafted(files).competition.folds.group is None


def test_test_rows_after_the_training_rows_are_foreseen_by_time(files, drafted):
    files.train["day"] = days("2020-01-01")(len(files.train), None)
    files.test["day"] = days("2022-01-01")(len(files.test), None)
    made = drafted(files)
    assert made.competition.folds.time == "day"
    assert "# the test rows' 'day' lie after the training rows'" in made.text
    assert "4 by day" in made.printed


def test_test_rows_among_the_training_rows_need_no_time(files, drafted):
    files.change(day=days("2020-01-01"))
    assert drafted(files).competition.folds.time is None
