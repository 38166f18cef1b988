"""The machine that a training runs on: device, precision, memory, threads."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import TypeVar

import torch

from models.training.device import DeviceError
from models.training.settings import Precision
from models.vectorised.strategy import StrategyError


def training_device(name: str, precision: Precision) -> torch.device:
    """The device of a training: "auto", "cpu", "cuda" or "cuda:1".

    Raises:
        DeviceError: If the device is unknown or not available.
        StrategyError: If the device cannot train in this precision.
    """
    available = "cuda" if torch.cuda.is_available() else "cpu"
    name = available if name == "auto" else name
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise DeviceError(f"unknown device {name!r}: pass 'auto', 'cpu', 'cuda' or 'cuda:1'")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"device {name!r}: torch {torch.__version__} finds {torch.cuda.device_count()} CUDA "
            "cards; pass 'cpu'"
        )
    if precision == "bf16" and device.type != "cuda":
        raise StrategyError(
            f"precision 'bf16' needs CUDA, but the device is {device}; set precision to 'float32'"
        )
    return device


def dtype_of(precision: Precision) -> torch.dtype:
    """The dtype of weights and of floating-point inputs."""
    return torch.float64 if precision == "float64" else torch.float32


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """The context of a forward pass: bf16 products if that is the precision."""
    if precision != "bf16":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def accept_compacted_weights() -> None:
    """Silence cuDNN's advice to compact the weights of a GRU or LSTM.

    Each replica's weights are views of the stack, so that cuDNN copies them side by side at every
    call; `flatten_parameters` would cut them off from the stack.
    """
    warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")


Work = TypeVar("Work")
Result = TypeVar("Result")


class Workers:
    """A pool of threads, each of which runs torch on one core."""

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers
        self._pool: ThreadPoolExecutor | None = None

    def map(self, function: Callable[[Work], Result], items: Sequence[Work]) -> list[Result]:
        """`function` of each item, in the order of the items."""
        if self.n_workers == 1 or len(items) == 1:
            return [function(item) for item in items]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.n_workers, "replicas", _one_core_each)
        try:
            return list(self._pool.map(function, items))
        finally:
            # What a worker sets is also the default of threads that start later.
            torch.set_num_threads(self.n_workers)


def _one_core_each() -> None:
    torch.set_num_threads(1)


def split_evenly(n_items: int, *, n_workers: int, most: int) -> list[range]:
    """Consecutive ranges of at most `most` items; their number is a multiple of the workers.

    With fewer items than that, each range holds one item.
    """
    n_parts = -(-n_items // most)
    if n_items > 1:
        n_parts = min(n_items, -(-n_parts // n_workers) * n_workers)
    edges = [round(part * n_items / n_parts) for part in range(n_parts + 1)]
    return [range(low, high) for low, high in pairwise(edges)]
