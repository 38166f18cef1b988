"""Trained replicas, and what they predict."""

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.batching import tensor_of
from models.chunk import Chunk, Plan, Task, forward_over, seen_inputs
from models.lengths import LENGTHS, sorted_by_length, trimmed
from models.metrics import Metric
from models.progress import Progress
from models.replicas import Array, FoldData, Replica, TrainingDataError, TrainingFailedError
from models.settings import TrainSettings
from models.stacking import Forward, Stack
from models.workers import Workers, split_evenly

_POOLED = 16  # batches of texts among which rows are sorted by length


@dataclass(frozen=True)
class Fitted:
    """What `fit` returns.

    Attributes:
        replicas: Fold-major: fold 0 with each seed, fold 1 with each seed, and so on.
    """

    replicas: list[Replica]
    _task: Task
    _stack: Stack
    _chunk_size: int
    _workers: Workers

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
        return cls(replicas, task, ordered, chunk_size, workers)

    @torch.no_grad()
    def predict(self, inputs_per_fold: Sequence[Mapping[str, Array]]) -> NDArray[np.floating]:
        """What each replica predicts for new rows.

        Args:
            inputs_per_fold: The same rows as each fold's encoder sees them.

        Returns:
            `(R, n, n_classes)`; for many rows prefer `predict_mean`.
        """
        n_rows = self._n_rows(inputs_per_fold)
        parts = [
            torch.cat(list(self._probabilities(inputs_per_fold, rows))).cpu().numpy()
            for rows in _slices(n_rows, self._task.settings)
        ]
        return np.concatenate(parts, axis=1)

    @torch.no_grad()
    def predict_mean(self, inputs_per_fold: Sequence[Mapping[str, Array]]) -> NDArray[np.float64]:
        """The mean over the replicas without a fault, for new rows.

        The rows pass in batches, so that memory does not grow with R times n.

        Args:
            inputs_per_fold: The same rows as each fold's encoder sees them.

        Returns:
            `(n, n_classes)`.

        Raises:
            TrainingFailedError: If every replica has a fault.
        """
        good = [replica.fault is None for replica in self.replicas]
        if not any(good):
            raise TrainingFailedError(str(self.replicas[0].fault))
        n_rows = self._n_rows(inputs_per_fold)
        return np.concatenate(
            [
                self._mean(inputs_per_fold, rows, good)
                for rows in _slices(n_rows, self._task.settings)
            ]
        )

    def _mean(
        self, inputs_per_fold: Sequence[Mapping[str, Array]], rows: slice, good: Sequence[bool]
    ) -> NDArray[np.float64]:
        device = self._task.device
        keep = torch.tensor(good, device=device)
        total: Tensor | None = None
        first = 0
        for own in self._probabilities(inputs_per_fold, rows):
            among = keep[first : first + len(own)]
            part = own[among].double().sum(dim=0)  # (r, B, C) -> (B, C)
            total = part if total is None else total + part
            first += len(own)
        assert total is not None  # there is at least one replica
        mean: NDArray[np.float64] = (total / sum(good)).cpu().numpy()
        return mean

    def _probabilities(
        self, inputs_per_fold: Sequence[Mapping[str, Array]], rows: slice
    ) -> "Sequence[Tensor]":
        """For each chunk of replicas `(r, B, n_classes)`."""
        task = self._task

        @torch.no_grad()  # it holds in its own thread only
        def of_part(part: range) -> Tensor:
            forward = forward_over(task.template, self._stack, part.start, part.stop, task.strategy)
            folds = [self.replicas[at].fold for at in part]
            return _mean_over_views(forward, _batch(inputs_per_fold, folds, rows, task), task)

        parts = split_evenly(len(self.replicas), n_workers=1, most=self._chunk_size)
        return self._workers.map(of_part, parts)

    def _n_rows(self, inputs_per_fold: Sequence[Mapping[str, Array]]) -> int:
        n_folds = 1 + max(replica.fold for replica in self.replicas)
        lengths = {len(array) for inputs in inputs_per_fold for array in inputs.values()}
        if len(inputs_per_fold) != n_folds or len(lengths) != 1:
            raise TrainingDataError(
                f"inputs_per_fold must hold the same rows for {n_folds} folds, however: "
                f"{len(inputs_per_fold)} folds with row counts {sorted(lengths)}"
            )
        return lengths.pop()


def _slices(n_rows: int, settings: TrainSettings) -> list[slice]:
    """Rows that are read together; of texts many, from which rows of like length are taken."""
    size = settings.eval_batch_size * (1 if settings.length_pool is None else _POOLED)
    return [slice(start, start + size) for start in range(0, max(n_rows, 1), size)]


def _total(parts: Iterable[Tensor]) -> Tensor:
    return functools.reduce(torch.add, parts)


def _valid_probabilities(chunk: Chunk, rows: Sequence[Tensor]) -> list[Tensor]:
    """For each replica its rows `(n,)` -> `(n, n_classes)`, the mean over the views."""
    loss, n_views = chunk.task.loss, chunk.task.settings.n_views
    by_view = [chunk.logits(rows, view=view) for view in range(n_views)]
    return [_total(map(loss.probabilities, own)) / n_views for own in zip(*by_view, strict=True)]


def _mean_over_views(forward: Forward, batch: Mapping[str, Tensor], task: Task) -> Tensor:
    """For each key `(r, B, ...)` -> probabilities `(r, B, n_classes)`."""
    n_views = task.settings.n_views
    by_view = (_logits(forward, seen_inputs(batch, view), task) for view in range(n_views))
    flat = _total(task.loss.probabilities(logits.flatten(0, 1)) for logits in by_view) / n_views
    return flat.view(len(next(iter(batch.values()))), -1, flat.shape[-1])


def _logits(forward: Forward, batch: Mapping[str, Tensor], task: Task) -> Tensor:
    """For each key `(r, B, ...)` -> `(r, B, ..., n_outputs)`."""

    def run(part: Mapping[str, Tensor]) -> Tensor:
        with task.autocast():
            return forward(part, training=False).to(task.settings.dtype)

    if task.settings.length_pool is None:
        return run(batch)
    return sorted_by_length(
        lambda at: run(trimmed({key: value[:, at] for key, value in batch.items()}))[0],
        batch[LENGTHS][0],  # replicas come singly
        batch_size=task.settings.eval_batch_size,
    )[None]


def _batch(
    inputs_per_fold: Sequence[Mapping[str, Array]], folds: Sequence[int], rows: slice, task: Task
) -> dict[str, Tensor]:
    """For each key the rows of each replica's fold: `(r, B, ...)`."""
    dtype, device = task.settings.dtype, task.device
    batch = {}
    for key in task.tables.tables:
        parts = {
            fold: tensor_of(inputs_per_fold[fold][key][rows], dtype, device)
            for fold in dict.fromkeys(folds)
        }
        batch[key] = torch.stack([parts[fold] for fold in folds])
    return batch


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
