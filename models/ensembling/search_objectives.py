"""What a search for weights climbs: the metric itself, and the slope that ranks possible steps.

The slope of the metric by the blend's predictions makes the gain of a small step towards every
member one product of a matrix and a vector. Only the most promising steps are then scored exactly.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from models.ensembling.goal import SMALLEST_PROBABILITY, Goal, Mixable

RANKED = ("auc", "gini")  # of two classes, the same for every monotone change of the predictions
ROW_LOSSES = ("log_loss", "rmse", "mcrmse", "rmsle", "mae", "mape", "smape", "pinball")
STEP = 1e-4  # of a numerical slope, relative to the spread of the predictions
N_BINS = 256  # of the predictions, where the slope of AUC counts pairs of neighbours
FLOOR = 1e-6  # smallest width of such a bin, and smallest probability of a slope


class Objective(ABC):
    """The members in the form that is searched, and the score of a mixture; greater is better.

    Attributes:
        members: `(n_members, n_rows, k) float32`.
    """

    members: np.ndarray

    @abstractmethod
    def score(self, mixed: np.ndarray, rows: np.ndarray) -> float:
        """The score of a mixture `(n, k)` of the rows with these numbers."""

    @abstractmethod
    def slope(self, mixed: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """By how much the score grows with each prediction, up to a factor: `(n, k)`."""


@dataclass(frozen=True)
class RowLoss(Objective):
    """A metric that falls or rises with the mean of a loss of each row.

    Attributes:
        members: Those of `mixable`, as float32.
        mixable: The loss.
    """

    members: np.ndarray
    mixable: Mixable

    def score(self, mixed: np.ndarray, rows: np.ndarray) -> float:
        """The negative mean loss."""
        return -float(self.mixable.mean(self.mixable.losses(self._inside(mixed), 1.0, rows), rows))

    def slope(self, mixed: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Exact for log-loss, numerical for losses of values."""
        weight = self.mixable.weight
        if self.mixable.answers is None:
            slope = 1 / np.maximum(mixed, FLOOR)
        else:
            slope = self._numerical(mixed, rows)
        return np.asarray(slope if weight is None else slope * weight[rows, None])

    def _inside(self, mixed: np.ndarray) -> np.ndarray:
        """Probabilities that stay above zero where weights are negative."""
        return mixed if self.mixable.answers is not None else np.maximum(mixed, FLOOR)

    def _numerical(self, mixed: np.ndarray, rows: np.ndarray) -> np.ndarray:
        step = STEP * (float(np.std(mixed)) or 1.0)
        slope = np.empty(mixed.shape)
        for column in range(mixed.shape[1]):
            moved = np.zeros(mixed.shape[1])
            moved[column] = step
            more = self.mixable.losses(mixed + moved, 1.0, rows)
            slope[:, column] = (self.mixable.losses(mixed - moved, 1.0, rows) - more) / (2 * step)
        return slope


@dataclass(frozen=True)
class PairRanks(Objective):
    """The area under the ROC curve of two classes.

    Attributes:
        members: Each one's probability of the second class, `(n_members, n_rows, 1)`.
        is_second: `(n_rows,) bool`.
    """

    members: np.ndarray
    is_second: np.ndarray

    def score(self, mixed: np.ndarray, rows: np.ndarray) -> float:
        """The share of pairs in the right order, a tie counting one half."""
        return fast_auc(self.is_second[rows], mixed[:, 0])

    def slope(self, mixed: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The density of the other class's rows at each row's prediction, upwards for the second.

        A row that moves up by a little passes the rows of the other class that are there now.
        """
        second, values = self.is_second[rows], mixed[:, 0]
        edges = np.unique(np.quantile(values, np.linspace(0, 1, N_BINS + 1)))
        if len(edges) < 2:
            return np.zeros(mixed.shape)
        at = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
        widths = np.maximum(np.diff(edges), FLOOR)
        of_class = [
            np.bincount(at[second == c], minlength=len(widths)) / widths for c in (False, True)
        ]
        slope = np.where(second, of_class[0][at], -of_class[1][at])
        return np.asarray(slope[:, None])


@dataclass(frozen=True)
class AnyMetric(Objective):
    """Any other metric, by its own function; the slope is that of log-loss or of squared error.

    Attributes:
        members: All columns of the predictions.
        goal: Target and metric.
    """

    members: np.ndarray
    goal: Goal

    def score(self, mixed: np.ndarray, rows: np.ndarray) -> float:
        """The metric, with the sign that makes greater better; undefined counts as worst."""
        goal = self.goal.at(rows)
        score = goal.metric.score(goal.target, mixed, goal.weight)
        signed = score if goal.metric.greater_is_better else -score
        return float(np.nan_to_num(signed, nan=-np.inf))

    def slope(self, mixed: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """That of log-loss for probabilities, of squared error for values."""
        target, task = self.goal.target[rows], self.goal.task
        if task.chooses_class:
            truth = np.eye(task.n_classes)[target]
            slope = truth / np.maximum(mixed, FLOOR)
        elif task.predicts_probabilities:
            up, down = 1 / np.maximum(mixed, FLOOR), -1 / np.maximum(1 - mixed, FLOOR)
            slope = np.where(target == 1, up, down)
        else:
            slope = target.reshape(mixed.shape) - mixed
        weight = self.goal.weight
        return np.asarray(slope if weight is None else slope * weight[rows, None])


def objective_of(oof: np.ndarray, goal: Goal) -> Objective:
    """The fastest form in which these members can be searched on the goal's metric.

    Args:
        oof: `(n_members, n_rows, n_columns)` out-of-fold predictions.
        goal: Target and metric.
    """
    name, task = goal.metric.name, goal.task
    if name in RANKED and task.kind == "binary" and goal.weight is None:
        return PairRanks(oof[:, :, 1:].astype(np.float32), goal.target == 1)
    if name in ROW_LOSSES and task.kind != "ordinal":
        return row_loss_of(oof, goal)
    return AnyMetric(oof.astype(np.float32), goal)


def row_loss_of(oof: np.ndarray, goal: Goal) -> RowLoss:
    """The members with the loss that the metric rewards: log-loss for all probabilities."""
    mixable = goal.mixable(oof)
    members = np.maximum(mixable.members, SMALLEST_PROBABILITY) if mixable.answers is None else None
    searched = (mixable.members if members is None else members).astype(np.float32)
    return RowLoss(searched, Mixable(searched, mixable.answers, mixable.row_loss, mixable.weight))


def fast_auc(is_second: np.ndarray, values: np.ndarray) -> float:
    """The area under the ROC curve; NaN for one class alone.

    One sort of float32 numbers; ties share their mean rank.

    Args:
        is_second: `(n,) bool`.
        values: `(n,)`.
    """
    order = np.argsort(values, kind="stable" if len(values) < N_BINS else None)
    ordered, second = values[order], is_second[order]
    n_second = int(second.sum())
    n_first = len(second) - n_second
    if not n_first or not n_second:
        return float("nan")
    first_of_tie = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    if len(first_of_tie) == len(ordered):
        rank_sum = float(np.flatnonzero(second).sum()) + n_second
    else:
        ends = np.append(first_of_tie[1:], len(ordered))
        n_in_tie = np.add.reduceat(second.astype(np.int64), first_of_tie)
        rank_sum = float(((first_of_tie + ends + 1) / 2 * n_in_tie).sum())
    return (rank_sum - n_second * (n_second + 1) / 2) / (n_second * n_first)
