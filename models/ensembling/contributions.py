"""How alike members are, and what each one adds to a blend."""

from __future__ import annotations

import numpy as np

from models.ensembling.fitted_methods import Fitted
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
    most = [int(at) for at in np.argsort(-used, kind="stable")[:MOST_MEMBERS] if used[at] > 0]
    scores = _without(most, method, oof, goal, assignment)
    gains[most] = method.mean - scores
    return gains if goal.metric.greater_is_better else -gains


def _without(
    left_out: list[int],
    method: NestedMethod,
    oof: np.ndarray,
    goal: Goal,
    assignment: np.ndarray,
) -> np.ndarray:
    """The nested score with each of these members replaced: `(len(left_out),)`."""
    n_folds = int(assignment.max()) + 1
    scores: list[list[np.ndarray]] = [[] for _ in left_out]
    for repeat, folds in enumerate(assignment):
        predicted = np.full((len(left_out), *oof.shape[1:]), np.nan)
        for fold in range(n_folds):
            rows = folds == fold
            fitted = method.of_split[repeat * n_folds + fold]
            predicted[:, rows] = _replaced(left_out, fitted, oof[:, rows])
        for one, of_repeat in zip(predicted, scores, strict=True):
            of_repeat.append(goal.decide(one, folds[None]).scores)
    return np.array([np.nanmean(np.concatenate(of_one)) for of_one in scores])


def _replaced(left_out: list[int], fitted: Fitted, members: np.ndarray) -> np.ndarray:
    """What is predicted with each member replaced by the mean of the others.

    Args:
        left_out: The members.
        fitted: The method.
        members: `(n_members, n, n_columns)`; changed on the way, and back again.
    """
    total, predicted = members.sum(axis=0), []
    for at in left_out:
        kept = members[at].copy()
        members[at] = (total - kept) / (len(members) - 1)
        predicted.append(fitted.predict(members))
        members[at] = kept
    return np.array(predicted)
