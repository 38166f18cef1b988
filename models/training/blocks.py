"""Trains a network block by block, here or by an executor elsewhere, to the same bytes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch

from models.checkpoints import Checkpoints, Layout, Renamed
from models.data import Array, Replica, TrainingFailedError
from models.executor import LOCAL, Call, Executor, Task, in_order
from models.kept_results import KeptResults
from models.training.block_layout import Blocks
from models.training.block_result import BlockResult
from models.training.plan import TrainingPlan
from models.training.trained import Networks
from models.vectorised.stack import Stack

Inputs = Mapping[str, Array]
OnEpoch = Callable[[int, int], None]  # epochs done, and their total


@dataclass(frozen=True)
class BlockFit:
    """A network's trained replicas, and what they predict.

    Attributes:
        replicas: Fold-major.
        networks: The same replicas, block by block, for predictions.
        test_sum: `(n_test, n_columns) float64`, the sum over the usable replicas.
    """

    replicas: Sequence[Replica]
    networks: Networks
    test_sum: np.ndarray

    @property
    def test(self) -> np.ndarray:
        """The mean over the usable replicas, `(n_test, n_columns)`.

        Raises:
            TrainingFailedError: Every replica has a fault.
        """
        if not any(self.networks.usable):
            raise TrainingFailedError(str(self.replicas[0].fault))
        mean: np.ndarray = self.test_sum / sum(self.networks.usable)
        return mean


@dataclass(frozen=True)
class BlockData:
    """What all blocks of a training share.

    Attributes:
        plan: The training.
        tests: New rows to predict, as encoded by each fold's encoder.
    """

    plan: TrainingPlan
    tests: Sequence[Inputs]


def train_block(data: BlockData, places: range, call: Call) -> BlockResult:
    """Train the replicas of these places as a training of their own; reports each epoch."""
    training = data.plan.training(places)
    return BlockResult.of(training.run(lambda r: call.tell(r.epoch), call.here), data.tests)


def fit_blocks(
    data: BlockData,
    executor: Executor = LOCAL,
    *,
    on_epoch: OnEpoch | None = None,
    checkpoints: Checkpoints | None = None,
) -> BlockFit:
    """Train a network for every fold and every seed, and predict held-out and new rows.

    Args:
        data: The training.
        executor: Where its blocks are done.
        on_epoch: Called as epochs end, with those of all blocks together.
        checkpoints: Where blocks are kept as they end, and an unfinished one between its epochs,
            if it is done here.

    Raises:
        TrainingDataError: The plan's arguments do not match; one message lists all faults.
        StrategyError: The strategy in the settings cannot run this network.
    """
    blocks = Blocks.of(data.plan, slots=executor.slots)
    names = [f"block-{number:04d}-done" for number in range(len(blocks.places))]
    # A single block is kept between its epochs only: once it ends the stage is written.
    keeping = checkpoints if len(names) > 1 else None
    with KeptResults(keeping, names, _layout(data.plan, blocks), what="blocks") as kept:
        work = _Work(data, blocks, names, kept, checkpoints)
        return _assembled(data.plan, blocks, list(in_order(work.results(executor, on_epoch))))


@dataclass(frozen=True)
class _Work:
    """The blocks that are kept, and those that are still to be trained."""

    data: BlockData
    blocks: Blocks
    names: Sequence[str]
    kept: KeptResults
    checkpoints: Checkpoints | None

    def results(
        self, executor: Executor, on_epoch: OnEpoch | None
    ) -> Generator[tuple[int, BlockResult], None, None]:
        """Each block's number and result, as they end."""
        found = {number: self.kept.of(name) for number, name in enumerate(self.names)}
        left = [number for number, snapshot in found.items() if snapshot is None]
        epochs = _Epochs(self.data.plan.settings.epochs, len(found), left, on_epoch)
        yield from ((n, BlockResult.read(s)) for n, s in found.items() if s is not None)
        shared = executor.share(self.data)
        tasks = [
            Task(
                train_block,
                shared,
                self.blocks.places[number],
                here=self._checkpoints_of(number),
                needs=self.blocks.needs(number),
                cost=self.blocks.seconds(number),
            )
            for number in left
        ]
        with closing(executor.run(tasks, epochs.hear, unit="blocks")) as results:
            for at, result in results:
                self.kept.keep(self.names[left[at]], result.snapshot())
                epochs.end(at)
                yield left[at], result

    def _checkpoints_of(self, number: int) -> Checkpoints | None:
        """Where a block that is trained in this process is kept between its epochs."""
        if self.checkpoints is None or len(self.names) == 1:
            return self.checkpoints
        return Renamed(self.checkpoints, f"block-{number:04d}")


class _Epochs:
    """Counts the epochs of all blocks."""

    def __init__(
        self, n_each: int, n_blocks: int, left: Sequence[int], on_epoch: OnEpoch | None
    ) -> None:
        self._n_each, self._total, self._on_epoch = n_each, n_each * n_blocks, on_epoch
        self._kept = self._total - n_each * len(left)
        self._done = dict.fromkeys(range(len(left)), 0)

    def hear(self, block: int, epoch: int) -> bool:
        """Note the epoch that a block has reached; never ends it."""
        self._done[block] = epoch
        if self._on_epoch is not None:
            self._on_epoch(self._kept + sum(self._done.values()), self._total)
        return False

    def end(self, block: int) -> None:
        """Note that a block has ended, perhaps early."""
        if self._done[block] < self._n_each and len(self._done) > 1:
            self.hear(block, self._n_each)


def _layout(plan: TrainingPlan, blocks: Blocks) -> Layout:
    """What decides the bytes of a finished block beside data and settings."""
    context, template = plan.context, plan.context.template
    is_cuda = context.device.type == "cuda"
    return {
        "strategy": context.strategy,
        "device": torch.cuda.get_device_name(context.device) if is_cuda else context.device.type,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "blocks": [[places.start, places.stop] for places in blocks.places],
        "replicas": [[spec.fold, spec.seed, spec.n_rows, spec.n_steps] for spec in plan.specs],
        "weights": {name: list(tensor.shape) for name, tensor in template.state_dict().items()},
    }


def _assembled(plan: TrainingPlan, blocks: Blocks, results: Sequence[BlockResult]) -> BlockFit:
    """All blocks together."""
    replicas = [replica for result in results for replica in result.replicas]
    test_sum: np.ndarray = functools.reduce(np.add, [result.test_sum for result in results])
    number = {(spec.fold, spec.seed): spec.replica for spec in plan.specs}
    networks = _networks(plan, blocks, replicas, results[0].chunk_size)
    fold_major = sorted(replicas, key=lambda replica: number[replica.fold, replica.seed])
    return BlockFit(fold_major, networks, test_sum)


def _networks(
    plan: TrainingPlan, blocks: Blocks, replicas: Sequence[Replica], chunk_size: int
) -> Networks:
    context = plan.context
    return Networks(
        template=context.template,
        stack=_stack(plan, replicas),
        owners=tuple((replica.fold, replica.seed) for replica in replicas),
        usable=tuple(replica.fault is None for replica in replicas),
        inputs=tuple(context.tables.tables),
        settings=context.settings,
        loss=context.loss,
        scales=tuple(map(tuple, context.scales)),
        strategy=context.strategy,
        chunk_size=chunk_size,
        workers=context.workers(),
        device=context.device,
        block_size=blocks.block_size,
    )


def _stack(plan: TrainingPlan, replicas: Sequence[Replica]) -> Stack:
    """Their weights, for predictions alone."""
    template, device = plan.context.template, plan.context.device

    def stacked(names: Mapping[str, object]) -> dict[str, torch.Tensor]:
        return {n: torch.stack([r.state_dict[n] for r in replicas]).to(device) for n in names}

    weights = stacked(dict(template.named_parameters()))
    moments: dict[str, tuple[torch.Tensor, ...]] = dict.fromkeys(weights, ())
    return Stack(weights, stacked(dict(template.named_buffers())), moments, [0] * len(replicas))
