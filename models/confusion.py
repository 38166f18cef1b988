"""Metrics of labels as functions of the confusion matrix, for many matrices at once.

A decision rule is searched over hundreds of candidates; their matrices are cheap, whole metrics on
all rows are not.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Score = Callable[[np.ndarray], np.ndarray]  # (..., K, K), true class by row -> (...)


def confusion(
    target: np.ndarray, labels: np.ndarray, n_classes: int, weight: np.ndarray | None = None
) -> np.ndarray:
    """The weight of the rows by true and predicted class, `(n_classes, n_classes) float64`."""
    cells = target * n_classes + labels
    counts = np.bincount(cells, weights=weight, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes).astype(np.float64)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Their ratio; 0 where there is nothing."""
    shares: np.ndarray = np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), 0.0)
    return shares


def _diagonal(matrix: np.ndarray) -> np.ndarray:
    return np.diagonal(matrix, axis1=-2, axis2=-1)


def _accuracy(matrix: np.ndarray) -> np.ndarray:
    return _share(_diagonal(matrix).sum(axis=-1), matrix.sum(axis=(-2, -1)))


def _balanced_accuracy(matrix: np.ndarray) -> np.ndarray:
    n_of_class = matrix.sum(axis=-1)
    recalls = _share(_diagonal(matrix), n_of_class)
    return _share(recalls.sum(axis=-1), (n_of_class > 0).sum(axis=-1))


def _f1_of_classes(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each class's F1, and its rows in target and labels together: `(..., K)` each."""
    either = matrix.sum(axis=-1) + matrix.sum(axis=-2)
    return _share(2 * _diagonal(matrix), either), either


def _f1(matrix: np.ndarray) -> np.ndarray:
    of_second: np.ndarray = _f1_of_classes(matrix)[0][..., 1]
    return of_second


def _macro_f1(matrix: np.ndarray) -> np.ndarray:
    of_classes, either = _f1_of_classes(matrix)
    return _share(of_classes.sum(axis=-1), (either > 0).sum(axis=-1))


def _weighted_f1(matrix: np.ndarray) -> np.ndarray:
    of_classes, _ = _f1_of_classes(matrix)
    n_of_class = matrix.sum(axis=-1)
    return _share((of_classes * n_of_class).sum(axis=-1), n_of_class.sum(axis=-1))


def _mcc(matrix: np.ndarray) -> np.ndarray:
    """Source: Gorodkin, "Comparing two K-category assignments by a K-category correlation"."""
    true, predicted = matrix.sum(axis=-1), matrix.sum(axis=-2)
    total, right = matrix.sum(axis=(-2, -1)), _diagonal(matrix).sum(axis=-1)
    covariance = right * total - (true * predicted).sum(axis=-1)
    spread = (total**2 - (predicted**2).sum(axis=-1)) * (total**2 - (true**2).sum(axis=-1))
    return _share(covariance, np.sqrt(np.maximum(spread, 0.0)))


def _qwk(matrix: np.ndarray) -> np.ndarray:
    positions = np.arange(matrix.shape[-1])
    distance = (positions[:, None] - positions) ** 2.0
    true, predicted = matrix.sum(axis=-1), matrix.sum(axis=-2)
    by_chance = true[..., :, None] * predicted[..., None, :]
    total = matrix.sum(axis=(-2, -1))
    found = (matrix * distance).sum(axis=(-2, -1)) * total
    return 1 - _share(found, (by_chance * distance).sum(axis=(-2, -1)))


FROM_CONFUSION: dict[str, Score] = {
    "accuracy": _accuracy,
    "micro_f1": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "macro_f1": _macro_f1,
    "weighted_f1": _weighted_f1,
    "mcc": _mcc,
    "qwk": _qwk,
}
