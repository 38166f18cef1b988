"""Trains one replica for each form of the loss, on the same rows in the same order.

`models.training.fit.fit` gives all replicas the same loss and returns epochs. Here each replica has
its own loss, each step's gradients are compared before they are used, and the pass may be in
bfloat16 on a CPU; so this is a separate small loop over the same stack, streams and optimisers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.data import FoldData, Rows, tensor_of
from models.metrics import Metric
from models.training.batches import batch_sizes
from models.training.optimisers import MOMENTS, StepRule, clip_gradients, lr_factor, optimise
from models.training.settings import TrainSettings
from models.vectorised.dropout import Owners
from models.vectorised.random_streams import epoch_order, stream, stream_seed
from models.vectorised.stack import Leaf, Stack
from models.vectorised.strategy import choose_strategy, runner
from pipelines.compare_losses.forms import FORMS, PRECISIONS

_CPU = torch.device("cpu")
_N = len(FORMS)


@dataclass(frozen=True)
class Trial:
    """The replicas' training, in the order of `FORMS`, and their final scores.

    Attributes:
        precision: Of the pass and the loss.
        loss: `(n_steps, n_forms)` before each step; not finite after a form broke.
        gradient_gap: `(n_steps, n_forms)` distance of a replica's gradient from that of the first
            form's replica, relative to the latter's norm.
        rounding_gap: `(n_steps, n_forms)` the same for the gradient by the logits, with the first
            form's logits for all: only the forms' arithmetic differs.
        largest_gap: `(n_steps,)` the largest distance of a true class's logit from the largest one.
        valid_logits: `(n_forms, n_valid, n_classes) float64`.
        scores: By metric, `(n_forms,)`; NaN for a replica whose weights are not finite.
    """

    precision: str
    loss: NDArray[np.float64]
    gradient_gap: NDArray[np.float64]
    rounding_gap: NDArray[np.float64]
    largest_gap: NDArray[np.float64]
    valid_logits: NDArray[np.float64]
    scores: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class TrialPlan:
    """What all trials have in common.

    Attributes:
        build: Makes the network.
        fold: The rows.
        target: `(n_rows,) int64`.
        settings: Optimiser, schedule, batch size, smoothing, class weights, clipping.
        n_steps: Optimiser steps.
        metrics: The final scores.
        seed: Of weights, order and dropout.
    """

    build: Callable[[], nn.Module]
    fold: FoldData
    target: Rows
    settings: TrainSettings
    n_steps: int
    metrics: Sequence[Metric]
    seed: int = 0


def try_forms(
    plan: TrialPlan,
    precision: str,
    *,
    logit_scale: float = 1.0,
    on_step: Callable[[int], None] | None = None,
) -> Trial:
    """Train the network once for each form, all in one stack, on the CPU.

    Args:
        plan: What to train.
        precision: A key of `PRECISIONS`.
        logit_scale: Factor of the logits before the loss, for trials with large logits.
        on_step: Called with the number of steps taken.
    """
    replicas = _Replicas(plan, precision)
    target = torch.as_tensor(plan.target)
    reports = []
    for step, (epoch, rows) in enumerate(_batches(plan)):
        logits = replicas.logits(rows, epoch, step, training=True) * logit_scale
        reports.append(replicas.step(logits, _expanded(target[rows], logits)))
        if on_step is not None:
            on_step(step + 1)
    steps = {key: np.array([report[key] for report in reports]) for key in reports[0]}
    logits = replicas.valid_logits() * logit_scale
    scores = _scores(logits, target[torch.as_tensor(plan.fold.valid_rows)], plan.metrics)
    valid = logits.mean(dim=2) if logits.ndim == 4 else logits
    return Trial(precision, **steps, valid_logits=valid.numpy(), scores=scores)


def _batches(plan: TrialPlan) -> Iterator[tuple[int, Tensor]]:
    """(epoch, row numbers `(B,)`) of each step: the same for all replicas and precisions."""
    train_rows = torch.as_tensor(plan.fold.train_rows)
    sizes = batch_sizes(len(train_rows), plan.settings.batch_size)
    for step in range(plan.n_steps):
        epoch, place = divmod(step, len(sizes))
        order = epoch_order(plan.seed, epoch + 1, len(train_rows))
        start = sum(sizes[:place])
        yield epoch + 1, train_rows[order[start : start + sizes[place]]]


def _expanded(target: Tensor, logits: Tensor) -> Tensor:
    """A row's class for each of its k logits: `(B,)` -> `(B * k,)` for `(R, B, k, C)`."""
    return target.repeat_interleave(logits.shape[2]) if logits.ndim == 4 else target


class _Replicas:
    """The network once for each form.

    The pass runs in the trial's precision. The optimiser updates master weights
    of at least float32, since a bfloat16 weight loses steps smaller than 1/256 of it.

    Source: Micikevicius et al., "Mixed Precision Training", 2018.
    """

    def __init__(self, plan: TrialPlan, precision: str) -> None:
        self.plan, self.dtype = plan, PRECISIONS[precision]
        network = _built(plan)
        n_moments = len(MOMENTS[plan.settings.optimizer])
        exact = torch.float64 if self.dtype == torch.float64 else torch.float32
        self.master = Stack.of([network.to(exact)] * _N, n_moments=n_moments)
        network = network.to(self.dtype)
        self.working = Stack.of([network] * _N, n_moments=0)
        self.trained = [n for n, p in network.named_parameters() if p.requires_grad]
        self.tables = {k: tensor_of(a, self.dtype, _CPU) for k, a in plan.fold.inputs.items()}
        self.class_weights = _optional(plan.settings.class_weights, self.dtype)
        some = {key: table[plan.fold.train_rows[:16]] for key, table in self.tables.items()}
        strategy = choose_strategy(network, some, requested=plan.settings.strategy, n_replicas=_N)
        self.width = 1 if strategy == "sequential" else _N
        self.forwards = [
            runner(strategy)(network, self.working, low, low + self.width)
            for low in range(0, _N, self.width)
        ]
        self.generators: list[torch.Generator] = []
        self.epoch = 0

    def logits(self, rows: Tensor, epoch: int, step: int, *, training: bool) -> Tensor:
        """Rows `(B,)` -> logits `(R, B, n_classes)` or `(R, B, k, n_classes)`."""
        if training and epoch != self.epoch:
            self._restart_dropout(epoch)
        # (B, ...) -> (r, B, ...): every replica has the same rows.
        batch = {k: t[rows].expand(self.width, *t[rows].shape) for k, t in self.tables.items()}
        parts = []
        for forward in self.forwards:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(stream_seed(self.plan.seed, epoch, "global", step=step))
                parts.append(forward(batch, training=training))
        return torch.cat(parts)

    def _restart_dropout(self, epoch: int) -> None:
        """Give every replica the same dropout masks."""
        self.epoch = epoch
        owners = None if self.width == 1 else Owners((0,) * _N)
        for forward in self.forwards:
            generator = stream(self.plan.seed, epoch, "dropout", _CPU)
            forward.source.draw_from([generator], owners)

    def step(self, logits: Tensor, target: Tensor) -> dict[str, NDArray[np.float64] | float]:
        """Step every replica on its form's loss; return the step's values for `Trial`."""
        flat = logits.flatten(1, -2)  # (R, B, ..., C) -> (R, m, C)
        losses = self._losses(flat, target)
        torch.autograd.backward(losses.sum())
        gradients = {name: self._gradient(at) for at, name in enumerate(self.trained)}
        first = flat[0].detach()
        report: dict[str, NDArray[np.float64] | float] = {
            "loss": losses.detach().double().numpy(),
            "gradient_gap": _gaps(list(gradients.values())),
            "rounding_gap": self._rounding_gap(first, target),
            "largest_gap": float((first.amax(1) - first.gather(1, target[:, None])[:, 0]).max()),
        }
        self._optimise(gradients)
        return report

    def _losses(self, logits: Tensor, target: Tensor) -> Tensor:
        """Each form's loss of its replica's logits: `(R, m, C)` -> `(R,)`."""
        return torch.stack(
            [
                form(
                    of_replica,
                    target,
                    label_smoothing=self.plan.settings.label_smoothing,
                    class_weights=self.class_weights,
                )
                for form, of_replica in zip(FORMS, logits, strict=True)
            ]
        )

    def _gradient(self, at: int) -> Tensor:
        """The gradient of one weight in all replicas, `(R, ...)`; it is cleared."""
        leaves = [forward.leaves[at].weight for forward in self.forwards]
        parts = [torch.zeros_like(w) if w.grad is None else w.grad for w in leaves]
        for leaf in leaves:
            leaf.grad = None
        return torch.stack(parts) if self.width == 1 else parts[0]

    def _rounding_gap(self, logits: Tensor, target: Tensor) -> NDArray[np.float64]:
        """The distances of the forms' gradients by the same logits `(m, C)`."""
        same = logits.expand(_N, *logits.shape).clone().requires_grad_()
        (gradient,) = torch.autograd.grad(self._losses(same, target).sum(), same)
        return _gaps([gradient])

    def _optimise(self, gradients: Mapping[str, Tensor]) -> None:
        """Step the master weights, then copy them to the working weights."""
        settings, taken = self.plan.settings, self.master.steps[0]
        leaves = []
        for name, gradient in gradients.items():
            weight = self.master.weights[name]
            weight.grad = gradient.to(weight.dtype)
            leaves.append(Leaf(weight, self.master.moments[name]))
        if settings.grad_clip is not None:
            clip_gradients(leaves, settings.grad_clip, n_replicas=_N)
        factor = lr_factor(settings.schedule, taken, self.plan.n_steps)
        rule = StepRule(taken + 1, settings.lr * factor, settings.weight_decay)
        optimise(leaves, [rule] * _N, settings)
        self.master.steps = [taken + 1] * _N
        with torch.no_grad():
            for name in gradients:
                self.working.weights[name].copy_(self.master.weights[name])

    @torch.no_grad()
    def valid_logits(self) -> Tensor:
        """`(R, n_valid, n_classes)` or `(R, n_valid, k, n_classes)`, as float64."""
        rows = torch.as_tensor(self.plan.fold.valid_rows)
        parts = torch.split(rows, self.plan.settings.eval_batch_size)
        logits = [self.logits(part, self.epoch, 0, training=False) for part in parts]
        return torch.cat(logits, dim=1).double()


def _built(plan: TrialPlan) -> nn.Module:
    """The network with the seed's initial weights, in float32 for every precision."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        return plan.build()


def _optional(values: Sequence[float] | None, dtype: torch.dtype) -> Tensor | None:
    return None if values is None else torch.tensor(values, dtype=dtype)


def _gaps(gradients: Sequence[Tensor]) -> NDArray[np.float64]:
    """|g - g of replica 0| / |g of replica 0| of each replica: `(R, ...)` each -> `(R,)`."""
    rows = torch.cat([g.detach().double().flatten(1) for g in gradients], dim=1)
    norms = torch.linalg.vector_norm(rows - rows[:1], dim=1)
    shares: NDArray[np.float64] = (norms / torch.linalg.vector_norm(rows[0])).numpy()
    return shares


def _scores(
    logits: Tensor, target: Tensor, metrics: Sequence[Metric]
) -> dict[str, NDArray[np.float64]]:
    """Each metric of each replica, from probabilities in float64: `(R,)`."""
    probabilities = torch.softmax(logits, dim=-1)
    if probabilities.ndim == 4:
        probabilities = probabilities.mean(dim=2)  # (R, n, k, C) -> (R, n, C)
    finite = probabilities.isfinite().flatten(1).all(dim=1)
    scores = {}
    for metric in metrics:
        values = metric.batched_score(target.expand(_N, -1), torch.nan_to_num(probabilities))
        scores[metric.name] = torch.where(finite, values, torch.nan).numpy()
    return scores
