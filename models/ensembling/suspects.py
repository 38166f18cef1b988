"""Signs that out-of-fold predictions are not what they claim to be.

They find what a person would see in a plot: a model that is far surer of its training rows than of
the test rows, and one whose errors change with the fold. A model that has learned little by heart
shows neither sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.ensembling.goal import Goal

FEWEST_ROWS = 50
BETTER_THAN_EXPECTED = 0.75  # of the error that the test predictions' own spread leads to expect
SURER_THAN_TEST = 0.85  # the same of the out-of-fold predictions' spread
BETTER_THAN_OTHERS = 0.5  # of the median error of the other members
FEW_MEMBERS = 8  # up to here a member is compared with the others without itself
FOLD_EFFECT = 0.2  # how much less a fold's mean error is than that of all
FOLD_LEVEL = 1e-6  # of the test whether errors differ between folds

Kind = Literal["in-sample", "too good", "folds"]


@dataclass(frozen=True)
class Suspicion:
    """One sign against one member.

    Attributes:
        member: Its index.
        kind: Which sign.
        text: In words, with the numbers.
    """

    member: int
    kind: Kind
    text: str


def suspicions(
    oof: np.ndarray, test: np.ndarray, goal: Goal, fold_of_row: np.ndarray
) -> list[Suspicion]:
    """All signs against all members.

    Args:
        oof: `(n_members, n_rows, n_columns)` of rows that a fold holds out.
        test: `(n_members, n_test, n_columns)`.
        goal: The rows' target.
        fold_of_row: `(n_rows,)`.
    """
    if min(len(goal.target), test.shape[1]) < FEWEST_ROWS:
        return []
    errors = np.stack([_squared_errors(member, goal) for member in oof])
    found = list(_in_sample(oof, test, errors, goal))
    marked = {one.member for one in found}
    found += [one for one in _too_good(errors) if one.member not in marked]
    return found + list(_by_fold(errors, fold_of_row))


def _squared_errors(prediction: np.ndarray, goal: Goal) -> np.ndarray:
    """Each row's squared error, summed over columns: `(n_rows,)`."""
    if goal.task.chooses_class:
        truth = np.eye(goal.task.n_classes)[goal.target]
    else:
        truth = goal.target.reshape(prediction.shape).astype(np.float64)
    errors: np.ndarray = ((prediction - truth) ** 2).sum(axis=1)
    return errors


def _in_sample(
    oof: np.ndarray, test: np.ndarray, errors: np.ndarray, goal: Goal
) -> Iterator[Suspicion]:
    """Out-of-fold rows predicted better than the predictions of the test rows themselves expect."""
    for at, (of_train, of_test) in enumerate(zip(oof, test, strict=True)):
        expected, claimed = (_expected_error(part, goal) for part in (of_test, of_train))
        measured = float(errors[at].mean())
        is_better = measured < BETTER_THAN_EXPECTED * expected
        if is_better and claimed < SURER_THAN_TEST * expected:
            yield Suspicion(
                at,
                "in-sample",
                f"its error on the training rows is {measured:.3g}, but its test predictions are "
                f"as unsure as an error of {expected:.3g}: these are predictions of rows that the "
                "model was trained on, not out-of-fold ones",
            )


def _expected_error(prediction: np.ndarray, goal: Goal) -> float:
    """The squared error that a calibrated model with these predictions would have."""
    if goal.task.predicts_probabilities:
        return float((prediction * (1 - prediction)).sum(axis=1).mean())
    of_target = goal.target.reshape(len(goal.target), -1).astype(np.float64)
    left = np.maximum(_spread(of_target) - _spread(prediction), 0.0)
    return float(left.sum())


def _spread(values: np.ndarray) -> np.ndarray:
    """The variance of each column, without its largest and smallest hundredth."""
    low, high = np.quantile(values, (0.01, 0.99), axis=0)
    spread: np.ndarray = np.clip(values, low, high).var(axis=0)
    return spread


def _too_good(errors: np.ndarray) -> Iterator[Suspicion]:
    """A member that is far better than all the others."""
    means = errors.mean(axis=1)
    for at, mean in enumerate(means if len(means) > 2 else ()):
        others = float(np.median(np.delete(means, at)))
        if mean < BETTER_THAN_OTHERS * others:
            yield Suspicion(
                at,
                "too good",
                f"its error of {mean:.3g} is less than half of that of the other members "
                f"({others:.3g}): look how it was made before you trust it",
            )


def _by_fold(errors: np.ndarray, fold_of_row: np.ndarray) -> Iterator[Suspicion]:
    """Members with a fold that they predict better than the others, beyond what all do."""
    from scipy.stats import f_oneway

    folds = np.unique(fold_of_row)
    if len(folds) < 2 or np.bincount(fold_of_row)[folds].min() < 2:
        return
    of_all = np.median(errors, axis=0) if len(errors) > FEW_MEMBERS else None
    for at, of_member in enumerate(errors):
        beyond = of_member - _usual(errors, at, of_all)
        by_fold = [beyond[fold_of_row == fold] for fold in folds]
        effects = np.array([part.mean() for part in by_fold]) - beyond.mean()
        best = int(effects.argmin())
        effect = -effects[best] / max(float(of_member.mean()), 1e-12)
        level = FOLD_LEVEL / len(errors)
        if effect > FOLD_EFFECT and float(f_oneway(*by_fold).pvalue) < level:
            yield Suspicion(
                at,
                "folds",
                f"its error in fold {folds[best]} is {effect:.0%} less than in all, beyond what "
                "the other members show there: its model of that fold may have seen these rows",
            )


def _usual(errors: np.ndarray, at: int, of_all: np.ndarray | None) -> np.ndarray | float:
    """The other members' median error of each row; 0 where there are too few of them."""
    if of_all is not None:
        return of_all
    if len(errors) < 3:
        return 0.0
    median: np.ndarray = np.median(np.delete(errors, at, axis=0), axis=0)
    return median
