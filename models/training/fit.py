"""Trains every fold and every seed of a network at once."""

from __future__ import annotations

from collections.abc import Sequence

from models.data import (
    Array,
    Curve,
    EpochReport,
    FoldData,
    Replica,
    TrainingDataError,
    TrainingFailedError,
)
from models.training.fitted import Fitted
from models.training.loop import Training
from models.training.plan import ONE_SEED, Build, TrainingPlan
from models.training.replicas import Objective, Replicas
from models.training.settings import TrainSettings
from models.vectorised.strategy import StrategyError

__all__ = [
    "Curve",
    "EpochReport",
    "Fitted",
    "FoldData",
    "Objective",
    "Replica",
    "Replicas",
    "StrategyError",
    "TrainSettings",
    "Training",
    "TrainingDataError",
    "TrainingFailedError",
    "fit",
    "start",
]


def fit(
    build: Build,
    folds: Sequence[FoldData],
    target: Array,
    settings: TrainSettings,
    objective: Objective,
    replicas: Replicas = ONE_SEED,
    device: str = "auto",
) -> Fitted:
    """Train a network for every fold and every seed, all at once.

    Each of the R = n_folds * n_seeds replicas ends as it would if it were trained alone. To
    follow a training, resume it or stop some of its replicas, see `start`.

    Example:
        >>> import numpy as np
        >>> from torch import nn
        >>> from models.losses import LOSSES
        >>> from models.metrics import METRICS
        >>> class Line(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.head = nn.Linear(2, 1)
        ...     def forward(self, x_num):
        ...         return self.head(x_num)
        >>> x = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
        >>> y = (x[:, 0] > x[:, 1]).astype(np.int64)
        >>> fold_of_row = np.arange(300) % 5
        >>> folds = [
        ...     FoldData({"x_num": x}, np.flatnonzero(fold_of_row != k),
        ...              np.flatnonzero(fold_of_row == k))
        ...     for k in range(5)
        ... ]
        >>> fitted = fit(Line, folds, y, TrainSettings(epochs=20, lr=0.1, batch_size=32),
        ...              Objective(LOSSES["binary_cross_entropy"], METRICS["accuracy"]),
        ...              Replicas(seeds=range(4)), device="cpu")
        >>> len(fitted.replicas), min(r.score for r in fitted.replicas) > 0.9
        (20, True)
        >>> fitted.predict_mean([{"x_num": x[:7]}] * 5).shape
        (7, 2)

    Args:
        build: Makes the network, an ordinary module; the keywords of its `forward` are the keys
            of the folds' inputs.
        folds: The folds.
        target: `(n_rows,) int64` class index, or values `(n_rows,)` or `(n_rows, n_targets)`.
        settings: How to train.
        objective: Loss, metric and weights of the rows.
        replicas: Seeds and, if they differ from the settings, hyperparameters of each replica.
        device: "auto", "cpu", "cuda" or "cuda:1".

    Returns:
        The replicas, fold-major.

    Raises:
        TrainingDataError: If the arguments do not match; one message lists all faults.
        StrategyError: If the strategy in the settings cannot run this network.
    """
    return start(build, folds, target, settings, objective, replicas, device).run()


def start(
    build: Build,
    folds: Sequence[FoldData],
    target: Array,
    settings: TrainSettings,
    objective: Objective,
    replicas: Replicas = ONE_SEED,
    device: str = "auto",
) -> Training:
    """A training before its first epoch; call `run`, or `run_epoch` until it `is_finished`.

    Example:
        >>> training = start(build, folds, y, settings, objective)  # doctest: +SKIP
        >>> training.load_state(torch.load("training.pt"))  # to resume  # doctest: +SKIP
        >>> fitted = training.run(on_epoch=print)  # doctest: +SKIP

    The arguments and errors are those of `fit`.
    """
    plan = TrainingPlan(build, folds, target, settings, objective, replicas, device)
    return plan.training()
