"""What each form of the loss costs: forward and backward time, and memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.compare_losses.forms import FORMS, LossForm

_WARM_UP = 3


@dataclass(frozen=True)
class Cost:
    """Time and memory of the forms on one batch.

    Attributes:
        n_rows: Rows of the batch.
        n_classes: Its classes.
        forward_s: `(n_forms, n_repeats)` seconds.
        backward_s: `(n_forms, n_repeats)` seconds.
        held_bytes: `(n_forms,)` bytes that a form allocates in its forward pass and holds for its
            backward pass; logits and target exist anyway and do not count.
    """

    n_rows: int
    n_classes: int
    forward_s: NDArray[np.float64]
    backward_s: NDArray[np.float64]
    held_bytes: NDArray[np.int64]


def measure_cost(dtype: torch.dtype, *, n_rows: int, n_classes: int, n_repeats: int) -> Cost:
    """Time the forms in turn on the same batch, starting with a different one in each round."""
    logits, target = _batch(dtype, n_rows, n_classes)
    seconds = np.empty((2, len(FORMS), n_repeats))
    for round_ in range(-_WARM_UP, n_repeats):
        for place in range(len(FORMS)):
            at = (place + round_) % len(FORMS)
            taken = _timed(FORMS[at], logits, target)
            if round_ >= 0:
                seconds[:, at, round_] = taken
    held = np.array([_held_bytes(form, logits, target) for form in FORMS])
    return Cost(n_rows, n_classes, seconds[0], seconds[1], held)


def _batch(dtype: torch.dtype, n_rows: int, n_classes: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(n_rows, n_classes, generator=generator, dtype=torch.float64)
    target = torch.randint(n_classes, (n_rows,), generator=generator)
    return logits.to(dtype).requires_grad_(), target


def _timed(form: LossForm, logits: Tensor, target: Tensor) -> tuple[float, float]:
    """Seconds of one forward and one backward pass."""
    start = time.perf_counter()
    loss = form(logits, target)
    middle = time.perf_counter()
    torch.autograd.grad(loss, logits)
    return middle - start, time.perf_counter() - middle


def _held_bytes(form: LossForm, logits: Tensor, target: Tensor) -> int:
    """Bytes of the tensors that autograd saves; a tensor that two steps save counts once."""
    held: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    unchanged: Callable[[Tensor], Tensor] = lambda tensor: tensor  # noqa: E731
    with torch.autograd.graph.saved_tensors_hooks(keep, unchanged):
        loss = form(logits, target)
    given = {t.untyped_storage().data_ptr() for t in (logits, target, loss)}
    return sum(t.untyped_storage().nbytes() for at, t in held.items() if at not in given)
