"""Random streams of a replica, independent of which replicas are trained with it.

A stream follows from (seed, epoch, purpose), so no state needs to be saved: a training resumed at
an epoch draws the same numbers as one that was never interrupted, and a replica draws the same
numbers whether it is trained alone or with others.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Purpose = Literal["order", "dropout", "global", "buckets", "augment"]
_PURPOSES: dict[Purpose, int] = {"order": 1, "dropout": 2, "global": 3, "buckets": 4, "augment": 5}
_WORD = (1 << 64) - 1


def _mixed(value: int) -> int:
    """SplitMix64. Source: Steele, Lea and Flood, "Fast splittable PRNGs", OOPSLA 2014."""
    value = (value + 0x9E3779B97F4A7C15) & _WORD
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _WORD
    return value ^ (value >> 31)


def stream_seed(seed: int, epoch: int, purpose: Purpose, *, step: int = 0) -> int:
    """A 63-bit seed for one purpose in one epoch of a replica."""
    mixed = _mixed(seed & _WORD)
    for part in (epoch, _PURPOSES[purpose], step):
        mixed = _mixed(mixed ^ part)
    return mixed >> 1


def stream(seed: int, epoch: int, purpose: Purpose, device: torch.device) -> torch.Generator:
    """A generator at the start of that stream."""
    return torch.Generator(device).manual_seed(stream_seed(seed, epoch, purpose))


def epoch_order(seed: int, epoch: int, n_rows: int) -> Tensor:
    """The order in which a replica visits its `n_rows` training rows: `(n_rows,) int64`.

    Positions, not row numbers; drawn on the CPU, so that the order is the same on every device.
    """
    return torch.randperm(n_rows, generator=stream(seed, epoch, "order", torch.device("cpu")))
