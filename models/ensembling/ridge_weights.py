"""Linear regression of the target on the members' predictions, solved in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.ensembling.goal import Goal
from models.ensembling.member_inputs import valid
from models.tasks import Task

PENALTY = 1e-3  # of the squared coefficients of standardised inputs, for each row


@dataclass(frozen=True)
class RidgeOfMembers:
    """A fitted line.

    Attributes:
        coefficients: `(d, n_outputs)`; of two classes there is one output.
        intercept: `(n_outputs,)`.
        task: What is predicted.
        weights: None: a line has a coefficient for each column of each member.
    """

    coefficients: np.ndarray
    intercept: np.ndarray
    task: Task
    weights: np.ndarray | None = None

    def predict(self, members: np.ndarray) -> np.ndarray:
        """`(n_members, n_rows, n_columns)` -> `(n_rows, n_columns)`."""
        predicted = _columns(members, self.task) @ self.coefficients + self.intercept
        if self.task.kind == "binary":
            predicted = np.hstack([1 - predicted, predicted])
        return valid(predicted, self.task)


def fit_ridge(oof: np.ndarray, goal: Goal) -> RidgeOfMembers:
    """The regression of the target, or of each class's indicator, on all columns of all members.

    Args:
        oof: `(n_members, n_rows, n_columns)` out-of-fold predictions.
        goal: Target and weights.
    """
    x, y = _columns(oof, goal.task), _targets(goal)
    share = np.full(len(x), 1 / len(x)) if goal.weight is None else goal.weight / goal.weight.sum()
    x_mean, y_mean = share @ x, share @ y
    x, y = x - x_mean, y - y_mean
    scale = np.sqrt(share @ x**2)
    scale = np.where(scale > 0, scale, 1.0)
    x /= scale
    gram = (x * share[:, None]).T @ x + PENALTY * np.eye(x.shape[1])
    coefficients = np.linalg.solve(gram, (x * share[:, None]).T @ y) / scale[:, None]
    return RidgeOfMembers(coefficients, y_mean - x_mean @ coefficients, goal.task)


def _columns(members: np.ndarray, task: Task) -> np.ndarray:
    """The members' columns side by side, `(n_rows, d) float64`; of two classes the second."""
    columns = members[:, :, 1:] if task.kind == "binary" else members
    side_by_side: np.ndarray = np.moveaxis(columns, 0, 1).reshape(columns.shape[1], -1)
    return side_by_side.astype(np.float64)


def _targets(goal: Goal) -> np.ndarray:
    """What is regressed, `(n_rows, n_columns)`; of two classes one column."""
    if goal.task.kind == "binary":
        return goal.target[:, None].astype(np.float64)
    if goal.task.chooses_class:
        return np.asarray(np.eye(goal.task.n_classes)[goal.target])
    return goal.target.reshape(len(goal.target), -1).astype(np.float64)
