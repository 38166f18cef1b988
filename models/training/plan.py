"""What a training is made from, and what it makes of that: context, initial weights, replicas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.data import Array, FoldData, TrainingDataError, tensor_of, training_set
from models.training.checks import check_data, check_dropout
from models.training.hardware import accept_compacted_weights, dtype_of, training_device
from models.training.loop import Training
from models.training.optimisers import MOMENTS
from models.training.replica_chunk import TrainingContext
from models.training.replicas import Objective, Replicas, ReplicaSpec, replica_specs
from models.training.settings import TrainSettings
from models.training.stack_size import stack_size
from models.training.tables import Tables
from models.vectorised.stack import Stack
from models.vectorised.strategy import choose_strategy, draws_globally

Build = Callable[[], nn.Module]
ONE_SEED = Replicas()


@dataclass(frozen=True)
class TrainingPlan:
    """The arguments of `fit`, and what follows from them; where pickled, the arguments alone.

    Attributes:
        build: Makes the network.
        folds: The folds.
        target: `(n_rows,)` or `(n_rows, n_targets)`.
        settings: How to train.
        objective: Loss, metric and weights of the rows.
        replicas: Seeds and hyperparameters.
        device: "auto", "cpu", "cuda" or "cuda:1".
    """

    build: Build
    folds: Sequence[FoldData]
    target: Array
    settings: TrainSettings
    objective: Objective
    replicas: Replicas = ONE_SEED
    device: str = "auto"

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def specs(self) -> list[ReplicaSpec]:
        """The replicas, in the order in which they stand in a stack."""
        return replica_specs(self.folds, self.settings, self.replicas)

    @cached_property
    def context(self) -> TrainingContext:
        """What all replicas share.

        Raises:
            TrainingDataError: The arguments do not match; one message lists all faults.
            StrategyError: The strategy in the settings cannot run this network.
        """
        check_data(self.folds, self.target, self.settings, self.objective, self.replicas)
        device = training_device(self.device, self.settings.precision)
        if device.type == "cuda":
            accept_compacted_weights()
        template = self._modules[self.replicas.seeds[0]]
        check_dropout(template, self.replicas)
        return _context(self, template, device)

    @cached_property
    def _modules(self) -> dict[int, nn.Module]:
        """By seed, the network with its initial weights, on the device."""
        device = training_device(self.device, self.settings.precision)
        dtype = dtype_of(self.settings.precision)
        return {seed: _built(self.build, seed, dtype).to(device) for seed in self.replicas.seeds}

    def stack(self, specs: Sequence[ReplicaSpec]) -> Stack:
        """The initial weights of these replicas."""
        n_moments = len(MOMENTS[self.settings.optimizer])
        stack = Stack.of([self._modules[spec.seed] for spec in specs], n_moments=n_moments)
        _set_initial(stack, specs, self.folds)
        return stack

    def training(self, places: range | None = None) -> Training:
        """A training before its first epoch.

        Args:
            places: Which of `specs` are trained; None for all.
        """
        context = self.context
        specs = self.specs if places is None else self.specs[places.start : places.stop]
        stack = self.stack(specs)
        return Training(context, stack, specs, chunk_size=stack_size(context, stack, specs))


def _context(plan: TrainingPlan, template: nn.Module, device: torch.device) -> TrainingContext:
    """The folds' training sets on the device, and how the network runs on them."""
    folds, target, specs = plan.folds, plan.target, plan.specs
    settings, objective = plan.settings, plan.objective
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
