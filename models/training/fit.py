"""Trains every fold and every seed of a network at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from models.data import (
    Array,
    Curve,
    EpochReport,
    FoldData,
    Replica,
    TrainingDataError,
    TrainingFailedError,
    tensor_of,
    training_set,
)
from models.training.checks import check_data, check_dropout
from models.training.fitted import Fitted
from models.training.hardware import (
    accept_compacted_weights,
    dtype_of,
    training_device,
)
from models.training.loop import Training
from models.training.optimisers import MOMENTS
from models.training.replica_chunk import TrainingContext
from models.training.replicas import Objective, Replicas, ReplicaSpec, replica_specs
from models.training.settings import TrainSettings
from models.training.stack_size import stack_size
from models.training.tables import Tables
from models.vectorised.stack import Stack
from models.vectorised.strategy import StrategyError, choose_strategy, draws_globally

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

Build = Callable[[], nn.Module]
_ONE_SEED = Replicas()


def fit(
    build: Build,
    folds: Sequence[FoldData],
    target: Array,
    settings: TrainSettings,
    objective: Objective,
    replicas: Replicas = _ONE_SEED,
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
    replicas: Replicas = _ONE_SEED,
    device: str = "auto",
) -> Training:
    """A training before its first epoch; call `run`, or `run_epoch` until it `is_finished`.

    Example:
        >>> training = start(build, folds, y, settings, objective)  # doctest: +SKIP
        >>> training.load_state(torch.load("training.pt"))  # to resume  # doctest: +SKIP
        >>> fitted = training.run(on_epoch=print)  # doctest: +SKIP

    The arguments and errors are those of `fit`.
    """
    check_data(folds, target, settings, objective, replicas)
    place = training_device(device, settings.precision)
    if place.type == "cuda":
        accept_compacted_weights()
    dtype = dtype_of(settings.precision)
    modules = {seed: _built(build, seed, dtype).to(place) for seed in replicas.seeds}
    template = modules[replicas.seeds[0]]
    check_dropout(template, replicas)
    specs = replica_specs(folds, settings, replicas)
    context = _context(template, folds, target, settings, objective, specs, place)
    stack = Stack.of(
        [modules[spec.seed] for spec in specs], n_moments=len(MOMENTS[settings.optimizer])
    )
    _set_initial(stack, specs, folds)
    return Training(context, stack, specs, chunk_size=stack_size(context, stack, specs))


def _context(
    template: nn.Module,
    folds: Sequence[FoldData],
    target: Array,
    settings: TrainSettings,
    objective: Objective,
    specs: Sequence[ReplicaSpec],
    device: torch.device,
) -> TrainingContext:
    """The folds' training sets on the device, and how the network runs on them."""
    dtype = dtype_of(settings.precision)
    is_index = np.issubdtype(np.asarray(target).dtype, np.integer)
    whole = np.asarray(target, dtype=np.int64 if is_index else np.float64)
    training_sets = [training_set(fold, whole) for fold in folds]
    tables = Tables(training_sets, dtype, device)
    rows = [dataset.rows.to(device) for dataset in training_sets]
    batch = _first_rows(tables, rows, specs[0].fold)
    requested = settings.strategy if settings.length_pool is None else "sequential"
    return TrainingContext(
        template=template,
        folds=folds,
        tables=tables,
        target=training_sets[0].target.to(device),
        goals=_goals(whole, objective, dtype, device),
        scales=objective.scales,
        sample_weight=_optional(objective.balanced_weight(target, settings.balance), dtype, device),
        train_rows=rows,
        class_weights=_optional(settings.class_weights, dtype, device),
        loss=objective.loss,
        metric=objective.metric,
        settings=settings,
        strategy=choose_strategy(template, batch, requested=requested, n_replicas=len(specs)),
        draws_globally=draws_globally(template, batch),
        device=device,
    )


def _goals(target: Array, objective: Objective, dtype: torch.dtype, device: torch.device) -> Tensor:
    """What networks learn: the target, or each fold's scaled one, `(1 or n_folds, ...)`."""
    if not objective.scales:
        return tensor_of(target[None], dtype, device)
    columns = target.reshape(len(target), -1).T
    of_folds = [
        np.stack([s.forward(c) for s, c in zip(scales, columns, strict=True)], axis=1)
        for scales in objective.scales
    ]
    return tensor_of(np.stack(of_folds), dtype, device)


@torch.no_grad()
def _set_initial(stack: Stack, specs: Sequence[ReplicaSpec], folds: Sequence[FoldData]) -> None:
    """Replace the networks' initial weights by those of `FoldData.initial`.

    Raises:
        TrainingDataError: If the network has no such parameter, or one of another shape.
    """
    for at, spec in enumerate(specs):
        for name, array in folds[spec.fold].initial.items():
            weight = stack.weights.get(name)
            if weight is None:
                raise TrainingDataError(
                    f"fold {spec.fold}: initial has weights for {name!r}, but the network has no "
                    f"such parameter; it has {', '.join(stack.weights)}"
                )
            shape = tuple(weight.shape[1:])
            if shape != array.shape:
                raise TrainingDataError(
                    f"fold {spec.fold}: initial weights of {name!r} must have the network's shape "
                    f"{shape}, got {array.shape}"
                )
            values = tensor_of(array, weight.dtype, weight.device)
            weight[at] = torch.where(torch.isnan(values), weight[at], values)


def _built(build: Build, seed: int, dtype: torch.dtype) -> nn.Module:
    """The network with that seed's initial weights; torch's global generators are untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build().to(dtype=dtype)


def _first_rows(tables: Tables, rows: Sequence[Tensor], fold: int) -> Mapping[str, Tensor]:
    """A few of one fold's training rows, for trials: for each key `(B, ...)`."""
    folds = torch.tensor([fold], device=tables.device)
    batch = tables.gather(rows[fold][None, :16], folds)
    return {key: value[0] for key, value in batch.items()}


def _optional(
    values: Array | Sequence[float] | None, dtype: torch.dtype, device: torch.device
) -> Tensor | None:
    return None if values is None else tensor_of(np.asarray(values, np.float64), dtype, device)
