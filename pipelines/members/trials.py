"""Trials of a study: what they are trained on, and how they report their scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.fold_data import FoldData
from pipelines.configuration.member_settings import Encoded
from pipelines.members.data import FoldedDataset, fold_data
from pipelines.members.predictions import Problem


class ReportScore(Protocol):
    """Receives the score of a trial so far; returns whether the trial is to be stopped."""

    def __call__(self, trial: int, step: int, score: float) -> bool: ...  # noqa: D102


@dataclass(frozen=True)
class TrialData:
    """What all trials of a study share.

    Attributes:
        problem: What is predicted, and how it is scored.
        dataset: The encoded tuning folds.
        n_seeds: Replicas per split and trial.
        device: `cpu` or `cuda`.
        replica_keys: The searched keys in which trials may differ that are trained together.
    """

    problem: Problem
    dataset: FoldedDataset
    n_seeds: int
    device: str
    replica_keys: tuple[str, ...] = ()

    @property
    def folds(self) -> list[FoldData]:
        """The tuning folds, as the trainers take them."""
        return [fold_data(view) for view in self.dataset.views]

    @property
    def one_test_row(self) -> list[Encoded]:
        """A test row for each split: no trial needs more, but some trainers predict test rows."""
        return [{k: rows[:1] for k, rows in view.test.items()} for view in self.dataset.views]


class Replica(Protocol):
    """One trained model and its predictions of the rows held out from its split."""

    @property
    def fold(self) -> int: ...  # noqa: D102
    @property
    def valid_predictions(self) -> np.ndarray: ...  # noqa: D102


OnReplica = Callable[[Replica], None]


def split_by_split(
    n_trials: int, data: TrialData, report: ReportScore, train: Callable[[int, OnReplica], None]
) -> list[float | None]:
    """Scores of trials that are trained one after the other, split by split.

    Args:
        n_trials: How many there are.
        data: What they are trained on.
        report: Receives each split's score; may stop the trial.
        train: Trains the trial of that number and calls back after each replica.
    """
    scores: list[float | None] = []
    for trial in range(n_trials):
        splits = _SplitScores(data, trial, report)
        try:
            train(trial, splits.add)
        except _StoppedError:
            scores.append(None)
        else:
            scores.append(splits.mean)
    return scores


class _StoppedError(Exception):
    """Ends the training of a trial that is to be stopped."""


class _SplitScores:
    """The scores of one trial's splits, reported as each of them is complete."""

    def __init__(self, data: TrialData, trial: int, report: ReportScore) -> None:
        self._data, self._trial, self._report = data, trial, report
        self._metric = data.problem.metric
        self._scores: list[list[float]] = [[] for _ in data.dataset.views]

    def add(self, replica: Replica) -> None:
        """Add one replica; its split is reported when all its seeds are there.

        Raises:
            _StoppedError: The trial is to be stopped.
        """
        rows = self._data.dataset.views[replica.fold].split.valid_rows
        scores = self._scores[replica.fold]
        target = self._data.dataset.target[rows]
        scores.append(float(self._metric.score(target, replica.valid_predictions)))
        is_complete = len(scores) == self._data.n_seeds
        if is_complete and self._report(self._trial, replica.fold, float(np.nanmean(scores))):
            raise _StoppedError

    @property
    def mean(self) -> float:
        """The mean over splits."""
        return float(np.nanmean([np.nanmean(scores) for scores in self._scores]))
