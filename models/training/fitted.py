"""Trained replicas, scored on their held-out rows, and their predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.data import Array, Replica, TrainingFailedError
from models.training.hardware import Workers, split_evenly
from models.training.progress import Progress
from models.training.replica_chunk import ReplicaChunk, TrainingContext
from models.training.replicas import ReplicaSpec
from models.training.tables import unscaled
from models.training.trained import Networks, total
from models.vectorised.stack import Stack


@dataclass(frozen=True)
class Fitted:
    """The result of a training.

    Attributes:
        replicas: Fold-major: fold 0 with each seed, fold 1 with each seed, and so on.
        networks: The same replicas as one stack, for predictions.
    """

    replicas: list[Replica]
    networks: Networks

    @classmethod
    def of(
        cls,
        context: TrainingContext,
        stack: Stack,
        specs: Sequence[ReplicaSpec],
        progress: Progress,
        *,
        chunk_size: int,
        workers: Workers,
    ) -> Fitted:
        """Score the weights in `stack`, which are in the order of the specs."""
        positions = sorted(range(len(specs)), key=lambda at: specs[at].replica)
        ordered = stack.keep(positions)
        specs = [specs[at] for at in positions]
        parts = split_evenly(len(specs), n_workers=1, most=chunk_size)
        chunks = [ReplicaChunk(context, ordered, specs[p.start : p.stop], p.start) for p in parts]
        by_chunk = workers.map(_held_out_predictions, chunks)
        probabilities = [of_one for of_chunk in by_chunk for of_one in of_chunk]
        replicas = [
            _replica(context, progress, spec, _weights(ordered, at), probabilities[at])
            for at, spec in enumerate(specs)
        ]
        return cls(replicas, _networks(context, ordered, replicas, chunk_size, workers))

    def predict(self, inputs_per_fold: Sequence[Mapping[str, Array]]) -> NDArray[np.floating]:
        """Each replica's predictions for new rows.

        Args:
            inputs_per_fold: The same rows, encoded by each fold's encoder.

        Returns:
            `(R, n, n_classes)`; `predict_mean` needs less memory.
        """
        return self.networks.predict(inputs_per_fold)

    def predict_mean(self, inputs_per_fold: Sequence[Mapping[str, Array]]) -> NDArray[np.float64]:
        """The mean over the replicas without a fault, for new rows.

        Args:
            inputs_per_fold: The same rows, encoded by each fold's encoder.

        Returns:
            `(n, n_classes)`.

        Raises:
            TrainingFailedError: If every replica has a fault.
        """
        if not any(self.networks.usable):
            raise TrainingFailedError(str(self.replicas[0].fault))
        return self.networks.predict_mean(inputs_per_fold)


def _networks(
    context: TrainingContext,
    stack: Stack,
    replicas: Sequence[Replica],
    chunk_size: int,
    workers: Workers,
) -> Networks:
    return Networks(
        template=context.template,
        stack=stack,
        owners=tuple((replica.fold, replica.seed) for replica in replicas),
        usable=tuple(replica.fault is None for replica in replicas),
        inputs=tuple(context.tables.tables),
        settings=context.settings,
        loss=context.loss,
        scales=tuple(map(tuple, context.scales)),
        strategy=context.strategy,
        chunk_size=chunk_size,
        workers=workers,
        device=context.device,
    )


def _held_out_rows(context: TrainingContext, spec: ReplicaSpec) -> Tensor:
    return torch.as_tensor(context.folds[spec.fold].valid_rows, device=context.device)


def _held_out_predictions(chunk: ReplicaChunk) -> list[Tensor]:
    """Each replica's `(n_fold_valid, n_classes)`, the mean over the views."""
    context = chunk.context
    rows = [_held_out_rows(context, spec) for spec in chunk.specs]
    by_view = [chunk.logits(rows, view=view) for view in range(context.settings.n_views)]
    means = [
        total(map(context.loss.probabilities, of_replica)) / context.settings.n_views
        for of_replica in zip(*by_view, strict=True)
    ]
    pairs = zip(chunk.specs, means, strict=True)
    return [unscaled(mean, context.scales, spec.fold) for spec, mean in pairs]


def _weights(stack: Stack, at: int) -> dict[str, Tensor]:
    """One replica's weights and buffers, copied to the CPU."""
    return {name: tensor[at].cpu().clone() for name, tensor in stack.tensors().items()}


def _replica(
    context: TrainingContext,
    progress: Progress,
    spec: ReplicaSpec,
    weights: dict[str, Tensor],
    probabilities: Tensor,
) -> Replica:
    fault = progress.faults[spec.replica]
    target = context.target[_held_out_rows(context, spec)]
    score = float(context.metric.batched_score(target[None], probabilities[None])[0])
    return Replica(
        fold=spec.fold,
        seed=spec.seed,
        best_epoch=int(progress.stopping.best_epoch[spec.replica]),
        score=score if fault is None else math.nan,
        valid_predictions=probabilities.cpu().numpy(),
        curve=progress.curves[spec.replica],
        state_dict=weights,
        fault=fault,
    )
