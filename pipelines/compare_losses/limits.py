"""Up to which logits each form of the loss is correct, against a reference of forty digits.

The `gap` of a row is the largest logit less that of the true class. `exp(-gap)` is about the
probability of the true class, which the naive form has to represent as a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.compare_losses.forms import FORMS, LossForm

_DIGITS = 40
_N_ROWS = 40
_HEADROOM = 2.0**14  # the sum over all classes of the largest gap must be finite


@dataclass(frozen=True)
class Sweep:
    """Errors of the forms over logits of growing size, one column per size.

    Attributes:
        sizes: `(n_sizes,)` the gap of every row.
        loss_error: `(n_forms, n_sizes)` largest relative error over rows; inf or NaN where a
            loss is not finite.
        gradient_error: `(n_forms, n_sizes)` largest absolute error of the gradient by the logits,
            whose true entries lie in [-1, 1].
    """

    sizes: NDArray[np.float64]
    loss_error: NDArray[np.float64]
    gradient_error: NDArray[np.float64]


@dataclass(frozen=True)
class Breakdown:
    """The smallest gaps at which a form stops giving finite numbers.

    inf if it does so at no gap whose sum over the classes is itself finite.

    Attributes:
        loss: The loss is inf or NaN.
        gradient: Some entry of the gradient is.
        smoothed: The loss, with label smoothing, of a row that is classified correctly is: the
            unlikely classes count too.
    """

    loss: float
    gradient: float
    smoothed: float


def sweep(dtype: torch.dtype, sizes: Sequence[float], *, n_classes: int) -> Sweep:
    """Measure the forms on the same rows at each size.

    A row's true class lies `size` below its largest logit, the others between the two, and the
    whole row is shifted at random around 0. The reference takes the logits as rounded to `dtype`:
    that rounding is no error of a form.
    """
    loss_error = np.empty((len(FORMS), len(sizes)))
    gradient_error = np.empty_like(loss_error)
    for column, size in enumerate(sizes):
        logits = (_rows(n_classes) * size).to(dtype)
        losses, gradients = _reference(logits)
        for row, form in enumerate(FORMS):
            loss, gradient = _loss_and_gradient(form, logits)
            loss_error[row, column] = _worst((loss.double() - losses).abs() / losses)
            gradient_error[row, column] = _worst((gradient.double() - gradients).abs())
    return Sweep(np.asarray(sizes, dtype=np.float64), loss_error, gradient_error)


def _rows(n_classes: int) -> Tensor:
    """`(n, C) float64` for a gap of 1; class 0 is the true one, class 1 has the largest logit."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.rand(_N_ROWS, n_classes + 1, generator=generator, dtype=torch.float64)
    rows[:, 0], rows[:, 1] = 0, 1
    return rows[:, :-1] - rows[:, -1:]


def _loss_and_gradient(form: LossForm, logits: Tensor) -> tuple[Tensor, Tensor]:
    """`(n, C)` -> losses `(n,)` and their gradients `(n, C)`; class 0 is the true one."""
    leaf = logits.clone().requires_grad_()
    losses = form(leaf, torch.zeros(len(leaf), dtype=torch.int64), reduction="none")
    (gradient,) = torch.autograd.grad(losses.sum(), leaf)
    return losses.detach(), gradient


def _reference(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Losses `(n,)` and gradients `(n, C)` to forty digits, rounded to float64 at the end."""
    with localcontext(Context(prec=_DIGITS)):
        rows = [[Decimal(z) for z in row] for row in logits.double().tolist()]
        powers = [[(z - max(row)).exp() for z in row] for row in rows]
        totals = [sum(row, Decimal(0)) for row in powers]
        losses = [t.ln() + max(r) - r[0] for r, t in zip(rows, totals, strict=True)]
        shares = [[float(p / t) for p in row] for row, t in zip(powers, totals, strict=True)]
        below = [float(row[0] / t - 1) for row, t in zip(powers, totals, strict=True)]
    gradients = torch.tensor(shares, dtype=torch.float64)
    gradients[:, 0] = torch.tensor(below, dtype=torch.float64)
    return torch.tensor([float(loss) for loss in losses], dtype=torch.float64), gradients


def _worst(errors: Tensor) -> float:
    """The largest error; NaN or inf if there is one."""
    return float(errors.max())


def breakdown(form: LossForm, dtype: torch.dtype, *, n_classes: int) -> Breakdown:
    """Find the smallest gaps at which the form breaks, to the last bit of `dtype`.

    In a row one logit is 0 and the others, the true class's among them, are -gap.
    """

    def row(gap: float) -> Tensor:
        logits = torch.full((1, n_classes), -gap, dtype=dtype)
        logits[0, 1] = 0
        return logits

    def loss_breaks(gap: float) -> bool:
        return not _loss_and_gradient(form, row(gap))[0].isfinite().all()

    def gradient_breaks(gap: float) -> bool:
        return not _loss_and_gradient(form, row(gap))[1].isfinite().all()

    def smoothed_breaks(gap: float) -> bool:
        right = torch.ones(1, dtype=torch.int64)
        return not form(row(gap), right, label_smoothing=0.1).isfinite()

    return Breakdown(*(_first(f, dtype) for f in (loss_breaks, gradient_breaks, smoothed_breaks)))


def _first(breaks: Callable[[float], bool], dtype: torch.dtype) -> float:
    """The smallest number of `dtype` at which it breaks, by bisection; inf if none does."""
    low, high = 0.0, torch.finfo(dtype).max / _HEADROOM
    if not breaks(high):
        return math.inf
    while True:
        middle = float(torch.tensor((low + high) / 2, dtype=dtype))
        if middle in (low, high):
            return high
        low, high = (low, middle) if breaks(middle) else (middle, high)
