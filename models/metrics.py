"""Competition metrics, for one model or for many at once.

Competition files import this module for its names, so torch is imported on first use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Metric:
    """A score of predicted probabilities.

    Attributes:
        name: The key in `METRICS`.
        greater_is_better: Whether a greater score is better.
        batched: (target (R, n), probabilities (R, n, n_classes)) -> (R,), for R models at once.
    """

    name: str
    greater_is_better: bool
    batched: Callable[[Tensor, Tensor], Tensor]

    def function(self, target: NDArray[np.int64], probabilities: NDArray[np.floating]) -> float:
        """The score of one model: target `(n,)`, probabilities `(n, n_classes)`."""
        import torch

        rows = torch.as_tensor(np.asarray(target, dtype=np.int64))
        columns = torch.as_tensor(np.asarray(probabilities, dtype=np.float64))
        return float(self.batched(rows[None], columns[None])[0])

    def __call__(self, target: NDArray[np.int64], probabilities: NDArray[np.floating]) -> float:
        """The same as `function`."""
        return self.function(target, probabilities)

    def is_better(self, score: float, than: float) -> bool:
        """Whether `score` beats `than`; a NaN beats nothing."""
        return score > than if self.greater_is_better else score < than


def _accuracy(target: Tensor, probabilities: Tensor) -> Tensor:
    return (probabilities.argmax(dim=-1) == target).double().mean(dim=-1)


def _log_loss(target: Tensor, probabilities: Tensor) -> Tensor:
    """Clipped at the dtype's epsilon and normalised to rows that sum to 1, as in scikit-learn."""
    import torch

    epsilon = torch.finfo(probabilities.dtype).eps
    columns = probabilities.double().clamp(epsilon, 1 - epsilon)
    columns = columns / columns.sum(dim=-1, keepdim=True)
    return -columns.gather(-1, target[..., None]).squeeze(-1).log().mean(dim=-1)


def _auc(target: Tensor, probabilities: Tensor) -> Tensor:
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


def _macro_f1(target: Tensor, probabilities: Tensor) -> Tensor:
    """The mean F1 over the classes that occur in the target or in the predictions."""
    from torch.nn.functional import one_hot

    n_classes = probabilities.shape[-1]
    truth = one_hot(target, n_classes).double()
    guess = one_hot(probabilities.argmax(dim=-1), n_classes).double()
    hits = (truth * guess).sum(dim=-2)
    total = truth.sum(dim=-2) + guess.sum(dim=-2)
    f1 = 2 * hits / total.clamp(min=1)
    return f1.sum(dim=-1) / (total > 0).sum(dim=-1)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", greater_is_better=True, batched=_accuracy),
        Metric("log_loss", greater_is_better=False, batched=_log_loss),
        Metric("auc", greater_is_better=True, batched=_auc),
        Metric("macro_f1", greater_is_better=True, batched=_macro_f1),
    )
}
