"""Which rows each replica takes in each step of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Group:
    """Neighbouring replicas that take a batch of the same size in a step.

    Attributes:
        low: First replica.
        high: One past the last replica.
        start: Position of the batch in each replica's order of rows.
        size: Rows per replica.
    """

    low: int
    high: int
    start: int
    size: int


def batch_sizes(n_rows: int, batch_size: int | None) -> list[int]:
    """The sizes of the batches of an epoch over `n_rows` rows.

    A last batch of a single row is left out (each epoch leaves out a different row): batch norm
    has no variance for it, and its gradient is only noise.
    """
    size = n_rows if batch_size is None else min(batch_size, n_rows)
    n_full, rest = divmod(n_rows, size)
    return [size] * n_full + ([rest] if rest > 1 else [])


def epoch_steps(lengths: Sequence[int], batch_size: int | None) -> list[list[Group]]:
    """The steps of an epoch for replicas with these numbers of training rows.

    Each replica gets exactly the batches that it would get alone. With `lengths` in ascending
    order, replicas with equal batches are neighbours, so that a group is a view of the stack;
    neither padding nor masks are needed, not even in batch norm.
    """
    sizes = [batch_sizes(n, batch_size) for n in lengths]
    n_steps = max(len(of_replica) for of_replica in sizes)
    return [_groups_at(step, sizes) for step in range(n_steps)]


def _groups_at(step: int, sizes: Sequence[Sequence[int]]) -> list[Group]:
    def batch(replica: int) -> tuple[int, int]:
        batches = sizes[replica]
        return (sum(batches[:step]), batches[step]) if step < len(batches) else (0, 0)

    groups = []
    for (start, size), members in groupby(range(len(sizes)), key=batch):
        replicas = list(members)
        if size:
            groups.append(Group(replicas[0], replicas[-1] + 1, start, size))
    return groups
