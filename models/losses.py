"""Training losses: one number per row, and weights for rows of rare classes.

A loss gives one number per row so that the trainer can weigh rows, classes and replicas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

RowLoss = Callable[[Tensor, Tensor, float, Tensor | None], Tensor]


@dataclass(frozen=True)
class Loss:
    """A per-row loss, and the link from logits to predictions that belongs to it.

    Logits are `(n, n_outputs)`, or `(n, k, n_outputs)` for a network that holds an ensemble of k:
    its losses and probabilities are averaged over k.

    Attributes:
        name: The key in `LOSSES`.
        row_loss: (logits (m, n_outputs), target (m,) or (m, n_outputs), label_smoothing,
            class_weights) -> (m,).
        probabilities_of: Logits (m, n_outputs) -> predictions (m, n_columns).
        is_binary: Whether one logit stands for two classes.
        is_scaled: Whether networks learn the target standardised.
    """

    name: str
    row_loss: RowLoss
    probabilities_of: Callable[[Tensor], Tensor]
    is_binary: bool = False
    is_scaled: bool = False

    def n_outputs(self, n_classes: int) -> int:
        """The number of logits that a network needs for `n_classes` classes."""
        return 1 if self.is_binary else n_classes

    def rows(
        self,
        logits: Tensor,
        target: Tensor,
        *,
        label_smoothing: float = 0.0,
        class_weights: Tensor | None = None,
    ) -> Tensor:
        """The loss of each row.

        Args:
            logits: `(n, n_outputs)` or `(n, k, n_outputs)`.
            target: `(n,) int64` class index, or `(n,)` or `(n, n_outputs)` values.
            label_smoothing: In [0, 1): the share of the target that is spread evenly over classes.
            class_weights: `(n_classes,)`; a row's loss is multiplied by its class's weight.

        Returns:
            `(n,)`; divide the sum by the summed weights for torch's weighted mean.
        """
        k = logits.shape[1] if logits.ndim == 3 else 1
        repeated = target.repeat_interleave(k, dim=0) if k > 1 else target
        flat = logits.reshape(-1, logits.shape[-1])  # (n, k, C) -> (n * k, C)
        losses = self.row_loss(flat, repeated, label_smoothing, class_weights)
        return losses.view(-1, k).mean(dim=1) if k > 1 else losses

    def probabilities(self, logits: Tensor) -> Tensor:
        """`(n, n_outputs)` or `(n, k, n_outputs)` logits -> `(n, n_columns)` predictions."""
        probabilities = self.probabilities_of(logits)
        return probabilities.mean(dim=-2) if logits.ndim == 3 else probabilities


def _binary_rows(
    logits: Tensor, target: Tensor, label_smoothing: float, class_weights: Tensor | None
) -> Tensor:
    goal = target.to(logits.dtype)
    if label_smoothing:
        goal = goal * (1 - label_smoothing) + label_smoothing / 2
    rows = functional.binary_cross_entropy_with_logits(logits.squeeze(-1), goal, reduction="none")
    return rows if class_weights is None else rows * class_weights[target]


def _multiclass_rows(
    logits: Tensor, target: Tensor, label_smoothing: float, class_weights: Tensor | None
) -> Tensor:
    return functional.cross_entropy(
        logits,
        target,
        weight=class_weights,
        reduction="none",
        label_smoothing=label_smoothing,
    )


def _two_columns(logits: Tensor) -> Tensor:
    """One logit (..., 1) -> (..., 2); both columns stay exact where the sigmoid saturates."""
    return torch.cat([torch.sigmoid(-logits), torch.sigmoid(logits)], dim=-1)


def _softmax(logits: Tensor) -> Tensor:
    return torch.softmax(logits, dim=-1)


def _columns(logits: Tensor, target: Tensor) -> Tensor:
    """The target in the logits' shape and dtype."""
    return target.reshape(logits.shape).to(logits.dtype)


def _multilabel_rows(
    logits: Tensor, target: Tensor, label_smoothing: float, _: Tensor | None
) -> Tensor:
    goal = _columns(logits, target)
    if label_smoothing:
        goal = goal * (1 - label_smoothing) + label_smoothing / 2
    rows = functional.binary_cross_entropy_with_logits(logits, goal, reduction="none")
    return rows.mean(dim=-1)


def _of_errors(single: Callable[[Tensor], Tensor]) -> RowLoss:
    """The mean over targets of a function of the error, prediction minus target."""

    def rows(logits: Tensor, target: Tensor, _: float, __: Tensor | None) -> Tensor:
        return single(logits - _columns(logits, target)).mean(dim=-1)

    return rows


def _huber(error: Tensor) -> Tensor:
    return functional.huber_loss(error, torch.zeros_like(error), reduction="none")


def _quantile(level: float) -> RowLoss:
    return _of_errors(lambda error: torch.maximum((1 - level) * error, -level * error))


def _poisson_rows(logits: Tensor, target: Tensor, _: float, __: Tensor | None) -> Tensor:
    """The negative log-likelihood of counts with mean exp(logit), without its constant."""
    return (logits.exp() - _columns(logits, target) * logits).mean(dim=-1)


def _tweedie_rows(logits: Tensor, target: Tensor, _: float, __: Tensor | None) -> Tensor:
    """Half the Tweedie deviance of power 1.5 at mean exp(logit), without its constant."""
    goal = _columns(logits, target)
    return (2 * torch.exp(0.5 * logits) + 2 * goal * torch.exp(-0.5 * logits)).mean(dim=-1)


def _same(logits: Tensor) -> Tensor:
    return logits


LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss("binary_cross_entropy", _binary_rows, _two_columns, is_binary=True),
        Loss("cross_entropy", _multiclass_rows, _softmax),
        Loss("multilabel", _multilabel_rows, torch.sigmoid),
        Loss("mse", _of_errors(torch.square), _same, is_scaled=True),
        Loss("mae", _of_errors(torch.abs), _same, is_scaled=True),
        Loss("huber", _of_errors(_huber), _same, is_scaled=True),
        Loss("poisson", _poisson_rows, torch.exp),
        Loss("tweedie", _tweedie_rows, torch.exp),
    )
}


def loss_named(name: str) -> Loss:
    """The loss of that name; `quantile@0.9` has its level in its name.

    Raises:
        KeyError: No loss has it.
    """
    kind, _, level = name.partition("@")
    if kind == "quantile":
        return Loss(name, _quantile(float(level or 0.5)), _same, is_scaled=True)
    return LOSSES[name]


def row_weights(target: np.ndarray, power: float) -> np.ndarray:
    """Weights that raise rare classes: each class's share to the power of `-power`, with mean 1.

    In the limit a classifier trained with them predicts probabilities divided by the shares to that
    power: 0 changes nothing, 1 makes all classes equally likely a priori.

    Args:
        target: `(n_rows,) int64` class index.
        power: From 0 to 1.

    Returns:
        `(n_rows,) float64`.

    Source: Menon et al., "Long-tail learning via logit adjustment", ICLR 2021.
    """
    counts = np.bincount(target)
    weights = counts[target] ** -float(power)
    balanced: np.ndarray = weights / weights.mean()
    return balanced
