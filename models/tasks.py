"""Tasks: what is predicted, the shapes of targets and predictions, and the constant answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

TaskKind = Literal["binary", "multiclass", "ordinal", "regression", "multilabel"]
AnswerForm = Literal["labels", "probabilities", "values", "top_k"]

N_BINS = 10  # of a target of values, where folds are stratified
FORMS: dict[TaskKind, tuple[AnswerForm, ...]] = {
    "binary": ("labels", "probabilities", "top_k"),
    "multiclass": ("labels", "probabilities", "top_k"),
    "ordinal": ("labels", "values"),
    "regression": ("values",),
    "multilabel": ("probabilities", "labels"),
}


@dataclass(frozen=True)
class Task:
    """What is predicted.

    The arrays of each kind:

    | kind | target | prediction |
    |---|---|---|
    | binary, multiclass | `(n,) int64` class index | `(n, n_classes)` probabilities |
    | ordinal | `(n,) int64` position of the label | `(n, 1)` expected position |
    | regression | `(n,)` or, for several targets, `(n, n_targets)` `float64` | `(n, n_targets)` |
    | multilabel | `(n, n_targets) float64` of 0 and 1 | `(n, n_targets)` probabilities of 1 |

    Attributes:
        kind: One of the five.
        n_classes: Labels; 0 for regression, 2 for multilabel.
        n_targets: Target columns.
    """

    kind: TaskKind
    n_classes: int = 0
    n_targets: int = 1

    @property
    def n_columns(self) -> int:
        """Columns of a prediction."""
        return self.n_classes if self.kind in ("binary", "multiclass") else self.n_targets

    @property
    def has_classes(self) -> bool:
        """Whether the target is one label for each row, stored as its position."""
        return self.kind in ("binary", "multiclass", "ordinal")

    @property
    def chooses_class(self) -> bool:
        """Whether a prediction holds one probability for each class, which sum to 1."""
        return self.kind in ("binary", "multiclass")

    @property
    def predicts_probabilities(self) -> bool:
        """Whether predictions lie from 0 to 1."""
        return self.chooses_class or self.kind == "multilabel"

    @property
    def forms(self) -> tuple[AnswerForm, ...]:
        """What a submission may hold, the most usual first."""
        return FORMS[self.kind]

    def baseline(self, target: np.ndarray) -> np.ndarray:
        """The constant answer that a member must beat, `(n_columns,) float64`.

        Class frequencies for classes, otherwise the mean of each column.
        """
        if self.chooses_class:
            return np.bincount(target, minlength=self.n_classes) / len(target)
        return np.atleast_1d(target.mean(axis=0, dtype=np.float64))

    def strata(self, target: np.ndarray) -> np.ndarray:
        """What folds are stratified by, `(n_rows,) int64`.

        The class; for values the decile of the rank, for several columns of the summed ranks; for
        multilabel the number of labels that hold.
        """
        if self.has_classes:
            return target.astype(np.int64)
        columns = np.asarray(target, dtype=np.float64).reshape(len(target), -1)
        if self.kind == "multilabel":
            return np.unique(columns.sum(axis=1), return_inverse=True)[1].astype(np.int64)
        ranks = np.argsort(np.argsort(columns, axis=0, kind="stable"), axis=0).sum(axis=1)
        order = np.argsort(np.argsort(ranks, kind="stable"), kind="stable")
        n_bins = max(1, min(N_BINS, len(target) // 2))
        return (order * n_bins // len(target)).astype(np.int64)
