"""Which rows each replica takes in each step of an epoch.

Texts can be taken in batches of similar length, each cut to its longest text: every row of a batch
costs as much as the longest one, so almost nothing is then padding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

TOKENS, LENGTHS = "tokens", "lengths"
BY_TOKEN = (TOKENS, "spelling")  # `(..., width)`: one integer per token


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


def bucketed(
    rows: Tensor, lengths: Tensor, *, batch_size: int, pool: int, generator: torch.Generator
) -> Tensor:
    """Reorder an epoch so that each full batch holds rows of similar length: `(n,) -> (n,)`.

    Within pools of `pool` batches the rows are sorted by length; then the batches are shuffled.
    The rows of an incomplete last batch stay where they are and may have any length.

    Args:
        rows: Row numbers in the epoch's random order.
        lengths: `(n,)`, the lengths of these rows.
        batch_size: Rows per batch.
        pool: Batches per pool.
        generator: Shuffles the batches; on the CPU.
    """
    n_full = len(rows) // batch_size * batch_size
    full = torch.arange(n_full, device=rows.device)
    by_length = [
        part[torch.argsort(lengths[part], stable=True)]
        for part in torch.split(full, batch_size * pool)
    ]
    if not by_length or not n_full:
        return rows
    batches = torch.cat(by_length).view(-1, batch_size)
    order = torch.randperm(len(batches), generator=generator).to(rows.device)
    return torch.cat([rows[batches[order].flatten()], rows[n_full:]])


def trimmed(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The batch with its tokens cut to its longest row: `(..., B, width) -> (..., B, longest)`."""
    longest = int(batch[LENGTHS].max())
    return {key: v[..., :longest] if key in BY_TOKEN else v for key, v in batch.items()}


def sorted_by_length(
    run: Callable[[Tensor], Tensor], lengths: Tensor, *, batch_size: int
) -> Tensor:
    """`run` over batches of similar length, with its results in the original order.

    Args:
        run: Takes positions `(b,)` and returns `(b, ...)`.
        lengths: `(n,)`, on the rows' device.
        batch_size: Rows per call.
    """
    order = torch.argsort(lengths, stable=True)
    results = torch.cat([run(part) for part in torch.split(order, batch_size)])
    back = torch.empty_like(order)
    back[order] = torch.arange(len(order), device=order.device)
    return results[back]
