"""Which two submissions to choose at the end of a competition."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Candidate:
    """A run that could be chosen.

    Attributes:
        cv: its cross-validated score.
        cv_std: its standard deviation over the folds.
        n_splits: over how many.
        table: its submission, indexed by id.
    """

    run: str
    cv: float
    cv_std: float
    n_splits: int
    table: pd.DataFrame

    @property
    def standard_error(self) -> float:
        """Of `cv`, as if folds were independent: they share training rows, so it is too small."""
        return self.cv_std / math.sqrt(self.n_splits)


@dataclass(frozen=True)
class Finals:
    """The proposal.

    Attributes:
        best: the run of the best cross-validated score.
        other: of those as good, the one that differs most; None where there is no other run.
        n_as_good: how many runs lie within one standard error of the best, itself included.
        difference: between the two, from 0 (same answers).
    """

    best: Candidate
    other: Candidate | None
    n_as_good: int
    difference: float


Difference = Callable[[pd.DataFrame, pd.DataFrame], float]


def propose(
    candidates: Sequence[Candidate], *, greater_is_better: bool, difference: Difference
) -> Finals:
    """The best by cross-validation, and among those as good the one that differs from it most.

    As good is within one standard error of the best. Where no other run is, the second best is
    proposed. Runs that give the same answers as the best count as the best.

    Source: the one-standard-error rule of Breiman, Friedman, Stone and Olshen (1984).

    Raises:
        ValueError: no candidate.
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
    """The share of rows with another label; both tables are indexed by the same ids."""
    labels = one.to_numpy(), other.loc[one.index].to_numpy()
    return float(np.mean(np.any(labels[0] != labels[1], axis=1)))


def lack_of_correlation(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """1 minus the mean over columns of the correlation of two submissions of probabilities."""
    x = one.to_numpy(np.float64)
    y = other.loc[one.index].to_numpy(np.float64)
    if np.array_equal(x, y):
        return 0.0
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    scale = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    return float(1 - np.mean((x * y).sum(axis=0)[scale > 0] / scale[scale > 0]))
