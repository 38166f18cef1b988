"""A network of your own over scikit-learn's folds: every fold and every seed at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from models.cross_fit.arguments import (
    Goal,
    Splits,
    builder_of,
    goal_of,
    inputs_of,
    parameters_of,
    settings_of,
    splits_of,
)
from models.data import FoldData, Replica, TrainingDataError
from models.losses import LOSSES
from models.target import fit_scales
from models.training.fit import Objective, Replicas, start
from models.training.fitted import Fitted


@dataclass(frozen=True)
class CrossFit:
    """Networks trained on every fold with every seed.

    Attributes:
        oof: Each row predicted by networks that never saw it, the mean over seeds and repeats:
            `(n_rows, n_classes)` probabilities, or values `(n_rows,)` or `(n_rows, n_targets)`; NaN
            for rows that no fold holds out.
        scores: `(n_splits,)`, the metric on each split's held-out rows, predicted by the mean over
            seeds.
        classes_: The labels, in the order of the probabilities; empty for values.
        metric: The metric's name.
        replicas: The trained networks, split by split, each with its weights and curve.
    """

    oof: np.ndarray
    scores: np.ndarray
    classes_: np.ndarray
    metric: str
    replicas: list[Replica]
    _fitted: Fitted
    _parameters: tuple[str, ...]

    @property
    def score(self) -> float:
        """The mean over splits."""
        return float(np.nanmean(self.scores))

    def predict_proba(self, x: Any) -> np.ndarray:
        """Probabilities of new rows, `(n_rows, n_classes)`, the mean over all networks.

        Args:
            x: As in `fit`.

        Raises:
            TrainingDataError: The rows are no numbers, or values were learned.
        """
        if not len(self.classes_):
            raise TrainingDataError("values were learned: call predict")
        return self._mean(x)

    def predict(self, x: Any) -> np.ndarray:
        """The likeliest label of each new row, or its value: `(n_rows,)`.

        Args:
            x: As in `fit`.
        """
        mean = self._mean(x)
        if len(self.classes_):
            return np.asarray(self.classes_[mean.argmax(axis=1)])
        return mean if mean.shape[1] > 1 else mean[:, 0]

    def _mean(self, x: Any) -> np.ndarray:
        inputs = inputs_of(x, self._parameters)
        n_folds = max(replica.fold for replica in self.replicas) + 1
        return self._fitted.predict_mean([inputs] * n_folds)

    def __repr__(self) -> str:
        """The score, and how many networks there are."""
        spread = f"{self.score:.4f} ± {np.nanstd(self.scores):.4f}"
        n_splits, n_networks = len(self.scores), len(self.replicas)
        return f"CrossFit({self.metric} {spread} over {n_splits} splits, {n_networks} networks)"


def fit(
    build: Any,
    X: Any,  # noqa: N803
    y: Any,
    *,
    folds: Any = 5,
    seeds: Any = 1,
    loss: Any = "auto",
    metric: Any = "auto",
    groups: Any = None,
    device: str = "auto",
    **settings: Any,
) -> CrossFit:
    """Train a network on every fold with every seed, all at once.

    Example:
        >>> import numpy as np
        >>> from torch import nn
        >>> import foldwise
        >>> X = np.random.default_rng(0).normal(size=(300, 2))
        >>> y = np.where(X[:, 0] > X[:, 1], "left", "right")
        >>> made = foldwise.fit(lambda: nn.Sequential(nn.Linear(2, 1)), X, y, seeds=4, epochs=20,
        ...                     lr=0.1, batch_size=32, metric="accuracy", device="cpu")
        >>> made.score > 0.9, made.predict(X[:2]).tolist() == y[:2].tolist()
        (True, True)

    Args:
        build: A class or function without arguments that makes the network; its last layer gives
            one number for two classes or a value, else one for each class.
        X: A table of numbers, an array `(n_rows, ...)`, or, for a `forward` with several
            parameters, a dictionary of arrays.
        y: Labels of any kind, or values `(n_rows,)` or `(n_rows, n_targets)`.
        folds: How many, a splitter of scikit-learn, or pairs of training and held-out rows.
        seeds: How many, or the seeds themselves.
        loss: A name in `models.losses`; "auto" follows from y.
        metric: A name, or a `Metric`; "auto" is log_loss or rmse.
        groups: `(n_rows,)`, for splitters that keep groups together.
        device: "auto", "cpu" or "cuda".
        settings: Any of `TrainSettings`: `epochs`, `lr`, `batch_size`, ...

    Returns:
        The networks, their out-of-fold predictions and scores.

    Raises:
        TrainingDataError: An argument is not what it must be; says what to pass.
        UnknownMetricError: No metric has that name.
    """
    make, chosen = builder_of(build), settings_of(settings)
    parameters = tuple(parameters_of(make()))
    inputs, goal = inputs_of(X, parameters), goal_of(y, loss, metric)
    _check_lengths(inputs, goal, groups)
    pairs = splits_of(folds, goal.target, groups, has_classes=len(goal.classes) > 0)
    of_folds = [FoldData(inputs, train, valid) for train, valid in pairs]
    scales = (
        fit_scales(goal.target, of_folds, "none", standardise=True) if goal.loss.is_scaled else ()
    )
    numbers = range(seeds) if isinstance(seeds, int) else list(seeds)
    goal = _fitting(make(), inputs, goal, is_chosen=loss != "auto")
    objective = Objective(goal.loss, goal.metric, scales=scales)
    training = start(make, of_folds, goal.target, chosen, objective, Replicas(numbers), device)
    fitted = training.run()
    oof, scores = _out_of_fold(fitted, pairs, goal)
    return CrossFit(
        oof, scores, goal.classes, goal.metric.name, fitted.replicas, fitted, parameters
    )


def _check_lengths(inputs: Mapping[str, np.ndarray], goal: Goal, groups: Any) -> None:
    lengths = {name: len(array) for name, array in inputs.items()} | {"y": len(goal.target)}
    if groups is not None:
        lengths["groups"] = len(groups)
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        raise TrainingDataError(f"rows differ in number: {found}; pass the same rows")


def _fitting(
    network: nn.Module, inputs: Mapping[str, np.ndarray], goal: Goal, *, is_chosen: bool
) -> Goal:
    """The goal with a loss that fits the network's output; two classes may have one number or two.

    Raises:
        TrainingDataError: The network does not take these rows, or gives another number of numbers.
    """
    rows = {name: torch.from_numpy(np.ascontiguousarray(a[:2])) for name, a in inputs.items()}
    try:
        with torch.no_grad():
            shape = tuple(network.eval()(**rows).shape)
    except (RuntimeError, TypeError, IndexError) as error:
        shapes = ", ".join(f"{name} {tuple(a.shape[1:])}" for name, a in rows.items())
        raise TrainingDataError(
            f"the network does not take rows of shape {shapes}: {str(error).splitlines()[0]}"
        ) from error
    if goal.loss.is_binary and shape[-1] == 2 and not is_chosen:
        goal = replace(goal, loss=LOSSES["cross_entropy"])
    if shape[-1] != goal.n_outputs or len(shape) < 2:
        what = f"{len(goal.classes)} classes" if len(goal.classes) else "these values"
        raise TrainingDataError(
            f"the network gives {shape[1:] or 'no'} numbers for a row, but loss {goal.loss.name!r} "
            f"of {what} needs {goal.n_outputs}; make its last layer {goal.n_outputs} wide"
        )
    return goal


def _out_of_fold(fitted: Fitted, pairs: Splits, goal: Goal) -> tuple[np.ndarray, np.ndarray]:
    """The mean over seeds and repeats, and each split's score."""
    n_columns = fitted.replicas[0].valid_predictions.shape[1]
    total, times = np.zeros((len(goal.target), n_columns)), np.zeros((len(goal.target), 1))
    scores = []
    for at, (_, valid) in enumerate(pairs):
        usable = [r.valid_predictions for r in fitted.replicas if r.fold == at and not r.fault]
        mean = np.mean(usable, axis=0) if usable else np.full((len(valid), n_columns), np.nan)
        total[valid] += mean
        times[valid] += 1
        scores.append(goal.metric.score(goal.target[valid], mean) if usable else np.nan)
    oof = np.where(times > 0, total / np.maximum(times, 1), np.nan)
    return oof if n_columns > 1 else oof[:, 0], np.array(scores)
