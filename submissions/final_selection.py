"""Proposes the two submissions to select at the end of a competition."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Candidate:
    """A run that could be selected.

    Attributes:
        run: The run's id.
        cv: Its cross-validated score.
        cv_std: The standard deviation of the score over folds.
        n_splits: The number of folds.
        table: Its submission, indexed by id.
    """

    run: str
    cv: float
    cv_std: float
    n_splits: int
    table: pd.DataFrame

    @property
    def standard_error(self) -> float:
        """Of `cv`, as if folds were independent; too small, since folds share training rows."""
        return self.cv_std / math.sqrt(self.n_splits)


@dataclass(frozen=True)
class Finals:
    """The proposal.

    Attributes:
        best: The run with the best cross-validated score.
        other: The run that differs most from it among those as good; None if there is no other.
        n_as_good: The number of runs within one standard error of the best, itself included.
        difference: Between the two; 0 for identical submissions.
    """

    best: Candidate
    other: Candidate | None
    n_as_good: int
    difference: float


Difference = Callable[[pd.DataFrame, pd.DataFrame], float]


def propose(
    candidates: Sequence[Candidate], *, greater_is_better: bool, difference: Difference
) -> Finals:
    """The best run by cross-validation, and the run that differs most from it among those as good.

    A run is as good if it is within one standard error of the best. If there is no such run, the
    second best is proposed. Runs with the same submission as the best one are left out.

    Source: the one-standard-error rule of Breiman, Friedman, Stone and Olshen (1984).

    Raises:
        ValueError: There is no candidate.
    """
    if not candidates:
        raise ValueError("no candidate to choose from")
    sign = -1.0 if greater_is_better else 1.0
    best, *others = sorted(candidates, key=lambda one: sign * one.cv)
    apart = {one.run: difference(best.table, one.table) for one in others}
    others = [one for one in others if apart[one.run] > 0]
    as_good = [one for one in others if abs(one.cv - best.cv) <= best.standard_error]
    other = next(iter(others), None)
    if as_good:
        other = max(as_good, key=lambda one: apart[one.run])
    return Finals(best, other, 1 + len(as_good), apart[other.run] if other else 0.0)


def share_differing(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """The share of rows with different labels; both tables are indexed by the same ids."""
    labels = one.to_numpy(), other.loc[one.index].to_numpy()
    return float(np.mean(np.any(labels[0] != labels[1], axis=1)))


def lack_of_correlation(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """1 minus the correlation of two submissions of probabilities, averaged over columns."""
    x = one.to_numpy(np.float64)
    y = other.loc[one.index].to_numpy(np.float64)
    if np.array_equal(x, y):
        return 0.0
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    scale = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    return float(1 - np.mean((x * y).sum(axis=0)[scale > 0] / scale[scale > 0]))
