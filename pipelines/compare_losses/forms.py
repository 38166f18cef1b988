"""The multiclass loss in three forms: one formula, three orders of arithmetic.

For logits z and the true class y all three compute `log(sum(exp(z))) - z[y]`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

PRECISIONS: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float64": torch.float64,
}
Reduction = Literal["mean", "sum", "none"]


@dataclass(frozen=True)
class LossForm:
    """One form of the loss, from logits.

    Attributes:
        name: The key in `FORMS`.
        title: Its name in figures and tables.
        log_probabilities: logits `(n, n_classes)` -> `(n, n_classes)`, which `NLLLoss` takes;
            None if torch does both steps in one call.
    """

    name: str
    title: str
    log_probabilities: Callable[[Tensor], Tensor] | None

    def __call__(
        self,
        logits: Tensor,
        target: Tensor,
        *,
        label_smoothing: float = 0.0,
        class_weights: Tensor | None = None,
        reduction: Reduction = "mean",
    ) -> Tensor:
        """The loss, in the precision of the logits.

        Args:
            logits: `(n, n_classes)`.
            target: `(n,) int64`.
            label_smoothing: In [0, 1).
            class_weights: `(n_classes,)`.
            reduction: "mean" is torch's: with class weights, divided by the rows' summed weights.

        Returns:
            A scalar, or `(n,)` for "none".
        """
        if self.log_probabilities is None:
            return functional.cross_entropy(
                logits,
                target,
                weight=class_weights,
                reduction=reduction,
                label_smoothing=label_smoothing,
            )
        return smoothed_nll(
            self.log_probabilities(logits),
            target,
            label_smoothing=label_smoothing,
            class_weights=class_weights,
            reduction=reduction,
        )


def smoothed_nll(
    log_probabilities: Tensor,
    target: Tensor,
    *,
    label_smoothing: float,
    class_weights: Tensor | None,
    reduction: Reduction,
) -> Tensor:
    """`NLLLoss` with label smoothing, which torch's does not have.

    The smoothed share of a row is spread over all classes, each with its class's weight; the
    mean divides by the weights of the true classes.

    Source: the formula on torch's page of `CrossEntropyLoss`; Szegedy et al., "Rethinking the
    Inception Architecture", 2016.
    """
    hit = functional.nll_loss(log_probabilities, target, weight=class_weights, reduction=reduction)
    if not label_smoothing:
        return hit
    weighted = log_probabilities if class_weights is None else log_probabilities * class_weights
    spread = -weighted.sum(dim=-1)  # (n, C) -> (n,)
    if reduction == "sum":
        spread = spread.sum()
    elif reduction == "mean":
        spread = spread.mean() if class_weights is None else _over(spread, class_weights[target])
    return (1 - label_smoothing) * hit + label_smoothing / log_probabilities.shape[-1] * spread


def _over(rows: Tensor, weights: Tensor) -> Tensor:
    return rows.sum() / weights.sum()


def _log_softmax(logits: Tensor) -> Tensor:
    return torch.log_softmax(logits, dim=-1)


def _log_of_softmax(logits: Tensor) -> Tensor:
    return torch.log(torch.softmax(logits, dim=-1))


CROSS_ENTROPY = LossForm("cross_entropy", "CrossEntropyLoss", None)
LOG_SOFTMAX = LossForm("log_softmax_nll", "LogSoftmax + NLLLoss", _log_softmax)
NAIVE = LossForm("softmax_log_nll", "softmax, log, NLLLoss", _log_of_softmax)
FORMS: tuple[LossForm, ...] = (CROSS_ENTROPY, LOG_SOFTMAX, NAIVE)
