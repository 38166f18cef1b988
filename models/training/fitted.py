"""Trained replicas, scored on their held-out rows, and what they predict."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.data import Array, FoldData, Replica, TrainingFailedError
from models.metrics import Metric
from models.training.hardware import Workers, split_evenly
from models.training.progress import Progress
from models.training.replica_chunk import Chunk, Plan, Task
from models.training.trained import Networks, total
from models.vectorised.stack import Stack


@dataclass(frozen=True)
class Fitted:
    """What `fit` returns.

    Attributes:
        replicas: Fold-major: fold 0 with each seed, fold 1 with each seed, and so on.
        networks: The same replicas as one stack that predicts.
    """

    replicas: list[Replica]
    networks: Networks

    @classmethod
    def of(
        cls,
        task: Task,
        stack: Stack,
        plans: Sequence[Plan],
        folds: Sequence[FoldData],
        metric: Metric,
        progress: Progress,
        *,
        chunk_size: int,
        workers: Workers,
    ) -> "Fitted":
        """Score the weights in `stack`, which are in the order of the plans."""
        places = sorted(range(len(plans)), key=lambda at: plans[at].replica)
        ordered = stack.keep(places)
        plans = [plans[at] for at in places]
        parts = split_evenly(len(plans), n_workers=1, most=chunk_size)
        chunks = [Chunk(task, ordered, plans[p.start : p.stop], p.start) for p in parts]

        def rows(chunk: Chunk) -> list[Tensor]:
            valid = (torch.as_tensor(folds[plan.fold].valid_rows) for plan in chunk.plans)
            return [own.to(task.device) for own in valid]

        told = workers.map(lambda chunk: _valid_probabilities(chunk, rows(chunk)), chunks)
        replicas = []
        for chunk, of_chunk in zip(chunks, told, strict=True):
            own_rows = rows(chunk)
            for at, (plan, columns) in enumerate(zip(chunk.plans, of_chunk, strict=True)):
                place = chunk.low + at
                weights = {n: t[place].cpu().clone() for n, t in ordered.tensors().items()}
                truth = task.target[own_rows[at]]
                score = float(metric.batched(truth[None], columns[None])[0])
                replicas.append(_replica(plan, progress, weights, columns.cpu().numpy(), score))
        return cls(replicas, _networks(task, ordered, replicas, chunk_size, workers))

    def predict(self, inputs_per_fold: Sequence[Mapping[str, Array]]) -> NDArray[np.floating]:
        """What each replica predicts for new rows.

        Args:
            inputs_per_fold: The same rows as each fold's encoder sees them.

        Returns:
            `(R, n, n_classes)`; for many rows prefer `predict_mean`.
        """
        return self.networks.predict(inputs_per_fold)

    def predict_mean(self, inputs_per_fold: Sequence[Mapping[str, Array]]) -> NDArray[np.float64]:
        """The mean over the replicas without a fault, for new rows.

        Args:
            inputs_per_fold: The same rows as each fold's encoder sees them.

        Returns:
            `(n, n_classes)`.

        Raises:
            TrainingFailedError: If every replica has a fault.
        """
        if not any(self.networks.usable):
            raise TrainingFailedError(str(self.replicas[0].fault))
        return self.networks.predict_mean(inputs_per_fold)


def _networks(
    task: Task, stack: Stack, replicas: Sequence[Replica], chunk_size: int, workers: Workers
) -> Networks:
    return Networks(
        template=task.template,
        stack=stack,
        owners=tuple((replica.fold, replica.seed) for replica in replicas),
        usable=tuple(replica.fault is None for replica in replicas),
        inputs=tuple(task.tables.tables),
        settings=task.settings,
        loss=task.loss,
        strategy=task.strategy,
        chunk_size=chunk_size,
        workers=workers,
        device=task.device,
    )


def _valid_probabilities(chunk: Chunk, rows: Sequence[Tensor]) -> list[Tensor]:
    """For each replica its rows `(n,)` -> `(n, n_classes)`, the mean over the views."""
    loss, n_views = chunk.task.loss, chunk.task.settings.n_views
    by_view = [chunk.logits(rows, view=view) for view in range(n_views)]
    return [total(map(loss.probabilities, own)) / n_views for own in zip(*by_view, strict=True)]


def _replica(
    plan: Plan,
    progress: Progress,
    weights: dict[str, Tensor],
    probabilities: NDArray[np.floating],
    score: float,
) -> Replica:
    fault = progress.faults[plan.replica]
    return Replica(
        fold=plan.fold,
        seed=plan.seed,
        best_epoch=int(progress.stopping.best_epoch[plan.replica]),
        score=score if fault is None else math.nan,
        valid_probabilities=probabilities,
        curve=progress.curves[plan.replica],
        state_dict=weights,
        fault=fault,
    )
