"""Surnames: the course's two files, which have no header or ids but the test file's labels.

Those labels are held back and only score a finished run: nothing is trained or chosen by them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from features.tables.reader import read_table
from features.tables.schema import Column

FILES = ("names_train.csv", "names_test.csv")
ID, NAME, COUNTRY = "Id", "Surname", "Country"
COUNTRIES = (
    *("Arabic", "Chinese", "Czech", "Dutch", "English", "French", "German", "Greek", "Irish"),
    *("Italian", "Japanese", "Korean", "Polish", "Portuguese", "Russian", "Scottish"),
    *("Spanish", "Vietnamese"),
)
COLUMNS = (
    Column(name=NAME, kind="text", about="in Latin letters"),
    Column(name=COUNTRY, kind="text", allowed=COUNTRIES),
)
GUESS = "Russian"  # the most common one in the course's files


def convert(raw: Path, folder: Path) -> None:
    """Write the competition's files from the course's two.

    Raises:
        TableError: A file does not have two columns, surname and one of the eighteen countries.
    """
    train, test = (read_table(raw / name, COLUMNS, header=False) for name in FILES)
    write(train, test, folder)


def write(train: pd.DataFrame, test: pd.DataFrame, folder: Path) -> None:
    """Write `train.csv`, `test.csv`, `sample_submission.csv` and `holdout.csv`.

    Surnames are numbered from 1, the training file first. `holdout.csv` has the countries of those
    in `test.csv`; `sample_submission.csv` calls all of them Russian.
    """
    numbered = pd.concat([train, test], ignore_index=True)
    numbered.insert(0, ID, np.arange(1, len(numbered) + 1))
    train, test = numbered[: len(train)], numbered[len(train) :]
    _write(folder / "train.csv", train)
    _write(folder / "test.csv", test.drop(columns=COUNTRY))
    _write(folder / "holdout.csv", test[[ID, COUNTRY]])
    _write(folder / "sample_submission.csv", test[[ID]].assign(**{COUNTRY: GUESS}))


def _write(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, index=False, lineterminator="\n")
