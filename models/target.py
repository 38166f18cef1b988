"""A target with what its models must know of it: the task, the weights, and each fold's scale."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.target_scale import TargetScale, Transform
from models.tasks import Task

if TYPE_CHECKING:
    from models.data import FoldData

Scales = tuple[tuple[TargetScale, ...], ...]
SCALES = "scales.json"
VALUES_LOSS = r"^(mse|mae|huber|poisson|tweedie|quantile@0?\.\d+)$"  # a loss of values by name


@dataclass(frozen=True)
class Target:
    """What models are trained to predict.

    Attributes:
        values: In the task's form, `(n_rows,)` or `(n_rows, n_targets)`.
        task: What it is.
        weight: `(n_rows,)`, how much each row counts; None for equal weights.
        scales: Each fold's scale of each column, on which models learn it; empty for its own.
    """

    values: np.ndarray
    task: Task
    weight: np.ndarray | None = None
    scales: Scales = ()

    @property
    def n_models(self) -> int:
        """Models that a library which knows one target needs for all columns."""
        return self.task.n_targets if self.task.kind in ("regression", "multilabel") else 1

    def learned(self, fold: int, column: int = 0) -> np.ndarray:
        """What a model of the fold learns of one column: `(n_rows,)`."""
        values = self.values if self.values.ndim == 1 else self.values[:, column]
        if self.task.kind == "multilabel":
            return values.astype(np.int64)
        return self.scales[fold][column].forward(values) if self.scales else values

    def unscaled(self, predictions: np.ndarray, fold: int) -> np.ndarray:
        """A fold's predictions on the target's own scale, `(n, n_columns)`."""
        return unscale(predictions, self.scales, fold)


def unscale(predictions: np.ndarray, scales: Scales, fold: int) -> np.ndarray:
    """Predictions `(n, n_columns)` of a fold's model on the target's own scale."""
    if not scales:
        return predictions
    columns = zip(scales[fold], predictions.T, strict=True)
    return np.stack([scale.inverse(column) for scale, column in columns], axis=1)


def fit_scales(
    values: np.ndarray, folds: Sequence[FoldData], transform: Transform, *, standardise: bool
) -> Scales:
    """Each fold's scale of each target column, learned from the fold's training rows.

    Args:
        values: `(n_rows,)` or `(n_rows, n_targets)`.
        folds: Their training rows count.
        transform: Which one.
        standardise: Whether models learn a target of mean 0 and deviation 1.

    Raises:
        TransformError: The transform does not suit the values.
    """
    if transform == "none" and not standardise:
        return ()
    columns = values.reshape(len(values), -1).T
    return tuple(
        tuple(
            TargetScale.fit(column[fold.train_rows], transform, standardise=standardise)
            for column in columns
        )
        for fold in folds
    )


def scale_files(scales: Scales) -> dict[str, bytes]:
    """The scales as a file beside saved models; none where models learn the target itself."""
    if not scales:
        return {}
    stored = [[scale.to_dict() for scale in of_fold] for of_fold in scales]
    return {SCALES: (json.dumps(stored) + "\n").encode()}


def read_scales(folder: Path) -> Scales:
    """What `scale_files` wrote into the folder."""
    path = folder / SCALES
    stored = json.loads(path.read_text()) if path.is_file() else []
    return tuple(tuple(map(TargetScale.from_dict, of_fold)) for of_fold in stored)
