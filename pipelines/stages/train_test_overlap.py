"""Test rows that occur in the training file: they take its label, and the scores allow for them."""

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
class OverlapRows:
    """Which test rows occur in the training file, and which training rows stand for the others.

    Attributes:
        test_class: `(n_test,) int64`, the class of the matching training row; -1 for new rows.
        target: `(n_train,) int64`.
        fold_of_row: `(n_train,)`.
        is_new: `(n_train,) bool`, the held-out rows that do not occur in the other folds.
    """

    test_class: np.ndarray
    target: np.ndarray
    fold_of_row: np.ndarray
    is_new: np.ndarray

    @property
    def share(self) -> float:
        """The share of the test rows that occur in the training file."""
        return float((self.test_class >= 0).mean())

    def scores(self, oof: np.ndarray) -> np.ndarray:
        """The expected accuracy on the test file, by fold: `(n_train, n_classes) -> (n_folds,)`.

        For the share of new test rows it is the accuracy on new held-out rows; the other test rows
        count as correct.
        """
        is_right = oof.argmax(axis=1) == self.target
        of_new = [
            is_right[self.is_new & (self.fold_of_row == fold)].mean()
            for fold in np.unique(self.fold_of_row)
        ]
        return self.share + (1 - self.share) * np.array(of_new)


def find_overlap(
    overlap: TrainTestOverlap, tables: Tables, target: np.ndarray, folds: Folds
) -> OverlapRows:
    """Look up each test row's key among the training rows.

    Args:
        overlap: The key column, and what makes a held-out row new.
        tables: Training and test rows.
        target: `(n_train,) int64` class index.
        folds: Without repeats.
    """
    train, test = tables
    fold_of_row = folds.assignment[0]
    test_class = matching_classes(train[overlap.key], target, test[overlap.key])
    return OverlapRows(test_class, target, fold_of_row, overlap.is_new(train, fold_of_row))


def matching_classes(train_key: pd.Series, target: np.ndarray, key: pd.Series) -> np.ndarray:
    """The class of the training rows with the same key, `(n_rows,) int64`.

    -1 where no training row has the key, or where training rows with it have different classes.

    Args:
        train_key: `(n_train,)`.
        target: `(n_train,) int64` class index.
        key: `(n_rows,)` of the rows to look up.
    """
    by_key = pd.Series(target, index=train_key).groupby(level=0)
    classes = by_key.first()[by_key.nunique() == 1]
    return classes.reindex(key).fillna(-1).to_numpy(np.int64)


def with_matching_classes(classes: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Probabilities `(n_rows, n_classes)`, replaced by 0 and 1 where `classes` is not -1."""
    certain = np.eye(probabilities.shape[1])[classes]
    return np.where((classes >= 0)[:, None], certain, probabilities)
