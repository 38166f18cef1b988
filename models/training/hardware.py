"""How many replicas go through the network in one pass."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn

from models.training.replica_chunk import Chunk, Plan, Task
from models.vectorised.stack import SequentialForward, Stack

# On a CPU one wide pass was faster than several that fit the cache (benchmarks/NOTES.md); this
# only keeps the activations of a pass, and their gradients, to some gigabytes.
_ACTIVATION_BYTES = 2**30


def stack_size(task: Task, stack: Stack, plans: Sequence[Plan]) -> int:
    """The most replicas to put into one pass.

    On a CPU as many as keep the activations small; on CUDA as many as a trial step finds
    memory for.
    """
    most = len(plans) if task.settings.max_stack is None else task.settings.max_stack
    most = min(most, len(plans))
    if task.strategy == "sequential":
        return 1
    if task.device.type == "cuda":
        return largest_that_fits(most, lambda size: _trial_step(task, stack, plans[-size:]))
    if task.settings.max_stack is not None:
        return most
    n_rows = min(task.settings.batch_size or plans[-1].n_rows, plans[-1].n_rows)
    per_replica = n_rows * bytes_per_row(task, stack, plans)
    return max(1, min(most, _ACTIVATION_BYTES // max(per_replica, 1)))


def largest_that_fits(most: int, attempt: Callable[[int], None]) -> int:
    """Halve the size until the attempt no longer runs out of memory.

    Raises:
        torch.OutOfMemoryError: If even one does not fit.
    """
    size = most
    while True:
        try:
            attempt(size)
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            size = -(-size // 2)
        else:
            return size


def _trial_step(task: Task, stack: Stack, plans: Sequence[Plan]) -> None:
    """Forward and backward over the replicas with the most rows, without a trace."""
    first = len(stack.steps) - len(plans)
    copies = stack.keep(range(first, len(stack.steps)))
    Chunk(task, copies, plans, 0).trial()
    torch.cuda.empty_cache()


def bytes_per_row(task: Task, stack: Stack, plans: Sequence[Plan]) -> int:
    """What one replica's layers give for one row, in bytes."""
    total = 0

    def count(_module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal total
        if isinstance(output, Tensor):
            total += output.numel() * output.element_size()

    forward = SequentialForward(task.template, stack, 0, 1)
    leaves = [m for m in forward.module.modules() if not list(m.children())]
    handles = [leaf.register_forward_hook(count) for leaf in leaves]
    rows = task.train_rows[plans[0].fold][:1]
    folds = torch.tensor([plans[0].fold], device=task.device)
    with torch.no_grad():
        forward(task.tables.gather(rows[None], folds), training=False)
    for handle in handles:
        handle.remove()
    return total


class DeviceError(ValueError):
    """A device that does not exist, or is not there."""

    exit_code = 2


def choose_device(asked: str) -> str:
    """`auto` is CUDA where there is a card, else the CPU; a run is told apart by the answer.

    Raises:
        DeviceError: an unknown device, or CUDA without a card.
    """
    import torch

    if asked not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"unknown device {asked!r}: type --device auto, cpu or cuda")
    there = torch.cuda.is_available()
    if asked == "cuda" and not there:
        raise DeviceError(
            f"--device cuda: torch {torch.__version__} finds no CUDA card; type --device cpu"
        )
    return "cuda" if there and asked != "cpu" else "cpu"


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MMAP_BYTES, _TRIM_BYTES = 2**26, 2**30


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks, for the whole process; elsewhere this does nothing.

    A step frees all its activations at its end. By default glibc then gives the memory back to
    the kernel, and the next step pays a page fault for every 4 KiB of it: a fifth of the time
    of a small network's step (benchmarks/NOTES.md).

    Source: mallopt(3).
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)


Work = TypeVar("Work")
Result = TypeVar("Result")


class Workers:
    """As many threads as torch may use, each of which computes on one core."""

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers
        self._pool: ThreadPoolExecutor | None = None

    def map(self, function: Callable[[Work], Result], items: Sequence[Work]) -> list[Result]:
        """`function` of each item, in order."""
        if self.n_workers == 1 or len(items) == 1:
            return [function(item) for item in items]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.n_workers, "replicas", _one_core_each)
        try:
            return list(self._pool.map(function, items))
        finally:
            # A worker's own setting is also the default of threads that start later.
            torch.set_num_threads(self.n_workers)


def _one_core_each() -> None:
    torch.set_num_threads(1)


def split_evenly(n_items: int, *, n_workers: int, most: int) -> list[range]:
    """Neighbouring items in parts of at most `most`, as many parts as workers or a multiple."""
    n_parts = -(-n_items // most)
    if n_items > 1:
        n_parts = min(n_items, -(-n_parts // n_workers) * n_workers)
    edges = [round(part * n_items / n_parts) for part in range(n_parts + 1)]
    return [range(low, high) for low, high in pairwise(edges)]
