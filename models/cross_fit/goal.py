"""What is learned, from what people pass to `foldwise.fit`: the target, the loss, the metric."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from models.data import TrainingDataError
from models.losses import LOSSES, Loss, loss_named
from models.metrics import METRICS, Metric, metric_named
from models.target import VALUES_LOSS
from models.tasks import Task

OF_CLASSES = ("binary_cross_entropy", "cross_entropy", "nll")
OF_COUNTS = ("poisson", "tweedie")
MULTILABEL = "multilabel"
MOST_CLASSES = 20  # more different whole numbers may be values as well


@dataclass(frozen=True)
class Goal:
    """What is learned.

    Attributes:
        target: `(n_rows,) int64` positions of the classes, or values `(n_rows,)` or
            `(n_rows, n_targets) float64`.
        classes: The labels, in order; empty for values.
        loss: The loss.
        metric: The metric.
    """

    target: np.ndarray
    classes: np.ndarray
    loss: Loss
    metric: Metric

    @property
    def has_classes(self) -> bool:
        """Whether each row has one label."""
        return len(self.classes) > 0

    @property
    def n_outputs(self) -> int:
        """The numbers that a network gives for a row."""
        if self.has_classes:
            return self.loss.n_outputs(len(self.classes))
        return 1 if self.target.ndim == 1 else self.target.shape[1]

    def perfect(self) -> np.ndarray:
        """What a network that knows the target would predict, `(n_rows, n_columns)`."""
        if self.has_classes:
            return np.asarray(np.eye(len(self.classes))[self.target])
        return self.target.reshape(len(self.target), -1)


def goal_of(y: Any, loss: Any, metric: Any) -> Goal:
    """The target, and the loss and metric that were named, or those that suit it.

    Raises:
        TrainingDataError: They do not go together, or a target is missing.
    """
    values = _plain(y)
    chosen = _loss(loss, values)
    if chosen.name in OF_CLASSES:
        target, classes = _positions(values, chosen)
    else:
        target, classes = _values(values, chosen), np.empty(0)
    task = _task(target, classes, chosen)
    return Goal(target, classes, chosen, _metric(metric, task))


def _plain(y: Any) -> np.ndarray:
    """The target as an array of numbers or texts, `(n_rows,)` or `(n_rows, n_targets)`.

    Raises:
        TrainingDataError: It holds neither, or one is missing.
    """
    if hasattr(y, "detach"):  # a tensor
        y = y.detach().cpu()
    values = np.asarray(y, dtype=object) if isinstance(y, list | tuple) else np.asarray(y)
    if values.ndim not in (1, 2):
        found = f"shape {values.shape}" if values.ndim else f"a {type(y).__name__}"
        raise TrainingDataError(f"y is {found}, expected one label or value for each row")
    if pd.isna(values).any():
        row = int(np.argwhere(pd.isna(values))[0][0])
        raise TrainingDataError(
            f"y has a missing value in row {row}, expected one for each row; drop such rows"
        )
    values = values[:, 0] if values.shape[1:] == (1,) else values
    if values.dtype.kind == "O":
        values = _of_objects(values)
    if values.dtype.kind not in "biufUS":
        raise TrainingDataError(f"y holds {values.dtype}, expected labels or numbers")
    return values


def _of_objects(values: np.ndarray) -> np.ndarray:
    """Python's own numbers or texts as an array of one kind."""
    kinds = {type(value) for value in values.flat}
    if all(issubclass(kind, str) for kind in kinds):
        return values.astype(str)
    if any(not issubclass(kind, int | float | np.number | np.bool_) for kind in kinds):
        found = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise TrainingDataError(
            f"y holds {found}, expected numbers or texts; pass y.astype(str) for labels"
        )
    return np.array(values.tolist())


def _loss(loss: Any, values: np.ndarray) -> Loss:
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, nn.Module | type):
        name = getattr(loss, "__name__", type(loss).__name__)
        raise TrainingDataError(
            f"loss is torch's {name}, expected a name; pass one of {', '.join(map(repr, LOSSES))}"
        )
    if not isinstance(loss, str):
        name = getattr(loss, "__name__", None) or repr(loss)
        raise TrainingDataError(
            f"loss is {name}, expected a name; pass one of {', '.join(map(repr, LOSSES))}"
        )
    return _usual_loss(values) if loss == "auto" else _loss_named(loss)


def _loss_named(name: str) -> Loss:
    if name.startswith("quantile@") and not re.match(VALUES_LOSS, name):
        raise TrainingDataError(
            f"loss {name!r} has no level between 0 and 1; pass for example 'quantile@0.9'"
        )
    try:
        return loss_named(name)
    except KeyError:
        near = difflib.get_close_matches(name, LOSSES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(LOSSES)}"
        raise TrainingDataError(f"unknown loss {name!r}: {hint}") from None


def _usual_loss(values: np.ndarray) -> Loss:
    """The loss that suits the target, where there is no doubt.

    Raises:
        TrainingDataError: It may be labels or values.
    """
    is_number = values.dtype.kind in "iuf"
    if values.ndim > 1:
        if values.dtype.kind == "b" or (is_number and np.isin(values, (0, 1)).all()):
            raise _of_zeros_and_ones(values)
        return LOSSES["mse" if is_number else "cross_entropy"]
    if values.dtype.kind == "f" and (values != np.round(values)).any():
        return LOSSES["mse"]
    n_labels = len(np.unique(values))
    if is_number and n_labels > MOST_CLASSES:
        raise TrainingDataError(
            f"y holds {n_labels:,} different whole numbers, which may be values or labels; pass "
            "loss='mse' for values, or loss='cross_entropy' for labels"
        )
    return LOSSES["binary_cross_entropy" if n_labels == 2 else "cross_entropy"]


def _of_zeros_and_ones(values: np.ndarray) -> TrainingDataError:
    n_columns = values.shape[1]
    if (values.sum(axis=1) == 1).all():
        return TrainingDataError(
            f"y has {n_columns} columns, one of which is 1 in each row; pass the labels, "
            "y.argmax(axis=1), or loss='multilabel' if several may hold"
        )
    return TrainingDataError(
        f"y has {n_columns} columns of 0 and 1; pass loss='multilabel' for labels of which several "
        "may hold, or loss='mse' for values"
    )


def _values(values: np.ndarray, loss: Loss) -> np.ndarray:
    if values.dtype.kind not in "biuf":
        raise TrainingDataError(
            f"y holds labels like {str(values.flat[0])!r}, but loss {loss.name!r} is for numbers; "
            "pass loss='cross_entropy', or leave it out"
        )
    target = values.astype(np.float64)
    if (wrong := np.argwhere(~np.isfinite(target))).size:
        raise TrainingDataError(f"y is infinite in row {wrong[0][0]}; drop such rows")
    if loss.name == MULTILABEL and (target.ndim == 1 or not np.isin(target, (0, 1)).all()):
        raise TrainingDataError(
            "loss 'multilabel' needs y with a column of 0 and 1 for each label, found shape "
            f"{target.shape} with values like {target.flat[0]:g}; pass loss='cross_entropy' for "
            "one label a row"
        )
    if loss.name in OF_COUNTS and target.min(initial=0) < 0:
        raise TrainingDataError(
            f"y holds {target.min():g}, but loss {loss.name!r} is for numbers from 0; pass "
            "loss='mse'"
        )
    return target


def _positions(values: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
    if values.ndim != 1:
        raise TrainingDataError(f"y must be one label for each row, found shape {values.shape}")
    if values.dtype.kind == "f" and (values != np.round(values)).any():
        raise TrainingDataError(
            f"y holds numbers like {values[values != np.round(values)][0]:g}, but loss "
            f"{loss.name!r} is for classes; pass loss='mse', or y as labels"
        )
    classes, target = np.unique(values, return_inverse=True)
    if len(classes) < 2:
        found = f"the one label {str(classes[0])!r}" if len(classes) else "no rows"
        raise TrainingDataError(f"y has {found}, expected two or more labels")
    if loss.is_binary and len(classes) > 2:
        raise TrainingDataError(
            f"y has {len(classes)} labels, but loss {loss.name!r} is for two; pass "
            "loss='cross_entropy'"
        )
    return target.astype(np.int64), classes


def _task(target: np.ndarray, classes: np.ndarray, loss: Loss) -> Task:
    n_targets = 1 if target.ndim == 1 else target.shape[1]
    if loss.name == MULTILABEL:
        return Task("multilabel", 2, n_targets)
    if not len(classes):
        return Task("regression", 0, n_targets)
    return Task("binary" if len(classes) == 2 else "multiclass", len(classes))


def _metric(metric: Any, task: Task) -> Metric:
    if isinstance(metric, Metric):
        return metric
    if not isinstance(metric, str):
        raise TrainingDataError(
            f"metric is a {type(metric).__name__}: pass foldwise.Metric(name, function, "
            f"greater_is_better), or one of the names {', '.join(list(METRICS)[:6])}, ..."
        )
    usual = "rmse" if task.kind == "regression" else "log_loss"
    chosen = metric_named(usual if metric == "auto" else metric)
    if not chosen.suits(task):
        fitting = [name for name, known in METRICS.items() if known.suits(task)]
        raise TrainingDataError(
            f"metric {chosen.name!r} looks at {chosen.on}, but {_what(task)} are learned; pass one "
            f"of {', '.join(fitting[:8])}, ..., or the loss that suits the metric"
        )
    return chosen


def _what(task: Task) -> str:
    if task.kind == "regression":
        return "values"
    return f"{task.n_classes} classes" if task.chooses_class else f"{task.n_targets} labels"
