"""Neighbouring replicas of a stack that go through the network together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import groupby

import torch
from torch import Tensor, nn

from models.data import CPU, FoldData
from models.losses import Loss
from models.metrics import Metric
from models.target_scale import TargetScale
from models.training.augmentation import IMAGE, inputs_in_view, warped
from models.training.batches import (
    LENGTHS,
    Group,
    batch_sizes,
    bucketed,
    epoch_steps,
    sorted_by_length,
    trimmed,
)
from models.training.hardware import Workers, autocast, dtype_of
from models.training.optimisers import StepRule, clip_gradients, lr_factor, optimise
from models.training.replicas import ReplicaSpec
from models.training.settings import TrainSettings
from models.training.tables import EpochRows, ReplicaBatch, Tables, unscaled
from models.vectorised.dropout import Owners
from models.vectorised.random_streams import epoch_order, stream, stream_seed
from models.vectorised.stack import Forward, SequentialForward, Stack
from models.vectorised.strategy import runner

_Owned = tuple[list[torch.Generator], Owners, tuple[float, ...] | None]


@dataclass(frozen=True)
class TrainingContext:
    """What all replicas share: data on the device, network, loss, metric, settings.

    Attributes:
        template: The network, for its structure only.
        folds: The folds.
        tables: The encoded rows of all folds.
        target: `(n_rows,) int64`, or values `(n_rows,)` or `(n_rows, n_targets)`.
        goals: What networks learn, `(1 or n_folds, *target.shape)`: the target, or each fold's
            scaled one.
        scales: Each fold's scale of each target column; empty for the target's own.
        sample_weight: `(n_rows,)` or None.
        train_rows: Each fold's training rows.
        class_weights: `(n_classes,)` or None.
        loss: The loss.
        metric: The metric.
        settings: The settings.
        strategy: "layers", "vmap" or "sequential".
        draws_globally: Whether the network itself draws from torch's global generator.
        device: Where all tensors are.
    """

    template: nn.Module
    folds: Sequence[FoldData]
    tables: Tables
    target: Tensor
    goals: Tensor
    scales: Sequence[Sequence[TargetScale]]
    sample_weight: Tensor | None
    train_rows: Sequence[Tensor]
    class_weights: Tensor | None
    loss: Loss
    metric: Metric
    settings: TrainSettings
    strategy: str
    draws_globally: bool
    device: torch.device

    @property
    def dtype(self) -> torch.dtype:
        """Of weights and of floating-point inputs."""
        return dtype_of(self.settings.precision)

    def workers(self) -> Workers:
        """The threads that share the passes: one per core where replicas run one by one."""
        is_parallel = self.strategy == "sequential" and self.device.type == "cpu"
        is_parallel = is_parallel and not self.draws_globally
        return Workers(torch.get_num_threads() if is_parallel else 1)

    def cut(self, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The batch; with `length_pool` its texts are cut to the longest one."""
        return batch if self.settings.length_pool is None else trimmed(batch)

    def goal(self, rows: Tensor, fold: int) -> Tensor:
        """What networks of a fold learn of these rows: `(n,) -> (n, ...)`."""
        return self.goals[fold if len(self.goals) > 1 else 0][rows]

    def predictions(self, logits: Tensor, fold: int) -> Tensor:
        """Logits `(n, ..., n_outputs)` of a fold's network to predictions `(n, n_columns)`."""
        return unscaled(self.loss.probabilities(logits), self.scales, fold)

    def autocast(self) -> AbstractContextManager[object]:
        """The context of a forward pass in the settings' precision."""
        return autocast(self.settings.precision, self.device)


def forward_over(template: nn.Module, stack: Stack, low: int, high: int, strategy: str) -> Forward:
    """A forward pass over these replicas; a single replica needs no vmap."""
    is_single = high - low == 1 and strategy == "vmap"
    return runner("sequential" if is_single else strategy)(template, stack, low, high)


@dataclass
class ReplicaChunk:
    """Replicas `low` to `high` of a stack, and their passes.

    Attributes:
        context: What all replicas share.
        stack: The stack.
        specs: Those of this chunk's replicas.
        low: The first replica's position in the stack.
    """

    context: TrainingContext
    stack: Stack
    specs: Sequence[ReplicaSpec]
    low: int
    folds: Tensor = field(init=False)
    _steps: list[list[Group]] = field(init=False)
    _rows_seen: Tensor = field(init=False)
    _forwards: dict[tuple[int, int], Forward] = field(init=False, default_factory=dict)
    _runs: dict[tuple[int, int], list[tuple[ReplicaSpec, int]]] = field(
        init=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        device, batch_size = self.context.device, self.context.settings.batch_size
        self.folds = torch.tensor([spec.fold for spec in self.specs], device=device)
        lengths = [spec.n_rows for spec in self.specs]
        self._steps = epoch_steps(lengths, batch_size)
        self._rows_seen = torch.tensor(
            [sum(batch_sizes(n_rows, batch_size)) for n_rows in lengths], device=device
        )

    @property
    def width(self) -> int:
        """Number of replicas."""
        return len(self.specs)

    def train_epoch(self, epoch: int) -> Tensor:
        """One pass over each replica's training rows.

        Returns:
            `(r,)` mean training loss per row, still on the device.
        """
        rows = self._epoch_rows(epoch)
        streams = _Streams(self.specs, epoch, self.context.device)
        total = torch.zeros(self.width, dtype=self.context.dtype, device=self.context.device)
        for groups in self._steps:
            states = streams.states() if len(groups) > 1 else []
            for number, group in enumerate(groups):
                if number:
                    streams.go_back(states)
                losses = self._step(group, rows, streams, epoch)
                total[group.low : group.high].add_(losses, alpha=group.size)
        return total / self._rows_seen

    def _orders(self, epoch: int) -> Tensor:
        """`(r, longest)` row numbers in the order of this epoch; shorter rows end in zeros."""
        drawn = {(s.seed, s.n_rows) for s in self.specs}
        orders = {key: epoch_order(key[0], epoch, key[1]).to(self.context.device) for key in drawn}
        rows = [self.context.train_rows[s.fold][orders[s.seed, s.n_rows]] for s in self.specs]
        if self.context.settings.length_pool is not None:
            pairs = zip(self.specs, rows, strict=True)
            rows = [self._bucketed(spec, of_spec, epoch) for spec, of_spec in pairs]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True)

    def _bucketed(self, spec: ReplicaSpec, rows: Tensor, epoch: int) -> Tensor:
        """The rows of an epoch in batches of similar length."""
        settings = self.context.settings
        assert settings.length_pool is not None  # checked by the caller
        return bucketed(
            rows,
            self.context.tables.of_fold(LENGTHS, rows, spec.fold),
            batch_size=settings.batch_size or spec.n_rows,
            pool=settings.length_pool,
            generator=stream(spec.seed, epoch, "buckets", CPU),
        )

    def _epoch_rows(self, epoch: int) -> EpochRows:
        context = self.context
        orders = self._orders(epoch)
        return EpochRows(context.tables, context.goals, context.sample_weight, orders, self.folds)

    def _step(self, group: Group, rows: EpochRows, streams: _Streams, epoch: int) -> Tensor:
        """One optimiser step of a group of replicas; returns their losses `(r,)` before it."""
        settings, first = self.context.settings, self.low + group.low
        forward = self.forward(group.low, group.high)
        streams.point(forward, group)
        if self.context.draws_globally:
            taken = self.stack.steps[first]
            torch.manual_seed(stream_seed(self.specs[group.low].seed, epoch, "global", step=taken))
        losses = self._losses(forward, self._augmented(rows.batch(group), group, epoch))
        torch.autograd.backward(losses, torch.ones_like(losses))
        if settings.grad_clip is not None:
            clip_gradients(forward.leaves, settings.grad_clip, n_replicas=group.high - group.low)
        optimise(forward.leaves, self._rules(group), settings)
        return losses.detach()

    def _augmented(self, batch: ReplicaBatch, group: Group, epoch: int) -> ReplicaBatch:
        """The batch with its pictures warped, by each replica's random stream for this step."""
        settings, first = self.context.settings.augment, self.low + group.low
        if settings is None:
            return batch
        images = torch.empty_like(batch.inputs[IMAGE])  # (r, B, C, H, W)
        for at, spec in enumerate(self.specs[group.low : group.high]):
            taken = self.stack.steps[first + at]
            seed = stream_seed(spec.seed, epoch, "augment", step=taken)
            generator = torch.Generator(self.context.device).manual_seed(seed)
            images[at] = warped(batch.inputs[IMAGE][at], settings, generator)
        return replace(batch, inputs={**batch.inputs, IMAGE: images})

    def trial(self) -> None:
        """Forward and backward over all replicas' first batch, without a step."""
        group = self._steps[0][-1]
        group = replace(group, low=0, high=self.width)
        forward = self.forward(0, self.width)
        _Streams(self.specs, 0, self.context.device).point(forward, group)
        losses = self._losses(forward, self._epoch_rows(0).batch(group))
        torch.autograd.backward(losses, torch.ones_like(losses))

    def _rules(self, group: Group) -> list[StepRule]:
        """The group's rules for its next step, which counts as taken from now on."""
        rules, first = [], self.low + group.low
        for spec, n in self._equal_runs(group):
            taken = self.stack.steps[first]
            factor = lr_factor(self.context.settings.schedule, taken, spec.n_steps)
            self.stack.steps[first : first + n] = [taken + 1] * n
            rules.append(StepRule(taken + 1, spec.lr * factor, spec.weight_decay, n))
            first += n
        return rules

    def _equal_runs(self, group: Group) -> list[tuple[ReplicaSpec, int]]:
        """Runs of neighbours with equal rules: the first one's spec, and how many they are."""
        at = (group.low, group.high)
        if at not in self._runs:
            members = groupby(
                self.specs[group.low : group.high],
                key=lambda spec: (spec.lr, spec.weight_decay, spec.n_steps),
            )
            runs = [list(run) for _, run in members]
            self._runs[at] = [(run[0], len(run)) for run in runs]
        return self._runs[at]

    def _losses(self, forward: Forward, batch: ReplicaBatch) -> Tensor:
        """The weighted mean loss of each replica's batch: `(r,)`."""
        context, target = self.context, batch.target
        with context.autocast():
            logits = forward(context.cut(batch.inputs), training=True)
        per_row = context.loss.rows(
            logits.flatten(0, 1).to(context.dtype),  # (r, B, ...) -> (r * B, ...)
            target.flatten(0, 1),
            label_smoothing=context.settings.label_smoothing,
            class_weights=context.class_weights,
        ).view(target.shape[:2])
        weights = _row_weights(context, batch)
        if weights is None:
            return per_row.mean(dim=1)
        if batch.sample_weight is not None:
            per_row = per_row * batch.sample_weight
        return per_row.sum(dim=1) / weights.sum(dim=1)

    def forward(self, low: int, high: int) -> Forward:
        """The forward pass over some of the chunk's replicas, by position in the chunk."""
        if (low, high) not in self._forwards:
            self._forwards[low, high] = forward_over(
                self.context.template,
                self.stack,
                self.low + low,
                self.low + high,
                self.context.strategy,
            )
        return self._forwards[low, high]

    @torch.no_grad()
    def logits(self, rows: Sequence[Tensor], *, view: int = 0) -> list[Tensor]:
        """Logits in evaluation mode: for each replica its rows `(n,)` -> `(n, ..., n_outputs)`.

        Args:
            rows: Row numbers for each replica.
            view: Which of the fixed views of pictures, see `augmentation.in_view`.
        """
        results: list[Tensor] = []
        for _, run in groupby(range(self.width), key=lambda at: len(rows[at])):
            members = list(run)
            low, high = members[0], members[-1] + 1
            results.extend(self._logits(torch.stack(list(rows[low:high])), low, high, view))
        return results

    def _logits(self, rows: Tensor, low: int, high: int, view: int) -> Tensor:
        """Of replicas with the same number of rows: `(r, n) -> (r, n, ..., n_outputs)`."""
        context, forward, folds = self.context, self.forward(low, high), self.folds[low:high]

        def run(part: Tensor) -> Tensor:
            with context.autocast():
                inputs = inputs_in_view(context.tables.gather(part, folds), view)
                logits = forward(context.cut(inputs), training=False)
            return logits.to(context.dtype)

        size = context.settings.eval_batch_size
        if context.settings.length_pool is None:
            return torch.cat([run(part) for part in torch.split(rows, size, dim=1)], dim=1)
        lengths = context.tables.of_fold(LENGTHS, rows[0], int(folds[0]))  # one replica at a time
        return sorted_by_length(lambda at: run(rows[:, at])[0], lengths, batch_size=size)[None]


class _Streams:
    """The dropout streams of a chunk in one epoch.

    Replicas with the same seed share a stream, since each would draw the same numbers alone until
    its last batch, which may be shorter. Where a step has groups of several batch sizes, all of
    them therefore start from the same state, and the largest batch, whose replicas may have more
    steps to come, is last.
    """

    def __init__(self, specs: Sequence[ReplicaSpec], epoch: int, device: torch.device) -> None:
        self.specs = specs
        # Replicas with different rates draw the same bits, each from a separate stream.
        self.keys = [(spec.seed, spec.dropout) for spec in specs]
        self.generators = {key: stream(key[0], epoch, "dropout", device) for key in self.keys}
        self._owners: dict[tuple[int, int], _Owned] = {}

    def states(self) -> list[Tensor]:
        """The current state of each stream."""
        return [generator.get_state() for generator in self.generators.values()]

    def go_back(self, states: Sequence[Tensor]) -> None:
        """Return the streams to these states."""
        for generator, state in zip(self.generators.values(), states, strict=True):
            generator.set_state(state)

    def point(self, forward: Forward, group: Group) -> None:
        """Make the group's dropouts draw from its replicas' streams."""
        at = (group.low, group.high)
        if at not in self._owners:
            self._owners[at] = self._owned(self.keys[group.low : group.high])
        generators, owners, rates = self._owners[at]
        if isinstance(forward, SequentialForward):
            n_alike = (self.specs[group.low].n_rows - group.start) // max(group.size, 1)
            forward.source.draw_from(generators, None, rates=rates, n_alike=n_alike)
        else:
            forward.source.draw_from(generators, owners, rates=rates)

    def _owned(self, keys: Sequence[tuple[int, float | None]]) -> _Owned:
        """The distinct streams of some replicas, who draws from which, and the streams' rates."""
        place = {key: at for at, key in enumerate(dict.fromkeys(keys))}
        rates = tuple(rate for _, rate in place if rate is not None)
        owners = Owners(tuple(place[key] for key in keys))
        return [self.generators[key] for key in place], owners, rates or None


def _row_weights(context: TrainingContext, batch: ReplicaBatch) -> Tensor | None:
    """The weight of each row in the mean loss: `(r, B)`; None for a plain mean."""
    if context.class_weights is None:
        return batch.sample_weight
    of_class = context.class_weights[batch.target]
    return of_class if batch.sample_weight is None else batch.sample_weight * of_class
