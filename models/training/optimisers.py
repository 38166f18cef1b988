"""Optimiser steps over stacked weights, with torch's fused kernels, and their learning rates.

The kernels are elementwise, so one call over `(R, ...)` weights does what R calls would. Replicas
that differ in step count, learning rate or weight decay get separate calls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.training.settings import Optimizer, Schedule, TrainSettings
from models.vectorised.stack import Leaf

MOMENTS: dict[Optimizer, tuple[str, ...]] = {
    "adamw": ("exp_avg", "exp_avg_sq"),
    "adam": ("exp_avg", "exp_avg_sq"),
    "sgd": ("momentum",),
}
_EPS = 1e-8
_WARM_SHARE = 0.3
_START_DIVISOR = 25.0
_END_DIVISOR = 1e4


@dataclass(frozen=True)
class StepRule:
    """What the optimiser applies to some neighbouring replicas in one step.

    Attributes:
        step: Number of this step, from 1.
        lr: Learning rate of this step.
        weight_decay: Decoupled for adamw, L2 otherwise.
        n_replicas: Number of replicas.
    """

    step: int
    lr: float
    weight_decay: float
    n_replicas: int = 1


def optimise(leaves: Sequence[Leaf], rules: Sequence[StepRule], settings: TrainSettings) -> None:
    """One step, in place, on the gradients in `leaf.weight.grad`, which are then freed.

    Args:
        leaves: Weights whose leading dimension counts the replicas of all rules; with a single
            rule, any weights.
        rules: In the order of the replicas.
        settings: The optimiser and its constants.
    """
    trained = [leaf for leaf in leaves if leaf.weight.grad is not None]
    first = 0
    for rule in rules:
        last = first + rule.n_replicas
        _step(trained, None if len(rules) == 1 else slice(first, last), rule, settings)
        first = last
    for leaf in trained:
        leaf.weight.grad = None


@torch.no_grad()
def _step(
    leaves: Sequence[Leaf], replicas: slice | None, rule: StepRule, settings: TrainSettings
) -> None:
    whole = replicas is None
    weights = [leaf.weight for leaf in leaves]
    grads = [leaf.weight.grad for leaf in leaves if leaf.weight.grad is not None]
    moments = [list(parts) for parts in zip(*(leaf.moments for leaf in leaves), strict=True)]
    if not whole:
        weights, grads = [w[replicas] for w in weights], [g[replicas] for g in grads]
        moments = [[m[replicas] for m in kind] for kind in moments]
    if settings.optimizer == "sgd":
        _sgd(weights, grads, moments[0], rule, settings)
    else:
        _adam(weights, grads, moments, rule, settings)


def _adam(
    weights: list[Tensor],
    grads: list[Tensor],
    moments: list[list[Tensor]],
    rule: StepRule,
    settings: TrainSettings,
) -> None:
    kernel = torch._fused_adamw_ if settings.optimizer == "adamw" else torch._fused_adam_
    step = torch.full((), float(rule.step), device=weights[0].device)
    kernel(
        weights,
        grads,
        moments[0],
        moments[1],
        [],
        [step] * len(weights),
        lr=rule.lr,
        beta1=settings.betas[0],
        beta2=settings.betas[1],
        weight_decay=rule.weight_decay,
        eps=_EPS,
        amsgrad=False,
        maximize=False,
    )


def _sgd(
    weights: list[Tensor],
    grads: list[Tensor],
    momentum: list[Tensor],
    rule: StepRule,
    settings: TrainSettings,
) -> None:
    torch._fused_sgd_(
        weights,
        grads,
        momentum,
        weight_decay=rule.weight_decay,
        momentum=settings.momentum,
        lr=rule.lr,
        dampening=0.0,
        nesterov=False,
        maximize=False,
        is_first_step=rule.step == 1,
    )


@torch.no_grad()
def clip_gradients(leaves: Sequence[Leaf], max_norm: float, *, n_replicas: int) -> None:
    """Scale each replica's gradients so that their joint norm is at most `max_norm`.

    The same as `torch.nn.utils.clip_grad_norm_` on each replica.
    """
    grads = [leaf.weight.grad for leaf in leaves if leaf.weight.grad is not None]
    rows = [grad.reshape(n_replicas, -1) for grad in grads]
    norms = torch.stack([torch.linalg.vector_norm(row, dim=1) for row in rows])
    total = torch.linalg.vector_norm(norms, dim=0)  # (n_leaves, r) -> (r,)
    scale = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(scale if n_replicas == 1 else scale.view(-1, *(1,) * (grad.ndim - 1)))


def lr_factor(schedule: Schedule, step: int, n_steps: int) -> float:
    """The learning rate at a step, relative to the peak.

    The same as torch's `CosineAnnealingLR(T_max=n_steps)` and `OneCycleLR(total_steps=n_steps)`
    with their defaults (the momentum is not cycled).

    Args:
        schedule: Name of the schedule.
        step: From 0 to `n_steps - 1`.
        n_steps: Steps of the replica's whole training.
    """
    if schedule == "constant":
        return 1.0
    if schedule == "cosine":
        return _cosine(1.0, 0.0, step / n_steps)
    return _one_cycle(step, n_steps)


def _one_cycle(step: int, n_steps: int) -> float:
    """Source: Smith and Topin, "Super-Convergence", 2017, in torch's two-phase form."""
    start, end = 1 / _START_DIVISOR, 1 / (_START_DIVISOR * _END_DIVISOR)
    top = _WARM_SHARE * n_steps - 1
    if step <= top:
        return _cosine(start, 1.0, step / top)
    last = n_steps - 1
    return _cosine(1.0, end, (step - top) / (last - top)) if last > top else 1.0


def _cosine(start: float, end: float, share: float) -> float:
    """Half a cosine from `start` to `end`."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
