"""Neighbouring replicas of a stack that go through the network together."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import groupby

import torch
from torch import Tensor, nn

from models.losses import Loss
from models.training.augmentation import IMAGE, seen, warped
from models.training.batches import Batch, EpochRows, Group, Tables, batch_sizes, epoch_steps
from models.training.length_batches import LENGTHS, bucketed, sorted_by_length, trimmed
from models.training.optimisers import StepRule, clip_gradients, lr_factor, optimise
from models.training.settings import TrainSettings
from models.vectorised.dropout import Owners
from models.vectorised.random_streams import epoch_order, stream, stream_seed
from models.vectorised.stack import Forward, SequentialForward, Stack
from models.vectorised.strategy import runner

_CPU = torch.device("cpu")
_Owned = tuple[list[torch.Generator], Owners, tuple[float, ...] | None]


@dataclass(frozen=True)
class Plan:
    """What one replica is to be trained on, and how.

    Attributes:
        replica: Its number, fold-major.
        fold: Its fold.
        seed: Its seed.
        n_rows: Its training rows.
        lr: Its peak learning rate.
        weight_decay: Its weight decay.
        n_steps: Optimiser steps of its whole training.
        dropout: Its rate in place of the network's own; None takes that one.
    """

    replica: int
    fold: int
    seed: int
    n_rows: int
    lr: float
    weight_decay: float
    n_steps: int
    dropout: float | None = None


@dataclass(frozen=True)
class Task:
    """What all replicas share: data on the device, network, loss, settings.

    Attributes:
        template: The network, for its structure only.
        tables: The encoded rows.
        target: `(n_rows,) int64`.
        sample_weight: `(n_rows,)` or None.
        train_rows: For each fold its training rows.
        class_weights: `(n_classes,)` or None.
        loss: The loss.
        settings: The settings.
        strategy: "layers", "vmap" or "sequential".
        draws_globally: The network draws from torch's global generator by itself.
        device: Where all of this lies.
    """

    template: nn.Module
    tables: Tables
    target: Tensor
    sample_weight: Tensor | None
    train_rows: Sequence[Tensor]
    class_weights: Tensor | None
    loss: Loss
    settings: TrainSettings
    strategy: str
    draws_globally: bool
    device: torch.device

    def cut(self, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The batch, its texts cut to the longest one where batches are of like length."""
        return batch if self.settings.length_pool is None else trimmed(batch)

    def autocast(self) -> AbstractContextManager[object]:
        """bf16 products where the settings ask for it."""
        return self.settings.autocast(self.device)


def forward_over(template: nn.Module, stack: Stack, low: int, high: int, strategy: str) -> Forward:
    """A forward pass over these replicas; a single one needs no vmap."""
    is_single = high - low == 1 and strategy == "vmap"
    return runner("sequential" if is_single else strategy)(template, stack, low, high)


@dataclass
class Chunk:
    """Replicas `low` to `high` of a stack, and their passes.

    Attributes:
        task: What all replicas share.
        stack: The stack.
        plans: The plans of this chunk's replicas.
        low: The first replica's position in the stack.
    """

    task: Task
    stack: Stack
    plans: Sequence[Plan]
    low: int
    folds: Tensor = field(init=False)
    _steps: list[list[Group]] = field(init=False)
    _rows_seen: Tensor = field(init=False)
    _forwards: dict[tuple[int, int], Forward] = field(init=False, default_factory=dict)
    _runs: dict[tuple[int, int], list[tuple[Plan, int]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        device, batch_size = self.task.device, self.task.settings.batch_size
        self.folds = torch.tensor([p.fold for p in self.plans], device=device)
        lengths = [plan.n_rows for plan in self.plans]
        self._steps = epoch_steps(lengths, batch_size)
        self._rows_seen = torch.tensor(
            [sum(batch_sizes(n_rows, batch_size)) for n_rows in lengths], device=device
        )

    @property
    def width(self) -> int:
        """How many replicas."""
        return len(self.plans)

    def train_epoch(self, epoch: int) -> Tensor:
        """One pass over each replica's training rows.

        Returns:
            `(r,)` mean training loss per row, still on the device.
        """
        rows = self._epoch_rows(epoch)
        streams = _Streams(self.plans, epoch, self.task.device)
        total = torch.zeros(self.width, dtype=self.task.settings.dtype, device=self.task.device)
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
        drawn = {(p.seed, p.n_rows) for p in self.plans}
        orders = {key: epoch_order(key[0], epoch, key[1]).to(self.task.device) for key in drawn}
        rows = [self.task.train_rows[p.fold][orders[p.seed, p.n_rows]] for p in self.plans]
        if self.task.settings.length_pool is not None:
            pairs = zip(self.plans, rows, strict=True)
            rows = [self._bucketed(plan, own, epoch) for plan, own in pairs]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True)

    def _bucketed(self, plan: Plan, rows: Tensor, epoch: int) -> Tensor:
        """The rows of an epoch in batches of like length."""
        settings = self.task.settings
        assert settings.length_pool is not None  # the caller looked
        return bucketed(
            rows,
            self.task.tables.of_fold(LENGTHS, rows, plan.fold),
            batch_size=settings.batch_size or plan.n_rows,
            pool=settings.length_pool,
            generator=stream(plan.seed, epoch, "buckets", _CPU),
        )

    def _epoch_rows(self, epoch: int) -> EpochRows:
        task = self.task
        orders = self._orders(epoch)
        return EpochRows(task.tables, task.target, task.sample_weight, orders, self.folds)

    def _step(self, group: Group, rows: EpochRows, streams: "_Streams", epoch: int) -> Tensor:
        """One optimiser step of a group of replicas; their losses `(r,)` before it."""
        settings, first = self.task.settings, self.low + group.low
        forward = self.forward(group.low, group.high)
        streams.point(forward, group)
        if self.task.draws_globally:
            taken = self.stack.steps[first]
            torch.manual_seed(stream_seed(self.plans[group.low].seed, epoch, "global", step=taken))
        losses = self._losses(forward, self._augmented(rows.batch(group), group, epoch))
        torch.autograd.backward(losses, torch.ones_like(losses))
        if settings.grad_clip is not None:
            clip_gradients(forward.leaves, settings.grad_clip, n_replicas=group.high - group.low)
        optimise(forward.leaves, self._rules(group), settings)
        return losses.detach()

    def _augmented(self, batch: Batch, group: Group, epoch: int) -> Batch:
        """The batch, its pictures warped as each replica's own stream says for this step."""
        settings, first = self.task.settings.augment, self.low + group.low
        if settings is None:
            return batch
        images = torch.empty_like(batch.inputs[IMAGE])  # (r, B, C, H, W)
        for at, plan in enumerate(self.plans[group.low : group.high]):
            taken = self.stack.steps[first + at]
            seed = stream_seed(plan.seed, epoch, "augment", step=taken)
            generator = torch.Generator(self.task.device).manual_seed(seed)
            images[at] = warped(batch.inputs[IMAGE][at], settings, generator)
        return replace(batch, inputs={**batch.inputs, IMAGE: images})

    def trial(self) -> None:
        """Forward and backward over all replicas' first batch; no step is taken."""
        group = self._steps[0][-1]
        group = replace(group, low=0, high=self.width)
        forward = self.forward(0, self.width)
        _Streams(self.plans, 0, self.task.device).point(forward, group)
        losses = self._losses(forward, self._epoch_rows(0).batch(group))
        torch.autograd.backward(losses, torch.ones_like(losses))

    def _rules(self, group: Group) -> list[StepRule]:
        """Count the step of each replica of the group and give the rules for it."""
        rules, first = [], self.low + group.low
        for plan, n in self._alike(group):
            taken = self.stack.steps[first]
            factor = lr_factor(self.task.settings.schedule, taken, plan.n_steps)
            self.stack.steps[first : first + n] = [taken + 1] * n
            rules.append(StepRule(taken + 1, plan.lr * factor, plan.weight_decay, n))
            first += n
        return rules

    def _alike(self, group: Group) -> list[tuple[Plan, int]]:
        """Runs of neighbours that are optimised alike: the first one's plan, and how many."""
        at = (group.low, group.high)
        if at not in self._runs:
            members = groupby(
                self.plans[group.low : group.high],
                key=lambda plan: (plan.lr, plan.weight_decay, plan.n_steps),
            )
            runs = [list(run) for _, run in members]
            self._runs[at] = [(run[0], len(run)) for run in runs]
        return self._runs[at]

    def _losses(self, forward: Forward, batch: Batch) -> Tensor:
        """The weighted mean loss of each replica's batch: `(r,)`."""
        task, target = self.task, batch.target
        with task.autocast():
            logits = forward(task.cut(batch.inputs), training=True)
        per_row = task.loss.rows(
            logits.flatten(0, 1).to(task.settings.dtype),  # (r, B, ...) -> (r * B, ...)
            target.flatten(),
            label_smoothing=task.settings.label_smoothing,
            class_weights=task.class_weights,
        ).view(target.shape)
        weights = _row_weights(task, batch)
        if weights is None:
            return per_row.mean(dim=1)
        own = per_row if batch.sample_weight is None else per_row * batch.sample_weight
        return own.sum(dim=1) / weights.sum(dim=1)

    def forward(self, low: int, high: int) -> Forward:
        """The pass over some of the chunk's replicas, by position in the chunk."""
        if (low, high) not in self._forwards:
            self._forwards[low, high] = forward_over(
                self.task.template,
                self.stack,
                self.low + low,
                self.low + high,
                self.task.strategy,
            )
        return self._forwards[low, high]

    @torch.no_grad()
    def logits(self, rows: Sequence[Tensor], *, view: int = 0) -> list[Tensor]:
        """Logits in evaluation mode: for each replica its rows `(n,)` -> `(n, ..., n_outputs)`.

        Pictures are seen in one of their views.
        """
        results: list[Tensor] = []
        for _, run in groupby(range(self.width), key=lambda at: len(rows[at])):
            members = list(run)
            low, high = members[0], members[-1] + 1
            results.extend(self._logits(torch.stack(list(rows[low:high])), low, high, view))
        return results

    def _logits(self, rows: Tensor, low: int, high: int, view: int) -> Tensor:
        """Of replicas with equally many rows: `(r, n) -> (r, n, ..., n_outputs)`."""
        task, forward, folds = self.task, self.forward(low, high), self.folds[low:high]

        def run(part: Tensor) -> Tensor:
            with task.autocast():
                inputs = seen_inputs(task.tables.gather(part, folds), view)
                logits = forward(task.cut(inputs), training=False)
            return logits.to(task.settings.dtype)

        size = task.settings.eval_batch_size
        if task.settings.length_pool is None:
            return torch.cat([run(part) for part in torch.split(rows, size, dim=1)], dim=1)
        lengths = task.tables.of_fold(LENGTHS, rows[0], int(folds[0]))  # replicas come singly
        return sorted_by_length(lambda at: run(rows[:, at])[0], lengths, batch_size=size)[None]


class _Streams:
    """The dropout streams of a chunk in one epoch.

    Replicas with the same seed share a stream: until its last batch, which may be shorter, each
    of them would draw the same numbers alone. Where a step has groups of several batch sizes, all
    of them therefore start from the same place, and the largest batch, whose replicas may go on,
    comes last.
    """

    def __init__(self, plans: Sequence[Plan], epoch: int, device: torch.device) -> None:
        self.plans = plans
        # Replicas of unlike rates draw the same bits, each from a stream of its own.
        self.keys = [(plan.seed, plan.dropout) for plan in plans]
        self.generators = {key: stream(key[0], epoch, "dropout", device) for key in self.keys}
        self._owners: dict[tuple[int, int], _Owned] = {}

    def states(self) -> list[Tensor]:
        """Where the streams are now."""
        return [generator.get_state() for generator in self.generators.values()]

    def go_back(self, states: Sequence[Tensor]) -> None:
        """Return to where the streams were."""
        for generator, state in zip(self.generators.values(), states, strict=True):
            generator.set_state(state)

    def point(self, forward: Forward, group: Group) -> None:
        """Let the group's dropouts draw from their own streams."""
        at = (group.low, group.high)
        if at not in self._owners:
            self._owners[at] = self._owned(self.keys[group.low : group.high])
        generators, owners, rates = self._owners[at]
        if isinstance(forward, SequentialForward):
            n_alike = (self.plans[group.low].n_rows - group.start) // max(group.size, 1)
            forward.source.draw_from(generators, None, rates=rates, n_alike=n_alike)
        else:
            forward.source.draw_from(generators, owners, rates=rates)

    def _owned(self, keys: Sequence[tuple[int, float | None]]) -> _Owned:
        """The distinct streams of some replicas, who draws from which, and the streams' rates."""
        place = {key: at for at, key in enumerate(dict.fromkeys(keys))}
        rates = tuple(rate for _, rate in place if rate is not None)
        owners = Owners(tuple(place[key] for key in keys))
        return [self.generators[key] for key in place], owners, rates or None


def seen_inputs(inputs: Mapping[str, Tensor], view: int) -> Mapping[str, Tensor]:
    """The inputs with their pictures in one of the views; each `(r, B, ...)`."""
    if view == 0:
        return inputs
    images = inputs[IMAGE]
    return {**inputs, IMAGE: seen(images.flatten(0, 1), view).view(images.shape)}


def _row_weights(task: Task, batch: Batch) -> Tensor | None:
    """What the summed loss of a batch is divided by, row by row: (r, B); None for plain means."""
    if task.class_weights is None:
        return batch.sample_weight
    of_class = task.class_weights[batch.target]
    return of_class if batch.sample_weight is None else batch.sample_weight * of_class
