"""What members are combined for: the target, and by what a combination is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from models.decisions import NestedDecision, nested_decision
from models.metrics import Metric
from models.row_losses import row_losses
from models.tasks import Task

SMALLEST_PROBABILITY = 1e-15


@dataclass(frozen=True)
class Goal:
    """The training rows' target, and the metric.

    Attributes:
        target: `(n_rows,)` or `(n_rows, n_targets)`, as the task has it.
        task: What is predicted.
        metric: Scores each fold.
        weight: `(n_rows,)`, how much each row counts; None for equal weights.
    """

    target: np.ndarray
    task: Task
    metric: Metric
    weight: np.ndarray | None = None

    def at(self, rows: np.ndarray) -> Goal:
        """The goal on some of the rows: `(n,)` numbers or `(n_rows,) bool`."""
        weight = None if self.weight is None else self.weight[rows]
        return replace(self, target=self.target[rows], weight=weight)

    def decide(self, prediction: np.ndarray, assignment: np.ndarray) -> NestedDecision:
        """The score of a prediction on each fold, with the metric's decision rule.

        Each fold is decided by the rule that was chosen on the other folds' rows.

        Args:
            prediction: `(n_rows, n_columns)`.
            assignment: `(n_repeats, n_rows)`, the fold that holds each row out, -1 for none.
        """
        return nested_decision(
            self.metric, self.task, self.target, prediction, assignment, self.weight
        )

    def mixable(self, predictions: np.ndarray) -> Mixable:
        """What the loss of a mixture depends on.

        Args:
            predictions: The members', `(n_members, n_rows, n_columns)`.
        """
        members = predictions.astype(np.float64)
        if not self.task.predicts_probabilities:
            answers = self.target.reshape(len(self.target), -1).astype(np.float64)
            losses = row_losses(self.metric.values_loss, self.metric.level)
            return Mixable(members, answers, losses, self.weight)
        if self.task.chooses_class:
            of_true = members[:, np.arange(len(self.target)), self.target][..., None]
        else:
            of_true = np.where(self.target == 1, members, 1 - members)
        clipped = np.clip(of_true, SMALLEST_PROBABILITY, 1.0)
        return Mixable(clipped, None, None, self.weight)

    def baseline(self) -> np.ndarray:
        """The constant answers that a member must beat, `(n_answers, 1, n_columns)`."""
        constant = self.task.baseline(self.target)
        if self.task.predicts_probabilities:
            return constant[None, None]
        median = np.atleast_1d(np.median(self.target, axis=0))
        return np.stack([constant, median])[:, None]


@dataclass(frozen=True)
class Mixable:
    """Members in a form whose mixture is linear, and the loss of a mixture's rows.

    Of probabilities this is the probability of what is true: log-loss depends on nothing else.

    Attributes:
        members: `(n_members, n_rows, k) float64`.
        answers: `(n_rows, k)`; None for probabilities.
        row_loss: From answers and mixture, each `(..., k)`, to `(...)`; None for log-loss.
        weight: `(n_rows,)` or None.
    """

    members: np.ndarray
    answers: np.ndarray | None
    row_loss: Callable[[np.ndarray, np.ndarray], np.ndarray] | None
    weight: np.ndarray | None

    def losses(
        self, total: np.ndarray, size: float | np.ndarray = 1.0, rows: np.ndarray | None = None
    ) -> np.ndarray:
        """The loss of each row of a mean of members: `(..., n, k)` -> `(..., n)`.

        Args:
            total: The sum of the members.
            size: Their number; it broadcasts against `(..., n, k)`.
            rows: `(..., n)` numbers of the rows; None for all.
        """
        if self.row_loss is not None:
            assert self.answers is not None  # both are there for values
            answers = self.answers if rows is None else self.answers[rows]
            return self.row_loss(answers, total / size)
        losses = np.log(size) - np.log(total)
        single: np.ndarray = losses[..., 0] if losses.shape[-1] == 1 else losses.mean(axis=-1)
        return single

    def mean(self, losses: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """The weighted mean over the last axis, `(..., n)` -> `(...)`."""
        mean: np.ndarray
        if self.weight is None:
            mean = losses.mean(axis=-1)
        else:
            weight = self.weight if rows is None else self.weight[rows]
            mean = (losses * weight).sum(axis=-1) / weight.sum(axis=-1)
        return mean
