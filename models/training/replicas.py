"""What is trained: the objective, and the seeds and hyperparameters of each replica."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.data import Array, FoldData
from models.losses import Loss, row_weights
from models.metrics import Metric
from models.target_scale import TargetScale
from models.training.batches import batch_sizes
from models.training.settings import TrainSettings


@dataclass(frozen=True)
class Objective:
    """The loss to minimise, the metric to score by, and how much each row counts.

    Attributes:
        loss: From `models.losses`.
        metric: From `models.metrics`.
        sample_weight: `(n_rows,)` weights of the rows in the training loss; None for equal ones.
        scales: For values, each fold's scale of each target column, on which networks learn it;
            empty for the target's own.
    """

    loss: Loss
    metric: Metric
    sample_weight: Array | None = None
    scales: Sequence[Sequence[TargetScale]] = ()

    def balanced_weight(self, target: Array, balance: float) -> Array | None:
        """The rows' weights times those that make rare classes count more, `(n_rows,)`.

        Args:
            target: `(n_rows,) int64` class index.
            balance: `TrainSettings.balance`; 0 leaves the weights as they are.
        """
        if not balance:
            return self.sample_weight
        weights = row_weights(np.asarray(target), balance)
        if self.sample_weight is None:
            return weights
        return weights * np.asarray(self.sample_weight, np.float64)


@dataclass(frozen=True)
class Replicas:
    """The replicas of a training: one for each fold and each seed.

    Sequences of hyperparameters have one value per replica, fold-major, and replace the value in
    the settings.

    Attributes:
        seeds: Each is trained on every fold; initial weights are those that
            `torch.manual_seed(seed)` and `build()` give.
        lr: Peak learning rates.
        weight_decay: Weight decays.
        dropout: Rates of those dropouts of the network whose rate is an `OwnRate`.
    """

    seeds: Sequence[int] = (0,)
    lr: Sequence[float] | None = None
    weight_decay: Sequence[float] | None = None
    dropout: Sequence[float] | None = None

    def faults(self, n_folds: int) -> list[str]:
        """What is wrong with the seeds and the numbers of values."""
        faults = []
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            faults.append(f"seeds must be distinct and at least one, got {list(self.seeds)}")
        n_replicas = n_folds * len(self.seeds)
        for name in ("lr", "weight_decay", "dropout"):
            values = getattr(self, name)
            if values is not None and len(values) != n_replicas:
                faults.append(
                    f"{name} must have one value for each of {n_replicas} replicas, "
                    f"got {len(values)}"
                )
        return faults


@dataclass(frozen=True)
class ReplicaSpec:
    """What one replica is trained on, and how.

    Attributes:
        replica: Its number, fold-major.
        fold: Its fold.
        seed: Its seed.
        n_rows: Number of its training rows.
        lr: Its peak learning rate.
        weight_decay: Its weight decay.
        n_steps: Optimiser steps of its whole training.
        dropout: Its dropout rate; None for the network's.
    """

    replica: int
    fold: int
    seed: int
    n_rows: int
    lr: float
    weight_decay: float
    n_steps: int
    dropout: float | None = None


def replica_specs(
    folds: Sequence[FoldData], settings: TrainSettings, replicas: Replicas
) -> list[ReplicaSpec]:
    """The replicas in the order of the stack.

    Ascending numbers of rows make replicas with equal batches neighbours; among those, equal
    learning rates share an optimiser call and equal seeds share their dropout masks.
    """
    pairs = [(fold, seed) for fold in range(len(folds)) for seed in replicas.seeds]
    specs = []
    for number, (fold, seed) in enumerate(pairs):
        n_rows = len(folds[fold].train_rows)
        dropout = None if replicas.dropout is None else float(replicas.dropout[number])
        specs.append(
            ReplicaSpec(
                replica=number,
                fold=fold,
                seed=seed,
                n_rows=n_rows,
                lr=_value(replicas.lr, number, settings.lr),
                weight_decay=_value(replicas.weight_decay, number, settings.weight_decay),
                n_steps=settings.epochs * len(batch_sizes(n_rows, settings.batch_size)),
                dropout=dropout,
            )
        )
    return sorted(
        specs, key=lambda s: (s.n_rows, s.lr, s.weight_decay, s.dropout or 0.0, s.seed, s.fold)
    )


def _value(values: Sequence[float] | None, number: int, default: float) -> float:
    return default if values is None else float(values[number])
