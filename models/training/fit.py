"""Trains every fold and every seed of a network at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.data import (
    Array,
    Curve,
    EpochReport,
    FoldData,
    Replica,
    Rows,
    TrainingDataError,
    TrainingFailedError,
)
from models.losses import Loss, row_weights
from models.metrics import Metric
from models.training.augmentation import IMAGE
from models.training.batches import Tables, batch_sizes, tensor_of
from models.training.fitted import Fitted
from models.training.hardware import keep_freed_memory, stack_size
from models.training.length_batches import LENGTHS, TOKENS
from models.training.loop import Training
from models.training.optimisers import MOMENTS
from models.training.replica_chunk import Plan, Task
from models.training.settings import TrainSettings
from models.vectorised.dropout import takes_own_rates
from models.vectorised.stack import Stack
from models.vectorised.strategy import StrategyError, choose_strategy, draws_globally

__all__ = [
    "Curve",
    "EpochReport",
    "Fitted",
    "FoldData",
    "Replica",
    "StrategyError",
    "TrainSettings",
    "Training",
    "TrainingDataError",
    "TrainingFailedError",
    "fit",
    "start",
]


def fit(
    build: Callable[[], nn.Module],
    folds: Sequence[FoldData],
    target: Rows,
    settings: TrainSettings,
    *,
    loss: Loss,
    metric: Metric,
    seeds: Sequence[int] = (0,),
    sample_weight: Array | None = None,
    lr: Sequence[float] | None = None,
    weight_decay: Sequence[float] | None = None,
    dropout: Sequence[float] | None = None,
    device: str = "auto",
    on_epoch: Callable[[EpochReport], None] | None = None,
    state: dict[str, Any] | None = None,
) -> Fitted:
    """Train a network for every fold and every seed, all at once.

    Each of the R = len(folds) * len(seeds) replicas ends as it would if it were trained alone.

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
        ...              loss=LOSSES["binary_cross_entropy"], metric=METRICS["accuracy"],
        ...              seeds=range(4), device="cpu")
        >>> len(fitted.replicas), min(r.score for r in fitted.replicas) > 0.9
        (20, True)
        >>> fitted.predict_mean([{"x_num": x[:7]}] * 5).shape
        (7, 2)

    Args:
        build: Makes the network, an ordinary module; its keywords of `forward` are the input keys.
        folds: The folds.
        target: `(n_rows,) int64` class index.
        settings: How to train.
        loss: From `models.losses`.
        metric: From `models.metrics`.
        seeds: Each is trained on every fold; initial weights are those that
            `torch.manual_seed(seed)` and `build()` give.
        sample_weight: `(n_rows,)`.
        lr: A peak learning rate for each replica, fold-major, in place of the settings' one.
        weight_decay: The same for the weight decay.
        dropout: The same for those dropouts of the network whose rate is an `OwnRate`.
        device: "auto", "cpu", "cuda", "cuda:1".
        on_epoch: Called after each evaluated epoch; what it raises ends the training.
        state: From `Training.state`, to go on with.

    Returns:
        The replicas, fold-major.

    Raises:
        TrainingDataError: If the arrays do not belong together; all faults are told at once.
        StrategyError: If the strategy that the settings ask for cannot run this network.
    """
    training = start(
        build,
        folds,
        target,
        settings,
        loss=loss,
        metric=metric,
        seeds=seeds,
        sample_weight=sample_weight,
        lr=lr,
        weight_decay=weight_decay,
        dropout=dropout,
        device=device,
    )
    if state is not None:
        training.load_state(state)
    while not training.is_finished:
        report = training.run_epoch()
        if report is not None and on_epoch is not None:
            on_epoch(report)
    return training.result()


def start(
    build: Callable[[], nn.Module],
    folds: Sequence[FoldData],
    target: Rows,
    settings: TrainSettings,
    *,
    loss: Loss,
    metric: Metric,
    seeds: Sequence[int] = (0,),
    sample_weight: Array | None = None,
    lr: Sequence[float] | None = None,
    weight_decay: Sequence[float] | None = None,
    dropout: Sequence[float] | None = None,
    device: str = "auto",
) -> Training:
    """A training before its first epoch; the arguments are those of `fit`."""
    check_data(
        folds, target, settings, seeds, sample_weight, per_replica=(lr, weight_decay, dropout)
    )
    place = _device(device, settings)
    if place.type == "cpu":
        keep_freed_memory()
    plans = _plans(folds, seeds, settings, lr, weight_decay, dropout)
    sample_weight = _balanced(sample_weight, target, settings.balance)
    modules = {seed: _built(build, seed, settings.dtype).to(place) for seed in seeds}
    tables = Tables([fold.inputs for fold in folds], settings.dtype, place)
    template = modules[seeds[0]]
    if dropout is not None:
        check_dropout(template, dropout)
    batch = _first_rows(tables, plans[0], folds)
    task = Task(
        template=template,
        tables=tables,
        target=torch.as_tensor(np.asarray(target, dtype=np.int64), device=place),
        sample_weight=_optional(sample_weight, settings.dtype, place),
        train_rows=[torch.as_tensor(fold.train_rows, device=place) for fold in folds],
        class_weights=_optional(settings.class_weights, settings.dtype, place),
        loss=loss,
        settings=settings,
        strategy=choose_strategy(template, batch, asked=_asked(settings), n_replicas=len(plans)),
        draws_globally=draws_globally(template, batch),
        device=place,
    )
    stack = Stack.of(
        [modules[plan.seed] for plan in plans], n_moments=len(MOMENTS[settings.optimizer])
    )
    _start_from(stack, plans, folds)
    size = stack_size(task, stack, plans)
    return Training(task, stack, plans, folds, metric, chunk_size=size)


def check_data(
    folds: Sequence[FoldData],
    target: Rows,
    settings: TrainSettings,
    seeds: Sequence[int],
    sample_weight: Array | None,
    *,
    per_replica: Sequence[Sequence[float] | None],
) -> None:
    """Whether the arguments of `fit` belong together.

    Raises:
        TrainingDataError: With all faults.
    """
    faults = [] if folds else ["there must be at least one fold"]
    if not seeds or len(set(seeds)) != len(seeds):
        faults.append(f"seeds must be distinct and at least one, however: {list(seeds)}")
    n_rows, n_replicas = len(target), len(folds) * len(seeds)
    if sample_weight is not None and len(sample_weight) != n_rows:
        faults.append(f"sample_weight must have {n_rows} rows, however: {len(sample_weight)}")
    for values in per_replica:
        if values is not None and len(values) != n_replicas:
            faults.append(
                "lr, weight_decay and dropout must have one value for each of "
                f"{n_replicas} replicas, however: {len(values)}"
            )
    for number, fold in enumerate(folds):
        faults.extend(f"fold {number}: {fault}" for fault in _fold_faults(fold, n_rows))
        if settings.length_pool is not None and not {TOKENS, LENGTHS} <= set(fold.inputs):
            faults.append(
                f"fold {number}: with length_pool inputs must hold {TOKENS} and {LENGTHS}, "
                f"however: {', '.join(sorted(fold.inputs))}"
            )
        if (settings.augment or settings.n_views > 1) and IMAGE not in fold.inputs:
            faults.append(
                f"fold {number}: with augment or n_views inputs must hold {IMAGE}, "
                f"however: {', '.join(sorted(fold.inputs))}"
            )
    n_classes = int(np.max(target)) + 1 if n_rows else 0
    weights = settings.class_weights
    if weights is not None and len(weights) < n_classes:
        faults.append(f"class_weights must have {n_classes} values, however: {len(weights)}")
    if faults:
        raise TrainingDataError("; ".join(faults))


def check_dropout(template: nn.Module, dropout: Sequence[float]) -> None:
    """Whether the network's replicas can have these rates.

    Raises:
        TrainingDataError: If they cannot.
    """
    if not takes_own_rates(template):
        raise TrainingDataError(
            f"dropout needs a network with dropouts whose rate is an OwnRate, however: "
            f"{type(template).__name__} has none"
        )
    if not all(0 < rate < 1 for rate in dropout):
        raise TrainingDataError(f"dropout must be between 0 and 1, however: {list(dropout)}")


def _fold_faults(fold: FoldData, n_rows: int) -> list[str]:
    faults = [
        f"{key} must have {n_rows} rows like the target, however: {len(array)}"
        for key, array in fold.inputs.items()
        if len(array) != n_rows
    ]
    if not fold.inputs:
        faults.append("inputs must hold at least one array")
    named = {"train_rows": fold.train_rows, "valid_rows": fold.valid_rows}
    if fold.stop_rows is not None:
        named["stop_rows"] = fold.stop_rows
    for name, rows in named.items():
        if len(rows) < 1 or np.min(rows) < 0 or np.max(rows) >= n_rows:
            faults.append(f"{name} must be row numbers from 0 to {n_rows - 1}, at least one")
    return faults


def _plans(
    folds: Sequence[FoldData],
    seeds: Sequence[int],
    settings: TrainSettings,
    lr: Sequence[float] | None,
    weight_decay: Sequence[float] | None,
    dropout: Sequence[float] | None,
) -> list[Plan]:
    """The replicas in the order of the stack.

    Ascending row numbers make replicas with equal batches neighbours; next to each other, equal
    learning rates share an optimiser call and equal seeds share their dropout masks.
    """
    plans = []
    for number, (fold, seed) in enumerate((f, s) for f in range(len(folds)) for s in seeds):
        n_rows = len(folds[fold].train_rows)
        plans.append(
            Plan(
                replica=number,
                fold=fold,
                seed=seed,
                n_rows=n_rows,
                lr=settings.lr if lr is None else float(lr[number]),
                weight_decay=(
                    settings.weight_decay if weight_decay is None else float(weight_decay[number])
                ),
                n_steps=settings.epochs * len(batch_sizes(n_rows, settings.batch_size)),
                dropout=None if dropout is None else float(dropout[number]),
            )
        )
    return sorted(
        plans, key=lambda p: (p.n_rows, p.lr, p.weight_decay, p.dropout or 0.0, p.seed, p.fold)
    )


@torch.no_grad()
def _start_from(stack: Stack, plans: Sequence[Plan], folds: Sequence[FoldData]) -> None:
    """Put the weights that folds bring in the place of the networks' own.

    Raises:
        TrainingDataError: If the network has no such parameter, or one of another shape.
    """
    for at, plan in enumerate(plans):
        for name, array in folds[plan.fold].initial.items():
            weight = stack.weights.get(name)
            shape = None if weight is None else tuple(weight.shape[1:])
            if weight is None or shape != array.shape:
                raise TrainingDataError(
                    f"fold {plan.fold}: initial weights for {name} have the shape {array.shape}, "
                    f"however: the network's has {shape or 'no such parameter'}"
                )
            brought = tensor_of(array, weight.dtype, weight.device)
            weight[at] = torch.where(torch.isnan(brought), weight[at], brought)


def _asked(settings: TrainSettings) -> str:
    """The strategy asked for; batches cut to their longest row have each replica's own width."""
    return settings.strategy if settings.length_pool is None else "sequential"


def _built(build: Callable[[], nn.Module], seed: int, dtype: torch.dtype) -> nn.Module:
    """The network with that seed's initial weights; torch's own generators stay untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build().to(dtype=dtype)


def _first_rows(tables: Tables, plan: Plan, folds: Sequence[FoldData]) -> Mapping[str, Tensor]:
    """A few training rows of one replica, for trials: for each key `(B, ...)`."""
    rows = torch.as_tensor(folds[plan.fold].train_rows[:16], device=tables.device)
    batch = tables.gather(rows[None], torch.tensor([plan.fold], device=tables.device))
    return {key: value[0] for key, value in batch.items()}


def _device(name: str, settings: TrainSettings) -> torch.device:
    found = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(found if name == "auto" else name)
    if settings.precision == "bf16" and device.type != "cuda":
        raise StrategyError(
            f"precision 'bf16' must run on CUDA, however: the device is {device}; "
            "set precision to 'float32'"
        )
    return device


def _balanced(sample_weight: Array | None, target: Rows, balance: float) -> Array | None:
    """The rows' weights, and those that make rare classes count more."""
    if not balance:
        return sample_weight
    weights = row_weights(np.asarray(target), balance)
    return weights if sample_weight is None else weights * np.asarray(sample_weight, np.float64)


def _optional(
    values: Array | Sequence[float] | None, dtype: torch.dtype, device: torch.device
) -> Tensor | None:
    return None if values is None else tensor_of(np.asarray(values, np.float64), dtype, device)
