"""Every method scored nested, and the choice between them nested as well.

A fold is predicted by what a method learned on the other folds. The method that predicts a fold is
chosen by its scores on the other folds too, so the score of the whole, choice included, is honest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from models.decisions import Decision
from models.ensembling.blending import mean_over_repeats
from models.ensembling.fitted_methods import Fitted, WeightedMembers
from models.ensembling.goal import Goal
from models.ensembling.methods import EqualWeights, Method
from models.ensembling.selection import BEST_MEMBER, standard_error
from models.metrics import Metric

Tell = Callable[[int, int], None]  # called with the fits that are done, and their number


@dataclass(frozen=True)
class NestedMethod:
    """A method and its honest predictions.

    Attributes:
        name: The method's.
        by_repeat: `(n_repeats, n_rows, n_columns)`, each row predicted without its fold; NaN for
            rows that no fold holds out.
        scores: `(n_repeats * n_folds,)`, repeat-major.
        of_split: The fitted method of each split, in the same order.
        of_all: Fitted on all held-out rows.
        decision: From predictions to answers, chosen on all held-out rows.
    """

    name: str
    by_repeat: np.ndarray
    scores: np.ndarray
    of_split: tuple[Fitted, ...]
    of_all: Fitted
    decision: Decision

    @property
    def oof(self) -> np.ndarray:
        """The mean over repeats, `(n_rows, n_columns)`."""
        return mean_over_repeats(list(self.by_repeat))

    @property
    def mean(self) -> float:
        """The mean score over the folds where the metric is defined."""
        return float(np.nanmean(self.scores)) if np.isfinite(self.scores).any() else np.nan


def evaluate(
    method: Method,
    oof: np.ndarray,
    goal: Goal,
    assignment: np.ndarray,
    tell: Tell | None = None,
) -> NestedMethod:
    """Fit a method for every fold without it, score it there, and fit it on all rows.

    Args:
        method: The method.
        oof: `(n_members, n_rows, n_columns)` out-of-fold predictions.
        goal: What is predicted.
        assignment: `(n_repeats, n_rows)`, the fold that holds each row out, -1 for none.
        tell: Hears of each fit.
    """
    n_folds = int(assignment.max()) + 1
    by_repeat = np.full((len(assignment), *oof.shape[1:]), np.nan)
    fitted: list[Fitted] = []
    scores: list[np.ndarray] = []
    for repeat, folds in enumerate(assignment):
        for fold in range(n_folds):
            rows = folds == fold
            fitted.append(_fitted_without(method, oof, goal, folds, fold))
            by_repeat[repeat, rows] = fitted[-1].predict(oof[:, rows])
            if tell is not None:
                tell(len(fitted), n_folds * len(assignment) + 1)
        scores.append(goal.decide(by_repeat[repeat], folds[None]).scores)
    held_out = np.asarray((assignment >= 0).any(axis=0))
    of_all = method.fit(oof[:, held_out], goal.at(held_out), assignment[0][held_out])
    mean = mean_over_repeats(list(by_repeat))
    decision = goal.decide(mean, assignment).decision
    return NestedMethod(
        method.name, by_repeat, np.concatenate(scores), tuple(fitted), of_all, decision
    )


def best_alone(
    member_scores: np.ndarray, oof: np.ndarray, goal: Goal, assignment: np.ndarray
) -> NestedMethod:
    """The best member, chosen for each fold by its scores on the other folds.

    Args:
        member_scores: `(n_members, n_splits)`, repeat-major.
        oof: `(n_members, n_rows, n_columns)` out-of-fold predictions.
        goal: What is predicted.
        assignment: `(n_repeats, n_rows)`.
    """
    by_repeat = np.full((len(assignment), *oof.shape[1:]), np.nan)
    chosen: list[int] = []
    for split in range(member_scores.shape[1]):
        repeat, fold, others = _others(split, assignment)
        chosen.append(_best(member_scores[:, others], goal.metric))
        rows = assignment[repeat] == fold
        by_repeat[repeat, rows] = oof[chosen[-1], rows]
    fitted = [WeightedMembers(np.eye(len(oof))[at], goal.task) for at in chosen]
    of_all = WeightedMembers(np.eye(len(oof))[_best(member_scores, goal.metric)], goal.task)
    scores = member_scores[chosen, np.arange(len(chosen))]
    decision = goal.decide(mean_over_repeats(list(by_repeat)), assignment).decision
    return NestedMethod(BEST_MEMBER, by_repeat, scores, tuple(fitted), of_all, decision)


def _others(split: int, assignment: np.ndarray) -> tuple[int, int, np.ndarray]:
    """A split's repeat and fold, and the other splits of its repeat, `(n_splits,) bool`.

    Other repeats hold out the same rows, so their scores know the split's labels.
    """
    n_folds = int(assignment.max()) + 1
    repeat, fold = divmod(split, n_folds)
    others = np.zeros(len(assignment) * n_folds, dtype=bool)
    others[repeat * n_folds : (repeat + 1) * n_folds] = True
    others[split] = False
    return repeat, fold, others


def _best(scores: np.ndarray, metric: Metric) -> int:
    """The member with the best mean over splits, `(n_members, n_splits)`; of equals the first."""
    sign = 1 if metric.greater_is_better else -1
    known = np.isfinite(scores)
    total = np.where(known, sign * scores, 0.0).sum(axis=1)
    means = total / np.maximum(known.sum(axis=1), 1)
    return int(np.where(known.any(axis=1), means, -np.inf).argmax())


def _fitted_without(
    method: Method, oof: np.ndarray, goal: Goal, folds: np.ndarray, fold: int
) -> Fitted:
    """The method, fitted on the other folds; equal weights where there are no others."""
    others = (folds != fold) & (folds >= 0)
    if not others.any():
        return EqualWeights().fit(oof, goal, folds)
    return method.fit(oof[:, others], goal.at(others), folds[others])


def simplest_of_the_best(
    scores: np.ndarray, metric: Metric, n_folds: int
) -> tuple[int, list[float | None]]:
    """The simplest method within one standard error of the best, and the errors.

    Args:
        scores: `(n_methods, n_splits)`, the simplest method first.
        metric: The competition's.
        n_folds: Folds per repeat.

    Returns:
        Its index, and of each method the standard error of its difference to the best; None where
        there are too few splits, and for the best itself.

    Source: Breiman et al., "Classification and Regression Trees", 1984, section 3.4.3.
    """
    sign = 1 if metric.greater_is_better else -1
    means = np.array([np.nanmean(s) if np.isfinite(s).any() else np.nan for s in scores])
    best = int(np.nan_to_num(sign * means, nan=-np.inf).argmax())
    errors = [
        None if at == best else standard_error(sign * (scores[best] - of_one), n_folds)
        for at, of_one in enumerate(scores)
    ]
    for at, error in enumerate(errors):
        if at == best or sign * (means[best] - means[at]) <= (error or 0.0):
            return at, errors
    return best, errors


@dataclass(frozen=True)
class Choice:
    """The chosen method, and the score of choosing.

    Attributes:
        method: The method that predicts the test rows.
        scores: `(n_splits,)`, each fold predicted by the method that the other folds chose.
        oof: `(n_rows, n_columns)`, the mean over repeats.
        names: `(n_splits,)`, the names of the methods that predict each split.
        errors: Of each method, the standard error of its difference to the best one.
    """

    method: NestedMethod
    scores: np.ndarray
    oof: np.ndarray
    names: tuple[str, ...]
    errors: tuple[float | None, ...]


def choose_nested(
    candidates: Sequence[NestedMethod], metric: Metric, assignment: np.ndarray
) -> Choice:
    """Choose a method for the test rows, and for every fold one by the other folds.

    Args:
        candidates: The simplest first.
        metric: The competition's.
        assignment: `(n_repeats, n_rows)`.
    """
    n_folds = int(assignment.max()) + 1
    scores = np.stack([candidate.scores for candidate in candidates])
    chosen, errors = simplest_of_the_best(scores, metric, n_folds)
    by_repeat = np.full(candidates[0].by_repeat.shape, np.nan)
    names, nested = [], []
    for split in range(scores.shape[1]):
        repeat, fold, others = _others(split, assignment)
        at = simplest_of_the_best(scores[:, others], metric, n_folds)[0] if others.any() else 0
        rows = assignment[repeat] == fold
        by_repeat[repeat, rows] = candidates[at].by_repeat[repeat, rows]
        names.append(candidates[at].name)
        nested.append(scores[at, split])
    return Choice(
        candidates[chosen],
        np.array(nested),
        mean_over_repeats(list(by_repeat)),
        tuple(names),
        tuple(errors),
    )
