"""Splits on whose held-out rows a metric gives no number, and whose fault that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from models.metrics import Metric


@dataclass(frozen=True)
class Undefined:
    """Splits whose score is NaN even where every row is predicted right.

    Attributes:
        metric: Its name.
        n_undefined: Splits without a score.
        n_splits: All splits.
        by_rows: Whether their rows are the cause: they have one target value only, and with all
            rows the metric is a number. Else the metric's own function is.
    """

    metric: str
    n_undefined: int
    n_splits: int
    by_rows: bool

    @property
    def is_everywhere(self) -> bool:
        """Whether no split has a score."""
        return self.n_undefined == self.n_splits

    @property
    def fault(self) -> str:
        """What was found."""
        where = f"the held-out rows of {self.n_undefined} of {self.n_splits} splits"
        if self.by_rows:
            return f"{self.metric} is undefined on {where}, which have one target value only"
        return f"{self.metric} gives NaN on {where} even where every row is predicted right"


def undefined_scores(
    metric: Metric, target: np.ndarray, perfect: np.ndarray, held_out: Sequence[np.ndarray]
) -> Undefined | None:
    """What a metric lacks on the splits; None where each has a score.

    Args:
        metric: The metric.
        target: In the form of its `Task`, `(n_rows,)` or `(n_rows, n_targets)`.
        perfect: What a model that knows the target predicts, `(n_rows, n_columns)`.
        held_out: The held-out rows of each split.
    """
    undefined = [rows for rows in held_out if np.isnan(metric.score(target[rows], perfect[rows]))]
    if not undefined:
        return None
    by_rows = all(_has_one_value(target[rows]) for rows in undefined) and not np.isnan(
        metric.score(target, perfect)
    )
    return Undefined(metric.name, len(undefined), len(held_out), by_rows)


def _has_one_value(target: np.ndarray) -> bool:
    """Whether each column is one value throughout."""
    return not len(target) or bool((target == target[:1]).all())
