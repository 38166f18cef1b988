"""Metrics of many models at once: torch functions, equal to the metrics of one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def accuracy(target: Tensor, probabilities: Tensor) -> Tensor:
    """The share of rows whose likeliest class is the right one."""
    return (probabilities.argmax(dim=-1) == target).double().mean(dim=-1)


def log_loss(target: Tensor, probabilities: Tensor) -> Tensor:
    """Clipped at the dtype's epsilon and normalised to rows that sum to 1, as in scikit-learn."""
    import torch

    epsilon = torch.finfo(probabilities.dtype).eps
    columns = probabilities.double().clamp(epsilon, 1 - epsilon)
    columns = columns / columns.sum(dim=-1, keepdim=True)
    return -columns.gather(-1, target[..., None]).squeeze(-1).log().mean(dim=-1)


def auc(target: Tensor, probabilities: Tensor) -> Tensor:
    """Area under the ROC curve of class 1: the Mann-Whitney statistic, where a tie counts one half.

    NaN for targets of one class only.
    """
    import torch

    scores = probabilities[..., 1].contiguous()
    ordered, order = scores.sort(dim=-1)
    first = torch.searchsorted(ordered, ordered)
    last = torch.searchsorted(ordered, ordered, right=True)
    ranks = (first + last + 1).double() / 2  # the mean rank, from 1, of a group of ties
    positive = target.gather(-1, order) == 1
    n_positive = positive.sum(dim=-1).double()
    n_negative = positive.shape[-1] - n_positive
    wins = (ranks * positive).sum(dim=-1) - n_positive * (n_positive + 1) / 2
    return wins / (n_positive * n_negative)


def macro_f1(target: Tensor, probabilities: Tensor) -> Tensor:
    """The mean F1 over the classes that occur in the target or in the predictions."""
    from torch.nn.functional import one_hot

    n_classes = probabilities.shape[-1]
    truth = one_hot(target, n_classes).double()
    guess = one_hot(probabilities.argmax(dim=-1), n_classes).double()
    hits = (truth * guess).sum(dim=-2)
    total = truth.sum(dim=-2) + guess.sum(dim=-2)
    f1 = 2 * hits / total.clamp(min=1)
    return f1.sum(dim=-1) / (total > 0).sum(dim=-1)


def rmse(target: Tensor, predictions: Tensor) -> Tensor:
    """Targets `(R, n)` or `(R, n, T)`, predictions `(R, n, T)`; the mean over targets."""
    errors = predictions.double() - target.reshape(predictions.shape).double()
    return errors.square().mean(dim=-2).sqrt().mean(dim=-1)


def mae(target: Tensor, predictions: Tensor) -> Tensor:
    """Targets `(R, n)` or `(R, n, T)`, predictions `(R, n, T)`; the mean over targets."""
    errors = predictions.double() - target.reshape(predictions.shape).double()
    return errors.abs().mean(dim=(-2, -1))
