"""Losses of single rows, by which weights of a blend of values are searched."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np

LossKind = Literal[
    "squared", "absolute", "squared_log", "absolute_percentage", "symmetric_percentage", "pinball"
]
RowLoss = Callable[[np.ndarray, np.ndarray], np.ndarray]
EPSILON = np.finfo(np.float64).eps


def row_losses(kind: LossKind, level: float = 0.5) -> RowLoss:
    """The loss of each row: target and prediction, each `(..., k)`, to the mean over k, `(...)`.

    Args:
        kind: Which loss.
        level: The quantile of `pinball`.
    """
    single = partial(_pinball, level=level) if kind == "pinball" else SINGLE[kind]

    def losses(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        of_columns = single(target, prediction)
        if of_columns.shape[-1] == 1:
            return of_columns[..., 0]
        mean: np.ndarray = of_columns.mean(axis=-1)
        return mean

    return losses


def symmetric_percentage(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """200 |p - t| / (|p| + |t|), and 0 for 0 against 0."""
    total = np.abs(target) + np.abs(prediction)
    shares = np.abs(prediction - target) / np.where(total > 0, total, 1.0)
    percentages: np.ndarray = 200 * shares
    return percentages


def _squared_log(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    difference = np.log1p(np.maximum(prediction, 0.0)) - np.log1p(np.maximum(target, 0.0))
    squared: np.ndarray = difference**2
    return squared


def _pinball(target: np.ndarray, prediction: np.ndarray, *, level: float) -> np.ndarray:
    error = target - prediction
    losses: np.ndarray = np.maximum(level * error, (level - 1) * error)
    return losses


SINGLE: dict[str, RowLoss] = {
    "squared": lambda target, prediction: (prediction - target) ** 2,
    "absolute": lambda target, prediction: np.abs(prediction - target),
    "squared_log": _squared_log,
    "absolute_percentage": lambda target, prediction: (
        np.abs(prediction - target) / np.maximum(np.abs(target), EPSILON)
    ),
    "symmetric_percentage": symmetric_percentage,
}
