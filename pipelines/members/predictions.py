"""A member's predictions: out-of-fold and test rows, and their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from models.metrics import METRICS
from pipelines.members.data import FoldedDataset

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition


class TrainingError(RuntimeError):
    """A split without a single usable replica."""

    exit_code = 3


@dataclass(frozen=True)
class Problem:
    """The part of a competition that its members need.

    Attributes:
        n_classes: Columns of the probabilities.
        metric: Name of the metric that decides, in `models.metrics.METRICS`.
        extra_metrics: Names of the metrics that are reported beside it.
        loss: Name of the loss that networks minimise, in `models.losses.LOSSES`.
    """

    n_classes: int
    metric: str
    extra_metrics: tuple[str, ...] = ()
    loss: str = "cross_entropy"

    @classmethod
    def of(cls, competition: Competition) -> Problem:
        """The problem that the competition poses."""
        return cls(
            n_classes=len(competition.classes),
            metric=competition.metric,
            extra_metrics=competition.also,
            loss="binary_cross_entropy" if competition.is_binary else "cross_entropy",
        )


@dataclass(frozen=True)
class Predictions:
    """What one member predicts for every row.

    Attributes:
        member: Its name.
        oof: `(n_train, n_classes)` probabilities by models that never saw the row; the mean over
            seeds and repeats.
        test: `(n_test, n_classes)`, the mean over all replicas.
        scores: `(n_splits,)`, the metric on each split's held-out rows.
        also: `(n_extra_metrics, n_splits)`, the extra metrics.
        curves: By name (`train_loss` ...), `(n_replicas, n_epochs)`, NaN where a replica was not
            evaluated; empty for kinds without epochs.
        importances: `(n_inputs,)`, each input's share of the gain; empty for kinds without it.
        models: By file name, the content of each saved model; empty when read back.
        warnings: Replicas that were left out, and why.
        notes: What else a person should know about the training.
    """

    member: str
    oof: np.ndarray
    test: np.ndarray
    scores: np.ndarray
    also: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    importances: np.ndarray = field(default_factory=lambda: np.empty(0))
    models: dict[str, bytes] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class HeldOut:
    """A member's predictions of the rows that are held out from each split.

    Attributes:
        dataset: What the member was trained on.
        by_split: For each split `(n_fold_valid, n_classes)`, the mean over seeds.
    """

    dataset: FoldedDataset
    by_split: list[np.ndarray]

    @classmethod
    def of(cls, parts: Sequence[tuple[int, np.ndarray]], dataset: FoldedDataset) -> HeldOut:
        """The mean over each split's usable replicas.

        Args:
            parts: For each replica its split and its `(n_fold_valid, n_classes)` probabilities.
            dataset: What the replicas were trained on.

        Raises:
            TrainingError: A split has no replica.
        """
        splits = [[p for split, p in parts if split == at] for at in range(len(dataset.views))]
        empty = [dataset.views[at].split for at, found in enumerate(splits) if not found]
        if empty:
            names = ", ".join(f"repeat {split.repeat} fold {split.fold}" for split in empty[:3])
            raise TrainingError(
                f"no usable replica in {names}: every seed went to NaN; "
                "lower train.lr or set train.grad_clip=1"
            )
        return cls(dataset, [np.stack(found).mean(axis=0, dtype=np.float64) for found in splits])

    def predictions(self, member: str, problem: Problem, test: np.ndarray) -> Predictions:
        """The member's predictions with their scores, for the kind to add what else it has.

        Args:
            member: Its name.
            problem: The metrics to score by.
            test: `(n_test, n_classes)`, the test rows' predictions.
        """
        extra = [self._scores(metric) for metric in problem.extra_metrics]
        return Predictions(
            member=member,
            oof=self._oof(),
            test=test,
            scores=self._scores(problem.metric),
            also=np.array(extra).reshape(len(extra), len(self.by_split)),
        )

    def _oof(self) -> np.ndarray:
        """Every row's prediction by models that never saw it, the mean over repeats."""
        total = np.zeros((len(self.dataset.target), self.by_split[0].shape[1]))
        for view, probabilities in zip(self.dataset.views, self.by_split, strict=True):
            total[view.split.valid_rows] += probabilities
        return total / self.dataset.folds.n_repeats

    def _scores(self, metric: str) -> np.ndarray:
        score, target = METRICS[metric].function, self.dataset.target
        rows = (view.split.valid_rows for view in self.dataset.views)
        return np.array([score(target[r], p) for r, p in zip(rows, self.by_split, strict=True)])
