"""Learning-rate schedules: torch's formulas as functions of the step."""

from __future__ import annotations

import math

from models.training.settings import Schedule

_WARM_SHARE = 0.3
_START_DIVISOR = 25.0
_END_DIVISOR = 1e4


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
