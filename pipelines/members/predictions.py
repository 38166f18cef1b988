"""A member's predictions: out-of-fold and test rows, and their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from models.decisions import nested_decision
from models.metrics import Metric
from models.target_scale import Transform
from models.tasks import Task
from pipelines.members.data import FoldedDataset

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition


class TrainingError(RuntimeError):
    """A split without a single usable replica."""

    exit_code = 3


LOSS_OF_TASK = {
    "binary": "binary_cross_entropy",
    "multiclass": "cross_entropy",
    "multilabel": "multilabel",
}
LOSS_OF = {
    "absolute": "mae",
    "absolute_percentage": "mae",
    "symmetric_percentage": "mae",
}


def mean_defined(scores: np.ndarray) -> np.ndarray:
    """The mean over the last axis where the metric is defined; NaN where it is nowhere."""
    n_defined = np.isfinite(scores).sum(axis=-1)
    mean: np.ndarray = np.nansum(scores, axis=-1) / np.where(n_defined > 0, n_defined, np.nan)
    return mean


@dataclass(frozen=True)
class Problem:
    """The part of a competition that its members need.

    Attributes:
        task: What is predicted.
        metric: The metric that decides.
        extra_metrics: The metrics that are reported beside it.
        names: What each class is called, or each target; for messages.
    """

    task: Task
    metric: Metric
    extra_metrics: tuple[Metric, ...] = ()
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, competition: Competition) -> Problem:
        """The problem that the competition poses."""
        return cls(
            task=competition.predicts,
            metric=competition.metric,
            extra_metrics=competition.extra_metrics,
            names=competition.label_names or competition.targets,
        )

    @property
    def values_loss(self) -> str:
        """The loss of values that the metric rewards, by its name in `models.losses`."""
        if self.metric.values_loss == "pinball":
            return f"quantile@{self.metric.level:g}"
        return LOSS_OF.get(self.metric.values_loss, "mse")

    @property
    def loss(self) -> str:
        """Name of the loss that networks minimise, in `models.losses`."""
        return LOSS_OF_TASK.get(self.task.kind, self.values_loss)

    @property
    def transform(self) -> Transform:
        """The scale on which the metric compares values."""
        is_log = self.metric.values_loss == "squared_log"
        return "log1p" if is_log and self.task.kind == "regression" else "none"


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
        refit_models: The same of the models that predict the test rows, if others do.
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
    refit_models: dict[str, bytes] | None = None
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
        extra = [self._scores(problem, metric) for metric in problem.extra_metrics]
        return Predictions(
            member=member,
            oof=self._oof(),
            test=test,
            scores=self._scores(problem, problem.metric),
            also=np.array(extra).reshape(len(extra), len(self.by_split)),
        )

    def _oof(self) -> np.ndarray:
        """Every row's prediction by models that never saw it; NaN for rows never held out."""
        shape = (len(self.dataset.target), self.by_split[0].shape[1])
        total, n_times = np.zeros(shape), np.zeros((shape[0], 1))
        for view, predicted in zip(self.dataset.views, self.by_split, strict=True):
            total[view.split.valid_rows] += predicted
            n_times[view.split.valid_rows] += 1
        mean: np.ndarray = np.where(n_times > 0, total / np.maximum(n_times, 1), np.nan)
        return mean

    def _scores(self, problem: Problem, metric: Metric) -> np.ndarray:
        """Each fold's score, with the decision rule that the other folds' rows choose."""
        target, weight = self.dataset.target, self.dataset.weight
        scores = []
        for repeat, folds in enumerate(self.dataset.folds.assignment):
            predicted, assignment = self._of_repeat(repeat), folds[None]
            decided = nested_decision(metric, problem.task, target, predicted, assignment, weight)
            scores.append(decided.scores)
        return np.concatenate(scores)

    def _of_repeat(self, repeat: int) -> np.ndarray:
        """One repeat's predictions, `(n_rows, n_columns)`; NaN for rows never held out."""
        predicted = np.full((len(self.dataset.target), self.by_split[0].shape[1]), np.nan)
        for view, of_split in zip(self.dataset.views, self.by_split, strict=True):
            if view.split.repeat == repeat:
                predicted[view.split.valid_rows] = of_split
        return predicted
