"""What people pass to `foldwise.fit`, checked and turned into arrays: rows, target, folds, loss."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold
from torch import nn

from models.data import TrainingDataError
from models.losses import LOSSES, Loss, loss_named
from models.metrics import METRICS, Metric, metric_named
from models.training.settings import TrainSettings

OF_CLASSES = ("binary_cross_entropy", "cross_entropy", "nll")
Splits = list[tuple[np.ndarray, np.ndarray]]


def inputs_of(x: Any, forward: Sequence[str]) -> dict[str, np.ndarray]:
    """The rows by keyword of `forward`, each `(n_rows, ...)`.

    Args:
        x: A table, an array, or arrays by keyword.
        forward: The parameters of the network's `forward`.

    Raises:
        TrainingDataError: They are no numbers, some are missing, or a keyword is unknown.
    """
    if not isinstance(x, Mapping):
        if len(forward) != 1:
            raise TrainingDataError(
                f"the network's forward takes {', '.join(forward) or 'nothing'}: pass X as a "
                "dictionary with an array for each, or write forward(self, x)"
            )
        x = {forward[0]: x}
    if unknown := sorted(set(x) - set(forward)):
        raise TrainingDataError(
            f"X holds {', '.join(unknown)}, but the network's forward takes {', '.join(forward)}"
        )
    return {name: _numbers(values, name) for name, values in x.items()}


def _numbers(values: Any, name: str) -> np.ndarray:
    if isinstance(values, pd.DataFrame):
        texts = [str(n) for n, dtype in values.dtypes.items() if not _is_number(dtype)]
        if texts:
            raise TrainingDataError(
                f"X: column {texts[0]!r} holds {values[texts[0]].dtype}, expected numbers; encode "
                "it first, as TabularEncoder or scikit-learn's OneHotEncoder do"
            )
        values = values.to_numpy(np.float32, na_value=np.nan)
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TrainingDataError(
            f"X holds {array.dtype} in {name}, expected numbers; encode it first"
        )
    if array.ndim < 2:
        raise TrainingDataError(f"X must have rows and columns, found shape {array.shape}")
    if array.dtype.kind != "f":
        return array.astype(np.float32) if array.dtype.kind == "b" else array.astype(np.int64)
    if (wrong := np.argwhere(~np.isfinite(array))).size:
        row, *place = (int(at) for at in wrong[0])
        raise TrainingDataError(
            f"X has a missing or infinite number in row {row}, column {place[0]}; fill it "
            "first, as scikit-learn's SimpleImputer does"
        )
    return array.astype(np.float32)


def _is_number(dtype: Any) -> bool:
    return bool(pd.api.types.is_numeric_dtype(dtype))


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
    def n_outputs(self) -> int:
        """The numbers that a network gives for a row."""
        if len(self.classes):
            return self.loss.n_outputs(len(self.classes))
        return 1 if self.target.ndim == 1 else self.target.shape[1]


def goal_of(y: Any, loss: Any, metric: Any) -> Goal:
    """The target, and the loss and metric that were named, or those that suit it.

    Raises:
        TrainingDataError: They do not go together, or a target is missing.
    """
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if pd.isna(values).any():
        raise TrainingDataError("y has a missing value, expected one for each row; drop such rows")
    chosen = _loss(loss, values)
    if chosen.name not in OF_CLASSES:
        target, classes = _values(values, chosen), np.empty(0)
    else:
        target, classes = _positions(values, chosen)
    usual = "log_loss" if len(classes) else "rmse"
    return Goal(target, classes, chosen, _metric(metric, usual))


def _loss(loss: Any, values: np.ndarray) -> Loss:
    if isinstance(loss, nn.Module | type):
        name = getattr(loss, "__name__", type(loss).__name__)
        raise TrainingDataError(
            f"loss is torch's {name}, expected a name; pass one of {', '.join(map(repr, LOSSES))}"
        )
    if isinstance(loss, Loss):
        return loss
    if loss != "auto":
        try:
            return loss_named(loss)
        except (KeyError, ValueError):
            near = difflib.get_close_matches(str(loss), LOSSES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(LOSSES)}"
            raise TrainingDataError(f"unknown loss {loss!r}: {hint}") from None
    if values.dtype.kind == "f" and (values.ndim > 1 or not (values == np.round(values)).all()):
        return LOSSES["mse"]
    return LOSSES["binary_cross_entropy" if len(np.unique(values)) == 2 else "cross_entropy"]


def _values(values: np.ndarray, loss: Loss) -> np.ndarray:
    if values.dtype.kind not in "biuf":
        raise TrainingDataError(
            f"y holds labels like {str(values.flat[0])!r}, but loss {loss.name!r} is for numbers; "
            "pass loss='cross_entropy', or leave it out"
        )
    return values.astype(np.float64)


def _positions(values: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
    if values.ndim != 1:
        raise TrainingDataError(f"y must be one label for each row, found shape {values.shape}")
    if values.dtype.kind == "f" and not (values == np.round(values)).all():
        raise TrainingDataError(
            f"y holds numbers like {values[values != np.round(values)][0]:g}, but loss "
            f"{loss.name!r} is for classes; pass loss='mse', or y as labels"
        )
    classes, target = np.unique(values, return_inverse=True)
    if len(classes) < 2:
        raise TrainingDataError(f"y has the one label {str(classes[0])!r}, expected two or more")
    if loss.is_binary and len(classes) > 2:
        raise TrainingDataError(
            f"y has {len(classes)} labels, but loss {loss.name!r} is for two; pass "
            "loss='cross_entropy'"
        )
    return target.astype(np.int64), classes


def _metric(metric: Any, usual: str) -> Metric:
    if isinstance(metric, Metric):
        return metric
    if callable(metric):
        raise TrainingDataError(
            "metric is a function: pass foldwise.Metric(name, function, greater_is_better), or one "
            f"of the names {', '.join(list(METRICS)[:6])}, ..."
        )
    return metric_named(usual if metric == "auto" else metric)


def builder_of(build: Any) -> Callable[[], nn.Module]:
    """The function that makes a network.

    Raises:
        TrainingDataError: It is a network, or makes none.
    """
    if isinstance(build, nn.Module):
        name = type(build).__name__
        raise TrainingDataError(
            f"build is a {name}, expected what makes one, so that each replica starts from weights "
            f"of its own; pass {name}, or lambda: {name}(...)"
        )
    if not callable(build):
        raise TrainingDataError(f"build is a {type(build).__name__}, expected a class or function")
    try:
        made = build()
    except TypeError as error:
        raise TrainingDataError(
            f"build() failed: {error}; pass a function without arguments, as lambda: Net(20)"
        ) from error
    if not isinstance(made, nn.Module):
        raise TrainingDataError(f"build() gives a {type(made).__name__}, expected an nn.Module")
    return build  # type: ignore[no-any-return]


def parameters_of(network: nn.Module) -> list[str]:
    """The parameters of its `forward` that have no default."""
    parameters = inspect.signature(network.forward).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]


def splits_of(folds: Any, target: np.ndarray, groups: Any, *, has_classes: bool) -> Splits:
    """Training and held-out rows of each split.

    Args:
        folds: How many, a splitter of scikit-learn, or the pairs themselves.
        target: `(n_rows, ...)`.
        groups: `(n_rows,)`, for splitters that keep groups together.
        has_classes: Whether folds hold the classes in proportion.

    Raises:
        TrainingDataError: They cannot be made, or rows are held out that are trained on.
    """
    if isinstance(folds, int):
        kind = StratifiedKFold if has_classes else KFold
        folds = kind(folds, shuffle=True, random_state=0)
    rows = np.zeros((len(target), 1))
    try:
        pairs = folds.split(rows, target, groups) if hasattr(folds, "split") else folds
        splits = [tuple(np.asarray(part) for part in pair) for pair in _iterated(pairs)]
    except TrainingDataError:
        raise
    except ValueError as error:
        raise TrainingDataError(f"folds: {error}") from error
    return [_checked(at, split, len(target)) for at, split in enumerate(splits)]


def _iterated(pairs: Any) -> Iterable[Any]:
    if not isinstance(pairs, Iterable):
        raise TrainingDataError(
            f"folds is a {type(pairs).__name__}, expected a number, a splitter of scikit-learn, or "
            "pairs of training and held-out rows"
        )
    return pairs


def _checked(at: int, split: tuple[np.ndarray, ...], n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    if len(split) != 2:
        raise TrainingDataError(f"split {at} has {len(split)} parts, expected (train, valid)")
    train, valid = (np.flatnonzero(p) if p.dtype == bool else p.astype(np.int64) for p in split)
    if not len(train) or not len(valid):
        raise TrainingDataError(
            f"split {at} trains on {len(train)} rows and holds {len(valid)} out"
        )
    if max(train.max(), valid.max()) >= n_rows or min(train.min(), valid.min()) < 0:
        raise TrainingDataError(f"split {at} names rows beyond the {n_rows} of X and y")
    if (both := np.intersect1d(train, valid)).size:
        raise TrainingDataError(
            f"split {at} trains on {both.size} rows that it holds out (first: row {both[0]}), so "
            "its score would be too good"
        )
    return train, valid


def settings_of(given: Mapping[str, Any]) -> TrainSettings:
    """How to train.

    Raises:
        TrainingDataError: A setting is unknown, or a value does not fit.
    """
    known = TrainSettings.model_fields
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise TrainingDataError(f"fit has no setting {name!r}: {hint}")
    try:
        return TrainSettings(**given)
    except ValueError as error:
        first = str(error).splitlines()
        name, reason = first[1].strip(), first[2].strip().split(" [type=")[0]
        raise TrainingDataError(f"{name}={given.get(name)!r}: {reason}") from None
