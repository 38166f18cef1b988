"""The members' predictions as other methods take them: ranks, inputs of a model, valid answers."""

from __future__ import annotations

import numpy as np

from models.ensembling.combiners import SMALLEST_PROBABILITY, stacker_inputs
from models.tasks import Task

SMALLEST_SUM = 1e-12


def ranks(members: np.ndarray, task: Task) -> np.ndarray:
    """Each prediction's place among its column's rows, from 0 to 1; ties share their mean place.

    Args:
        members: `(n_members, n_rows, n_columns)`.
        task: Binary or multilabel.

    Returns:
        The same shape; of two classes the columns sum to 1.
    """
    from scipy.stats import rankdata

    columns = members[:, :, 1:] if task.kind == "binary" else members
    places: np.ndarray = (rankdata(columns, axis=1) - 0.5) / max(1, columns.shape[1])
    return np.concatenate([1 - places, places], axis=2) if task.kind == "binary" else places


def valid(prediction: np.ndarray, task: Task) -> np.ndarray:
    """The prediction, within what the task allows: negative weights may lead out of it.

    Args:
        prediction: `(n_rows, n_columns)`.
        task: What is predicted.
    """
    if not task.predicts_probabilities:
        return prediction
    clipped: np.ndarray = np.clip(prediction, 0.0, 1.0)
    if not task.chooses_class:
        return clipped
    total = clipped.sum(axis=1, keepdims=True)
    equal = np.full(clipped.shape, 1 / clipped.shape[1])
    return np.asarray(np.where(total > SMALLEST_SUM, clipped / np.maximum(total, 1e-300), equal))


def model_inputs(members: np.ndarray, task: Task) -> np.ndarray:
    """A model's inputs, `(n_rows, d) float32`: log-odds of probabilities, values as they are.

    Of two classes each member gives one column, of more as many as there are classes.

    Args:
        members: `(n_members, n_rows, n_columns)`.
        task: What they predict.
    """
    if task.kind != "binary":
        return stacker_inputs(members, None, task)["x_num"]
    second = np.clip(members[:, :, 1], SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    odds: np.ndarray = (np.log(second) - np.log1p(-second)).T.astype(np.float32)
    return odds
