"""Competition metrics by name, each a frozen object; a competition may bring one of its own.

Competition files import this module for its names, so torch and scikit-learn are imported on first
use.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from models import batched_metrics, scores
from models.row_losses import LossKind
from models.tasks import Task
from models.undefined_scores import Undefined, undefined_scores

if TYPE_CHECKING:
    from torch import Tensor

Looks = Literal["labels", "probabilities", "values", "ranking"]
Function = Callable[[np.ndarray, np.ndarray, "np.ndarray | None"], float]

LEVELLED = re.compile(r"(pinball)@(0?\.\d+)")
RANKED = re.compile(r"(map)@([1-9]\d*)")
HALF = 0.5  # from this probability on a label of several holds


class UnknownMetricError(ValueError):
    """No metric has that name."""

    exit_code = 2


class MetricError(ValueError):
    """A metric that cannot score what it is given."""

    exit_code = 2


@dataclass(frozen=True)
class Metric:
    """A score of predictions.

    One of a person's own is a line:
    `Metric("within_10", lambda t, p, w: float((abs(t - p) < 10).mean()), True, on="values")`.

    Attributes:
        name: What people type.
        function: From target, prediction and weights `(n,)` (None: all equal) to the score. By
            `on`, the arrays are positions of labels `(n,)` and `(n,)`; positions `(n,)` and
            probabilities, `(n,)` of the second of two classes, else `(n, n_classes)`; values `(n,)`
            and `(n,)`; positions `(n,)` and `(n, k)`, the likeliest first.
        greater_is_better: Whether a greater score is better.
        on: What it looks at.
        batched: The same for R models at once, in torch:
            (target (R, n), predictions (R, n, n_columns)) -> (R,).
        k: Labels that a ranking holds.
        values_loss: By which loss of a row blends of values are searched.
        level: The quantile, of a loss that has one.
    """

    name: str
    function: Function
    greater_is_better: bool
    on: Looks = "probabilities"
    batched: Callable[[Tensor, Tensor], Tensor] | None = None
    k: int | None = None
    values_loss: LossKind = "squared"
    level: float = 0.5

    def score(
        self, target: np.ndarray, prediction: np.ndarray, weight: np.ndarray | None = None
    ) -> float:
        """The score of one model; NaN where it is undefined, as AUC is for one class alone.

        Args:
            target: In the form of its `Task`; of several columns, the scores' mean is taken.
            prediction: `(n, n_columns)`.
            weight: `(n,)`; None for equal weights.

        Raises:
            MetricError: The prediction does not hold what the metric looks at.
        """
        if prediction.ndim == 1:
            prediction = prediction[:, None]
        if weight is None and self._is_batched(target.ndim, prediction.shape[-1]):
            return self._score_batched(target, prediction)
        if target.ndim == 1:
            return self._score_column(target, prediction, weight)
        if self.name in scores.F1_AVERAGES:
            return self.score_answers(target, prediction >= HALF, weight)
        columns = zip(target.T, prediction.T, strict=True)
        found = [self._score_column(t, p[:, None], weight) for t, p in columns]
        return _mean_defined(found)

    def __call__(
        self, target: np.ndarray, prediction: np.ndarray, weight: np.ndarray | None = None
    ) -> float:
        """The same as `score`."""
        return self.score(target, prediction, weight)

    def score_answers(
        self, target: np.ndarray, answers: np.ndarray, weight: np.ndarray | None = None
    ) -> float:
        """The score of what `function` takes: `(n,)`, or a column for each of several targets."""
        if target.ndim == 1:
            return float(self.function(target, answers, weight))
        if self.name in scores.F1_AVERAGES:
            average = scores.F1_AVERAGES[self.name]
            return scores.f1_of_columns(target, answers, weight, average=average)
        columns = zip(target.T, answers.T, strict=True)
        return _mean_defined([self.function(t.astype(int), a, weight) for t, a in columns])

    def batched_score(self, target: Tensor, predictions: Tensor) -> Tensor:
        """The scores of R models: `(R, n)`, `(R, n, n_columns)` -> `(R,)`."""
        import torch

        if self.batched is not None and self._is_batched(target.ndim - 1, predictions.shape[-1]):
            return self.batched(target, predictions)

        pairs = zip(target.cpu().numpy(), predictions.cpu().numpy(), strict=True)
        return torch.tensor([self.score(t, p) for t, p in pairs], dtype=torch.float64)

    def is_better(self, score: float, than: float) -> bool:
        """Whether `score` beats `than`; a NaN beats nothing, and anything beats a NaN."""
        if np.isnan(than):
            return not np.isnan(score)
        return score > than if self.greater_is_better else score < than

    def undefined_on(
        self, target: np.ndarray, perfect: np.ndarray, held_out: Sequence[np.ndarray]
    ) -> Undefined | None:
        """What the metric lacks on the splits with these held-out rows; see `undefined_scores`."""
        return undefined_scores(self, target, perfect, held_out)

    def suits(self, task: Task) -> bool:
        """Whether predictions of that task hold what the metric looks at."""
        is_two_class = self.name in TWO_CLASSES
        if self.on == "labels":
            return task.kind != "regression" and (not is_two_class or task.n_classes == 2)
        if self.on == "values":
            return task.kind in ("regression", "ordinal")
        if self.on == "ranking":
            return task.chooses_class
        return task.predicts_probabilities and (not is_two_class or task.n_classes == 2)

    def _is_batched(self, n_dims: int, n_columns: int) -> bool:
        """Whether the batched form takes predictions of that many columns."""
        return self.batched is not None and (self.on == "values" or (n_dims == 1 and n_columns > 1))

    def _score_batched(self, target: np.ndarray, prediction: np.ndarray) -> float:
        import torch

        assert self.batched is not None  # checked by the caller
        rows = torch.as_tensor(np.ascontiguousarray(target))
        columns = torch.as_tensor(np.asarray(prediction, dtype=np.float64))
        return float(self.batched(rows[None], columns[None])[0])

    def _score_column(
        self, target: np.ndarray, prediction: np.ndarray, weight: np.ndarray | None
    ) -> float:
        is_column = prediction.shape[1] == 1
        if self.on == "values":
            self._check(is_column, "values", prediction)
            return float(self.function(target, prediction[:, 0], weight))
        if self.on == "labels":
            return float(self.function(target.astype(int), labels_of(target, prediction), weight))
        if self.on == "ranking":
            self._check(not is_column, "a probability for each class", prediction)
            return float(self.function(target, top_k(prediction, self.k), weight))
        if is_column or prediction.shape[1] == 2:
            return float(self.function(target.astype(int), prediction[:, -1], weight))
        return float(self.function(target, prediction, weight))

    def _check(self, suits: bool, wanted: str, prediction: np.ndarray) -> None:  # noqa: FBT001
        if not suits:
            raise MetricError(
                f"{self.name} looks at {wanted}, found predictions of {prediction.shape[1]} "
                "columns; set another metric or task"
            )


def _mean_defined(scores: Sequence[float]) -> float:
    """The mean over the columns where the score is defined; NaN where it is nowhere."""
    defined = [score for score in scores if not np.isnan(score)]
    return float(np.mean(defined)) if defined else np.nan


def top_k(prediction: np.ndarray, k: int | None) -> np.ndarray:
    """The positions of the k likeliest classes, the likeliest first, `(n, k)`; None for all.

    Of equally likely classes the first comes first.
    """
    ranking: np.ndarray = np.argsort(-prediction, axis=1, kind="stable")[:, :k]
    return ranking


def labels_of(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """The labels without a decision rule, `(n,)` positions.

    The likeliest class; the nearest position; of one of several columns, whether it is likelier
    than not.
    """
    labels: np.ndarray
    if prediction.shape[1] > 1:
        labels = prediction.argmax(axis=1)
    elif np.issubdtype(target.dtype, np.integer):
        labels = np.clip(np.rint(prediction[:, 0]), 0, None).astype(np.int64)
    else:
        labels = (prediction[:, 0] >= HALF).astype(np.int64)
    return labels


def metric_named(name: str) -> Metric:
    """The metric of that name; `map@5` and `pinball@0.9` hold a number of your own.

    Raises:
        UnknownMetricError: No metric has it; suggests the nearest.
    """
    if name in METRICS:
        return METRICS[name]
    if match := RANKED.fullmatch(name):
        return _ranking(int(match[2]))
    if (match := LEVELLED.fullmatch(name)) and float(match[2]) > 0:
        return replace(_pinball(float(match[2])), name=name)
    if name.startswith("map@"):
        raise UnknownMetricError(f"unknown metric {name!r}: k is a whole number, as in map@5")
    if name.startswith("pinball@"):
        raise UnknownMetricError(
            f"unknown metric {name!r}: the level from 0 to 1 follows, as in pinball@0.9"
        )
    near = difflib.get_close_matches(name.lower(), METRICS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(METRICS)}"
    raise UnknownMetricError(f"unknown metric {name!r}: {hint}")


def _ranking(k: int) -> Metric:
    return Metric(f"map@{k}", scores.mean_reciprocal_rank, True, "ranking", k=k)


def _pinball(level: float) -> Metric:
    def function(target: np.ndarray, values: np.ndarray, weight: np.ndarray | None) -> float:
        return scores.pinball(target, values, weight, level=level)

    return Metric("pinball", function, False, "values", values_loss="pinball", level=level)


TWO_CLASSES = ("auc", "average_precision", "gini", "f1")
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", scores.accuracy, True, "labels", batched_metrics.accuracy),
        Metric("balanced_accuracy", scores.balanced_accuracy, True, "labels"),
        Metric("log_loss", scores.log_loss, False, batched=batched_metrics.log_loss),
        Metric("balanced_log_loss", scores.balanced_log_loss, False),
        Metric("auc", scores.auc, True, batched=batched_metrics.auc),
        Metric("auc_ovr", scores.auc_ovr, True),
        Metric("average_precision", scores.average_precision, True),
        Metric("f1", scores.f1, True, "labels"),
        Metric("macro_f1", scores.macro_f1, True, "labels", batched_metrics.macro_f1),
        Metric("micro_f1", scores.micro_f1, True, "labels"),
        Metric("weighted_f1", scores.weighted_f1, True, "labels"),
        Metric("mcc", scores.mcc, True, "labels"),
        Metric("qwk", scores.qwk, True, "labels"),
        Metric("brier", scores.brier, False),
        _ranking(3),
        Metric("rmse", scores.rmse, False, "values", batched_metrics.rmse),
        Metric("mcrmse", scores.rmse, False, "values", batched_metrics.rmse),
        Metric("rmsle", scores.rmsle, False, "values", values_loss="squared_log"),
        Metric("mae", scores.mae, False, "values", batched_metrics.mae, values_loss="absolute"),
        Metric("medae", scores.medae, False, "values", values_loss="absolute"),
        Metric("mape", scores.mape, False, "values", values_loss="absolute_percentage"),
        Metric("smape", scores.smape, False, "values", values_loss="symmetric_percentage"),
        Metric("r2", scores.r2, True, "values"),
        Metric("pearson", scores.pearson, True, "values"),
        Metric("spearman", scores.spearman, True, "values"),
        Metric("gini", scores.gini, True),
        _pinball(0.5),
    )
}
