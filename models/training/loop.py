"""The training of all replicas at once, epoch by epoch."""

import math
from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from models.data import EpochReport, FoldData
from models.metrics import Metric
from models.training.fitted import Fitted
from models.training.hardware import Workers, split_evenly
from models.training.progress import Progress
from models.training.replica_chunk import Chunk, Plan, Task
from models.vectorised.stack import Stack


class Training:
    """A training in flight: advance it with `run_epoch`, save it with `state`.

    Attributes:
        epoch: Epochs done.
        progress: What is known about each replica.
    """

    def __init__(
        self,
        task: Task,
        stack: Stack,
        plans: Sequence[Plan],
        folds: Sequence[FoldData],
        metric: Metric,
        *,
        chunk_size: int,
    ) -> None:
        """Start from initial weights.

        Args:
            task: What all replicas share.
            stack: Initial weights, in the order of the plans.
            plans: One for each replica; their row numbers must ascend.
            folds: The folds.
            metric: The competition's metric.
            chunk_size: Most replicas in one pass.
        """
        self.task, self.folds, self.metric = task, folds, metric
        self.plans, self.chunk_size = list(plans), chunk_size
        self.epoch = 0
        self.progress = Progress(
            len(plans), task.settings, greater_is_better=metric.greater_is_better
        )
        is_parallel = task.strategy == "sequential" and task.device.type == "cpu"
        is_parallel = is_parallel and not task.draws_globally
        self._workers = Workers(torch.get_num_threads() if is_parallel else 1)
        self._place = {plan.replica: at for at, plan in enumerate(plans)}
        self._watched = [torch.as_tensor(fold.watched_rows, device=task.device) for fold in folds]
        self._best = stack.snapshot()
        self._continue_with(stack, list(plans))

    def _continue_with(self, stack: Stack, active: list[Plan]) -> None:
        """Go on with these replicas; those that have stopped are no longer computed."""
        self.stack, self.active = stack, active
        if not active:
            self._chunks: list[Chunk] = []
            return
        parts = split_evenly(len(active), n_workers=self._workers.n_workers, most=self.chunk_size)
        self._chunks = [
            Chunk(self.task, stack, active[part.start : part.stop], part.start) for part in parts
        ]

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are done or every replica has stopped."""
        return self.epoch >= self.task.settings.epochs or not self.active

    def run_epoch(self) -> EpochReport | None:
        """Advance every active replica by one epoch; a report where the epoch was evaluated."""
        self.epoch += 1
        with torch.random.fork_rng(enabled=self.task.draws_globally):
            losses = self._workers.map(lambda c: c.train_epoch(self.epoch), self._chunks)
        train_loss = torch.cat(losses).tolist()
        self._note_faults(train_loss, "training loss")
        every, last = self.task.settings.evaluate_every, self.task.settings.epochs
        is_evaluated = self.epoch % every == 0 or self.epoch == last
        if is_evaluated:
            self._evaluate(train_loss)
        self._drop_stopped()
        if not is_evaluated:
            return None
        return self.progress.report(self.epoch, n_active=len(self.active))

    def drop(self, replicas: Collection[int]) -> None:
        """Compute these replicas no longer; the others go on as if nothing had happened."""
        going = [at for at, plan in enumerate(self.active) if plan.replica not in replicas]
        if len(going) < len(self.active):
            self._continue_with(self.stack.keep(going), [self.active[at] for at in going])

    def _evaluate(self, train_loss: Sequence[float]) -> None:
        """Measure each active replica on its watched rows and keep its weights if best."""
        scores = [pair for own in self._workers.map(self._scores, self._chunks) for pair in own]
        self._note_faults([loss for loss, _ in scores], "validation loss")
        improved = []
        for at, (plan, (valid_loss, score)) in enumerate(zip(self.active, scores, strict=True)):
            if self.progress.faults[plan.replica] is None and self.progress.note(
                plan.replica,
                epoch=self.epoch,
                train_loss=train_loss[at],
                valid_loss=valid_loss,
                score=score,
            ):
                improved.append(at)
        self._keep_best(improved)

    def _scores(self, chunk: Chunk) -> list[tuple[float, float]]:
        """(loss, metric) of each replica of a chunk on its watched rows."""
        rows = [self._watched[plan.fold] for plan in chunk.plans]
        results = []
        for own, logits in zip(rows, chunk.logits(rows), strict=True):
            target = self.task.target[own]
            loss = self.task.loss.rows(logits, target).mean()
            score = self.metric.batched(target[None], self.task.loss.probabilities(logits)[None])
            results.append((float(loss), float(score[0])))
        return results

    def _note_faults(self, values: Sequence[float], name: str) -> None:
        for plan, value in zip(self.active, values, strict=True):
            if not math.isfinite(value) and self.progress.faults[plan.replica] is None:
                good = int(self.progress.stopping.best_epoch[plan.replica])
                self.progress.faults[plan.replica] = (
                    f"fold {plan.fold}, seed {plan.seed}: {name} must be finite, however: "
                    f"{value} in epoch {self.epoch}; its weights are those of epoch {good}; "
                    f"lower lr (now {plan.lr:g}) or set grad_clip"
                )

    @torch.no_grad()
    def _keep_best(self, improved: Sequence[int]) -> None:
        """Copy the weights of these active replicas to their places among the best."""
        if not improved:
            return
        device = self.task.device
        source = torch.tensor(improved, device=device)
        places = [self._place[self.active[at].replica] for at in improved]
        target = torch.tensor(places, device=device)
        best, now = self._best.tensors(), self.stack.tensors()
        for name, tensor in best.items():
            tensor.index_copy_(0, target, now[name].index_select(0, source))

    def _drop_stopped(self) -> None:
        self.drop({p.replica for p in self.active if self.progress.is_over(p.replica)})

    def state(self) -> dict[str, Any]:
        """Everything needed to go on exactly from here: tensors, lists, numbers, texts.

        `torch.save` writes it and `torch.load(weights_only=True)` reads it. Random streams are
        not in it: they are made new in each epoch from seed and epoch.
        """
        return {
            "epoch": self.epoch,
            "active": [plan.replica for plan in self.active],
            "steps": list(self.stack.steps),
            "now": {n: t.detach().clone() for n, t in self.stack.tensors().items()},
            "moments": {n: [m.clone() for m in k] for n, k in self.stack.moments.items()},
            "best": {n: t.detach().clone() for n, t in self._best.tensors().items()},
            "progress": self.progress.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state of a training with the same data, folds, seeds and settings."""

        def tensors(names: dict[str, Tensor], key: str) -> dict[str, Tensor]:
            return {name: state[key][name].to(self.task.device).clone() for name in names}

        moments = {
            name: tuple(m.to(self.task.device).clone() for m in kinds)
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
        by_number = {plan.replica: plan for plan in self.plans}
        self._continue_with(now, [by_number[replica] for replica in state["active"]])

    def result(self) -> Fitted:
        """The replicas with their best weights (without patience: the newest evaluated ones)."""
        return Fitted.of(
            self.task,
            self._best,
            self.plans,
            self.folds,
            self.metric,
            self.progress,
            chunk_size=self.chunk_size,
            workers=self._workers,
        )
