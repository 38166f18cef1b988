"""Diabetes: one table without test rows, in the version of Kaggle or of the PyTorch course.

A fifth of the patients, stratified by outcome, is held back as the test file. Which ones depends
only on their number and order.
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd

from features.tables.reader import read_table
from features.tables.schema import Column

FILES = ("diabetes.csv", "pytorch-notes-diabetes.csv")
SEED = 1988
HELD_BACK = 0.2
ID, TARGET = "Id", "Outcome"

COLUMNS = (
    Column(name="Pregnancies", kind="int", minimum=0, maximum=20, about="times"),
    Column(name="Glucose", kind="int", minimum=0, maximum=300, about="mg/dl after two hours"),
    Column(name="BloodPressure", kind="int", minimum=0, maximum=200, about="diastolic, mm Hg"),
    Column(name="SkinThickness", kind="int", minimum=0, maximum=150, about="triceps fold, mm"),
    Column(name="Insulin", kind="int", minimum=0, maximum=1500, about="mu U/ml after two hours"),
    Column(name="BMI", kind="float", minimum=0, maximum=100, about="kg/m²"),
    Column(name="DiabetesPedigreeFunction", kind="float", minimum=0, about="illness in the family"),
    Column(name="Age", kind="int", minimum=15, maximum=120, about="years"),
)
OUTCOME = Column(name=TARGET, kind="int", allowed=(0, 1), about="1: diabetes within five years")
NAMES = tuple(column.name for column in COLUMNS)

# The smallest and largest value of each column, by which the course scaled its copy.
LOW = np.array([0, 0, 0, 0, 0, 0, 0.078, 21])
HIGH = np.array([17, 199, 122, 99, 846, 67.1, 2.42, 81])
DECIMALS = (0, 0, 0, 0, 0, 1, 3, 0)


def convert(raw: Path, folder: Path) -> None:
    """Write the competition's files from the one table in `raw`, in either version.

    Raises:
        TableError: The table is not as its source publishes it.
    """
    (path,) = (raw / name for name in FILES if (raw / name).is_file())
    deal(_read(path), folder)


def deal(patients: pd.DataFrame, folder: Path) -> None:
    """Write `train.csv`, `test.csv`, `sample_submission.csv` and `holdout.csv`.

    Patients are numbered from 1 in the order of the table. `holdout.csv` has the outcome of those
    in `test.csv`; `sample_submission.csv` calls all of them healthy.
    """
    patients = patients.assign(**{ID: np.arange(1, len(patients) + 1)})[[ID, *NAMES, TARGET]]
    held_back = _held_back(patients[TARGET].to_numpy())
    test = patients[held_back]
    _write(folder / "train.csv", patients[~held_back])
    _write(folder / "test.csv", test.drop(columns=TARGET))
    _write(folder / "holdout.csv", test[[ID, TARGET]])
    _write(folder / "sample_submission.csv", test[[ID]].assign(**{"0": 1, "1": 0}))


def _read(path: Path) -> pd.DataFrame:
    """The table under Kaggle's column names, in Kaggle's units."""
    with path.open(encoding="utf-8", errors="replace") as stream:
        is_kaggles = stream.readline().startswith(NAMES[0])
    if is_kaggles:
        return read_table(path, (*COLUMNS, OUTCOME))
    scaled = (Column(name=name, kind="float", minimum=-1, maximum=1) for name in NAMES)
    return unscaled(read_table(path, (*scaled, OUTCOME), header=False))


def unscaled(table: pd.DataFrame) -> pd.DataFrame:
    """The course's copy in clinical units, with 1 for patients who fell ill.

    The copy lies between -1 and 1, except that the smallest value of each column, to which the
    missing ones belong, is written as 0. So the few patients in the very middle (51 years, 61
    mm Hg) cannot be distinguished from the youngest and the missing, and count as those.
    """
    numbers = table[list(NAMES)].to_numpy()
    units = np.where(numbers == 0, LOW, LOW + (numbers + 1) / 2 * (HIGH - LOW))
    columns = [np.round(column, n) for column, n in zip(units.T, DECIMALS, strict=True)]
    clinical = pd.DataFrame(dict(zip(NAMES, columns, strict=True)))
    whole = {column.name: "int64" for column in COLUMNS if column.kind == "int"}
    return clinical.astype(whole).assign(**{TARGET: 1 - table[TARGET]})


def _held_back(outcome: np.ndarray) -> np.ndarray:
    """A fifth of each outcome, `(n_rows,) bool`."""
    rng = random.Random(SEED)  # of the standard library: the same draw in every version
    chosen = np.zeros(len(outcome), dtype=bool)
    for label in np.unique(outcome):
        rows = np.flatnonzero(outcome == label).tolist()
        chosen[rng.sample(rows, round(HELD_BACK * len(rows)))] = True
    return chosen


def _write(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, index=False, lineterminator="\n")
