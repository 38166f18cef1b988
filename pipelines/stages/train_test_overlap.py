"""Test rows that stand in the training file: they take its label, and the score allows for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.folds import Folds

if TYPE_CHECKING:
    from pipelines.configuration.competition import TrainTestOverlap

Tables = tuple[pd.DataFrame, pd.DataFrame]


@dataclass(frozen=True)
class KnownRows:
    """Which rows are known, and what is known of them.

    Attributes:
        test_class: `(n_test,) int64`, the class that a training row tells; -1 for new rows.
        target: `(n_train,) int64`.
        fold_of_row: `(n_train,)`.
        is_new: `(n_train,)` held-out rows that are new to the other folds.
        n_classes: columns of the probabilities.
    """

    test_class: np.ndarray
    target: np.ndarray
    fold_of_row: np.ndarray
    is_new: np.ndarray
    n_classes: int

    @property
    def share(self) -> float:
        """The share of the test rows that are known."""
        return float((self.test_class >= 0).mean())

    def told(self, test: np.ndarray) -> np.ndarray:
        """Predictions `(n_test, n_classes)` in which known rows have their class for sure."""
        return with_told(self.test_class, test)

    def scores(self, oof: np.ndarray) -> np.ndarray:
        """The accuracy to expect on the test file, by fold: `(n_train, n_classes) -> (n_folds,)`.

        That of held-out rows which are new, for the test rows which are new; the others are right.
        """
        is_right = oof.argmax(axis=1) == self.target
        of_new = [
            is_right[self.is_new & (self.fold_of_row == fold)].mean()
            for fold in np.unique(self.fold_of_row)
        ]
        return self.share + (1 - self.share) * np.array(of_new)


def find(
    known: TrainTestOverlap, tables: Tables, target: np.ndarray, folds: Folds, *, n_classes: int
) -> KnownRows:
    """Look up each test row's key among the training rows."""
    found, fold_of_row = classes_told(known, tables, target), folds.assignment[0]
    is_new = known.is_new(tables[0], fold_of_row)
    return KnownRows(found, target, fold_of_row, is_new, n_classes)


def classes_told(known: TrainTestOverlap, tables: Tables, target: np.ndarray) -> np.ndarray:
    """The class that a training row tells of each row of the second table, `(n_rows,) int64`.

    -1 for new rows; keys with two labels tell nothing.
    """
    train, others = tables
    told = pd.Series(target, index=train[known.key]).groupby(level=0)
    classes = told.first()[told.nunique() == 1]
    return classes.reindex(others[known.key]).fillna(-1).to_numpy(np.int64)


def with_told(test_class: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Predictions `(n_rows, n_classes)` in which known rows have their class for sure."""
    sure = np.eye(probabilities.shape[1])[test_class]
    return np.where((test_class >= 0)[:, None], sure, probabilities)
