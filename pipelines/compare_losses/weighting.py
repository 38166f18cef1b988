"""Label smoothing and class weights: where the loss by hand equals torch's, and where not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from pipelines.compare_losses.forms import (
    CROSS_ENTROPY,
    FORMS,
    LOG_SOFTMAX,
    NAIVE,
    PRECISIONS,
    LossForm,
)

SMOOTHING = 0.1
_N_BATCHES = 10
_BOTH = f"weight, label_smoothing={SMOOTHING}"


@dataclass(frozen=True)
class Agreement:
    """One setting of `CrossEntropyLoss`, against the other forms by hand.

    Attributes:
        setting: The arguments.
        value: `CrossEntropyLoss` in float64.
        log_softmax_gap: By precision, the largest |LogSoftmax + NLLLoss - CrossEntropyLoss| of
            the mean and of any row.
        naive_gap: The same for the naive form.
    """

    setting: str
    value: float
    log_softmax_gap: dict[str, float]
    naive_gap: dict[str, float]


@dataclass(frozen=True)
class Trap:
    """A mean that looks like torch's and differs from it.

    Attributes:
        what: How it is computed.
        setting: The arguments of `CrossEntropyLoss`.
        value: The mean, in float64.
        torch_value: That of `CrossEntropyLoss`.
    """

    what: str
    setting: str
    value: float
    torch_value: float


def agreements(logits: Tensor, target: Tensor, class_weights: Tensor) -> list[Agreement]:
    """Compare the forms with and without smoothing and weights.

    Args:
        logits: `(n, n_classes) float64`.
        target: `(n,) int64`.
        class_weights: `(n_classes,) float64`.
    """
    settings = {
        "plain": (0.0, None),
        f"label_smoothing={SMOOTHING}": (SMOOTHING, None),
        "weight": (0.0, class_weights),
        _BOTH: (SMOOTHING, class_weights),
    }
    return [_agreement(name, logits, target, *values) for name, values in settings.items()]


def _agreement(
    setting: str, logits: Tensor, target: Tensor, smoothing: float, weights: Tensor | None
) -> Agreement:
    gaps: dict[str, dict[str, float]] = {LOG_SOFTMAX.name: {}, NAIVE.name: {}}
    for precision, dtype in PRECISIONS.items():
        rounded = None if weights is None else weights.to(dtype)
        losses = {
            form.name: _mean_and_rows(form, logits.to(dtype), target, smoothing, rounded)
            for form in FORMS
        }
        for name, of_precision in gaps.items():
            gap = (losses[name] - losses[CROSS_ENTROPY.name]).abs().max()
            of_precision[precision] = float(gap)
    value = float(CROSS_ENTROPY(logits, target, label_smoothing=smoothing, class_weights=weights))
    return Agreement(setting, value, gaps[LOG_SOFTMAX.name], gaps[NAIVE.name])


def _mean_and_rows(
    form: LossForm, logits: Tensor, target: Tensor, smoothing: float, weights: Tensor | None
) -> Tensor:
    """The mean, then every row's loss: `(1 + n,) float64`."""
    loss = partial(form, logits, target, label_smoothing=smoothing, class_weights=weights)
    return torch.cat([loss(reduction="mean")[None], loss(reduction="none")]).double()


def traps(logits: Tensor, target: Tensor, class_weights: Tensor) -> list[Trap]:
    """Means that differ from `CrossEntropyLoss(weight)` on the same rows.

    Args:
        logits: `(n, n_classes) float64`.
        target: `(n,) int64`.
        class_weights: `(n_classes,) float64`.
    """
    weighted = float(CROSS_ENTROPY(logits, target, class_weights=class_weights))
    both = float(
        CROSS_ENTROPY(logits, target, class_weights=class_weights, label_smoothing=SMOOTHING)
    )
    rows = LOG_SOFTMAX(logits, target, class_weights=class_weights, reduction="none")
    smoothed = LOG_SOFTMAX(logits, target, label_smoothing=SMOOTHING, reduction="none")
    weights = class_weights[target]
    parts = zip(rows.chunk(_N_BATCHES), weights.chunk(_N_BATCHES), strict=True)
    batches = torch.stack([part.sum() / weight.sum() for part, weight in parts])
    by_row = float((smoothed * weights).sum() / weights.sum())
    return [
        Trap("each row's loss, then the plain mean", "weight", float(rows.mean()), weighted),
        Trap(f"the mean over {len(batches)} batches", "weight", float(batches.mean()), weighted),
        Trap("smoothed rows, each times its true class's weight", _BOTH, by_row, both),
    ]
