"""The training of all replicas at once, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from models.checkpoints import Checkpoints
from models.data import EpochReport
from models.training.fitted import Fitted
from models.training.hardware import split_evenly
from models.training.progress import Progress
from models.training.replica_chunk import ReplicaChunk, TrainingContext
from models.training.replicas import ReplicaSpec
from models.training.snapshots import NAME, layout_of, n_bytes, restore, snapshot_of
from models.vectorised.stack import Stack


class Training:
    """A training that can be run epoch by epoch, saved with `state` and resumed.

    Attributes:
        epoch: Epochs done.
        progress: Curves, early stopping and faults of each replica.
    """

    def __init__(
        self,
        context: TrainingContext,
        stack: Stack,
        specs: Sequence[ReplicaSpec],
        *,
        chunk_size: int,
    ) -> None:
        """Start from initial weights.

        Args:
            context: What all replicas share.
            stack: Initial weights, in the order of the specs.
            specs: One for each replica; their numbers of rows must ascend.
            chunk_size: Most replicas in one pass.
        """
        self.context, self.specs, self.chunk_size = context, list(specs), chunk_size
        self.epoch = 0
        n_numbered = 1 + max(spec.replica for spec in specs)  # a block's numbers have gaps
        self.progress = Progress(
            n_numbered, context.settings, greater_is_better=context.metric.greater_is_better
        )
        self._workers = context.workers()
        self._place = {spec.replica: at for at, spec in enumerate(specs)}
        self._watched = [
            torch.as_tensor(fold.watched_rows, device=context.device) for fold in context.folds
        ]
        self._best = stack.snapshot()
        self._continue_with(stack, list(specs))

    def _continue_with(self, stack: Stack, active: list[ReplicaSpec]) -> None:
        """Continue with these replicas only."""
        self.stack, self.active = stack, active
        if not active:
            self._chunks: list[ReplicaChunk] = []
            return
        parts = split_evenly(len(active), n_workers=self._workers.n_workers, most=self.chunk_size)
        self._chunks = [
            ReplicaChunk(self.context, stack, active[part.start : part.stop], part.start)
            for part in parts
        ]

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are done or every replica has stopped."""
        return self.epoch >= self.context.settings.epochs or not self.active

    def run(
        self,
        on_epoch: Callable[[EpochReport], None] | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> Fitted:
        """Train to the end.

        Args:
            on_epoch: Called after each evaluated epoch; an exception from it ends the training.
            checkpoints: Where the training is kept between epochs, and goes on from if it was
                kept there; it ends with the same bytes.
        """
        if checkpoints is not None:
            self._go_on(checkpoints)
        while not self.is_finished:
            report = self.run_epoch()
            if report is not None and on_epoch is not None:
                on_epoch(report)
            if checkpoints is not None and checkpoints.is_due(n_bytes(self)):
                checkpoints.save(NAME, layout_of(self), snapshot_of(self))
        return self.result()

    def _go_on(self, checkpoints: Checkpoints) -> None:
        """Continue from what was kept, if anything was."""
        kept = checkpoints.load(NAME, layout_of(self))
        if kept is not None:
            restore(self, kept)
            checkpoints.tell(f"resumed at epoch {self.epoch} of {self.context.settings.epochs}")

    def run_epoch(self) -> EpochReport | None:
        """Train every active replica for one epoch; returns a report if it was evaluated."""
        self.epoch += 1
        with torch.random.fork_rng(enabled=self.context.draws_globally):
            losses = self._workers.map(lambda c: c.train_epoch(self.epoch), self._chunks)
        train_loss = torch.cat(losses).tolist()
        self._note_faults(train_loss, "training loss")
        every, last = self.context.settings.evaluate_every, self.context.settings.epochs
        is_evaluated = self.epoch % every == 0 or self.epoch == last
        if is_evaluated:
            self._evaluate(train_loss)
        self._drop_stopped()
        if not is_evaluated:
            return None
        return self.progress.report(self.epoch, n_active=len(self.active))

    def drop(self, replicas: Collection[int]) -> None:
        """Stop training these replicas; the others are not affected."""
        going = [at for at, spec in enumerate(self.active) if spec.replica not in replicas]
        if len(going) < len(self.active):
            self._continue_with(self.stack.keep(going), [self.active[at] for at in going])

    def _evaluate(self, train_loss: Sequence[float]) -> None:
        """Measure each active replica on its watched rows and keep its weights if best."""
        by_chunk = self._workers.map(self._scores, self._chunks)
        scores = [pair for of_chunk in by_chunk for pair in of_chunk]
        self._note_faults([loss for loss, _ in scores], "validation loss")
        improved = []
        for at, (spec, (valid_loss, score)) in enumerate(zip(self.active, scores, strict=True)):
            if self.progress.faults[spec.replica] is None and self.progress.note(
                spec.replica,
                epoch=self.epoch,
                train_loss=train_loss[at],
                valid_loss=valid_loss,
                score=score,
            ):
                improved.append(at)
        self._keep_best(improved)

    def _scores(self, chunk: ReplicaChunk) -> list[tuple[float, float]]:
        """(loss, metric) of each replica of a chunk on its watched rows."""
        rows = [self._watched[spec.fold] for spec in chunk.specs]
        results = []
        for spec, of_replica, logits in zip(chunk.specs, rows, chunk.logits(rows), strict=True):
            target = self.context.target[of_replica]
            loss = self.context.loss.rows(logits, self.context.goal(of_replica, spec.fold)).mean()
            predictions = self.context.predictions(logits, spec.fold)
            score = self.context.metric.batched_score(target[None], predictions[None])
            results.append((float(loss), float(score[0])))
        return results

    def _note_faults(self, values: Sequence[float], name: str) -> None:
        for spec, value in zip(self.active, values, strict=True):
            if not math.isfinite(value) and self.progress.faults[spec.replica] is None:
                good = int(self.progress.stopping.best_epoch[spec.replica])
                self.progress.faults[spec.replica] = (
                    f"fold {spec.fold}, seed {spec.seed}: {name} must be finite, got "
                    f"{value} in epoch {self.epoch}; its weights are those of epoch {good}; "
                    f"lower lr (now {spec.lr:g}) or set grad_clip"
                )

    @torch.no_grad()
    def _keep_best(self, improved: Sequence[int]) -> None:
        """Copy the weights of these active replicas into the stack of best weights."""
        if not improved:
            return
        device = self.context.device
        source = torch.tensor(improved, device=device)
        places = [self._place[self.active[at].replica] for at in improved]
        target = torch.tensor(places, device=device)
        best, now = self._best.tensors(), self.stack.tensors()
        for name, tensor in best.items():
            tensor.index_copy_(0, target, now[name].index_select(0, source))

    def _drop_stopped(self) -> None:
        self.drop({p.replica for p in self.active if self.progress.is_over(p.replica)})

    def state(self, *, copied: bool = True) -> dict[str, Any]:
        """Everything needed to resume exactly from here: tensors, lists, numbers, strings.

        `torch.save` writes it and `torch.load(weights_only=True)` reads it. It holds no random
        streams, since each epoch derives them from seed and epoch.

        Args:
            copied: Whether its tensors are copies, which the next epoch leaves as they are.
        """

        def taken(tensor: Tensor) -> Tensor:
            return tensor.detach().clone() if copied else tensor.detach()

        return {
            "epoch": self.epoch,
            "active": [spec.replica for spec in self.active],
            "steps": list(self.stack.steps),
            "now": {n: taken(t) for n, t in self.stack.tensors().items()},
            "moments": {n: [taken(m) for m in k] for n, k in self.stack.moments.items()},
            "best": {n: taken(t) for n, t in self._best.tensors().items()},
            "progress": self.progress.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Resume from the state of a training with the same data, folds, seeds and settings."""

        def tensors(names: dict[str, Tensor], key: str) -> dict[str, Tensor]:
            return {name: state[key][name].to(self.context.device).clone() for name in names}

        moments = {
            name: tuple(m.to(self.context.device).clone() for m in kinds)
            for name, kinds in state["moments"].items()
        }
        stack, best = self.stack, self._best
        now = Stack(tensors(stack.weights, "now"), tensors(stack.buffers, "now"), moments)
        now.steps = list(state["steps"])
        self._best = Stack(
            tensors(best.weights, "best"),
            tensors(best.buffers, "best"),
            best.moments,
            best.steps,
        )
        self.epoch = state["epoch"]
        self.progress.load_state(state["progress"])
        by_number = {spec.replica: spec for spec in self.specs}
        self._continue_with(now, [by_number[replica] for replica in state["active"]])

    def result(self) -> Fitted:
        """The replicas with their best weights (without patience: the last evaluated ones)."""
        return Fitted.of(
            self.context,
            self._best,
            self.specs,
            self.progress,
            chunk_size=self.chunk_size,
            workers=self._workers,
        )
