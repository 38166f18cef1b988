"""How alike members are, and what each one adds to a blend."""

from __future__ import annotations

import numpy as np

from models.decisions import nested_decision
from models.ensembling.goal import Goal
from models.ensembling.nested_methods import NestedMethod

MOST_ROWS = 20_000  # that correlations are computed on
MOST_MEMBERS = 40  # that are left out one after another


def correlations(oof: np.ndarray) -> np.ndarray:
    """The correlation of every two members' predictions, `(n_members, n_members)`.

    Constant members have no correlation with others: 0.

    Args:
        oof: `(n_members, n_rows, n_columns)` of rows that a fold holds out; of two classes the
            second column alone would give the same.
    """
    step = -(-oof.shape[1] // MOST_ROWS)
    columns = oof[:, ::step] - oof[:, ::step].mean(axis=1, keepdims=True)
    flat = columns.reshape(len(oof), -1)
    length = np.sqrt((flat**2).sum(axis=1))
    scaled = flat / np.where(length > 0, length, 1.0)[:, None]
    alike: np.ndarray = scaled @ scaled.T
    np.fill_diagonal(alike, 1.0)
    return alike


def what_each_adds(
    method: NestedMethod, oof: np.ndarray, goal: Goal, assignment: np.ndarray
) -> np.ndarray:
    """How much better the nested score is with a member than without it, `(n_members,)`.

    Without means that its predictions are the mean of the other members'; nothing is fitted again.
    NaN for members beyond the `MOST_MEMBERS` with the largest weights, or with the best own scores.

    Args:
        method: The blend's method, with what it learned for every split.
        oof: `(n_members, n_rows, n_columns)`.
        goal: Target and metric.
        assignment: `(n_repeats, n_rows)`.
    """
    gains = np.full(len(oof), np.nan)
    if len(oof) < 2:
        return gains
    weights = [fitted.weights for fitted in method.of_split]
    used = np.ones(len(oof))
    if all(w is not None for w in weights):
        used = np.abs(np.stack([w for w in weights if w is not None])).max(axis=0)
        gains[used == 0] = 0.0
    for at in np.argsort(-used, kind="stable")[:MOST_MEMBERS]:
        if used[at] > 0:
            gains[at] = method.mean - _without(int(at), method, oof, goal, assignment)
    return gains if goal.metric.greater_is_better else -gains


def _without(
    at: int, method: NestedMethod, oof: np.ndarray, goal: Goal, assignment: np.ndarray
) -> float:
    """The nested score with a member's predictions replaced."""
    n_folds, scores = int(assignment.max()) + 1, []
    for repeat, folds in enumerate(assignment):
        predicted = np.full(oof.shape[1:], np.nan)
        for fold in range(n_folds):
            rows = folds == fold
            members = oof[:, rows].copy()
            members[at] = np.delete(members, at, axis=0).mean(axis=0)
            predicted[rows] = method.of_split[repeat * n_folds + fold].predict(members)
        decided = nested_decision(
            goal.metric, goal.task, goal.target, predicted, folds[None], goal.weight
        )
        scores.append(decided.scores)
    return float(np.nanmean(np.concatenate(scores)))
