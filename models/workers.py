"""One worker per core for replicas that cannot be stacked.

Operations on one small replica gain nothing from two threads but pay for their meeting at the end
of each one. Here each core works through its own replicas, and they meet once per epoch: twice
as fast for a small GRU. Stacked replicas do better with wide operations over all cores, since
workers would wait for each other's hold on the interpreter (benchmarks/NOTES.md).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import torch

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
