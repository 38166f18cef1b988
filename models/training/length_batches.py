"""Batches of texts of similar length, each cut to its longest text.

Every row of a batch costs as much as the longest one. With rows of similar length together, almost
nothing is padding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

TOKENS, LENGTHS = "tokens", "lengths"
BY_TOKEN = (TOKENS, "spelling")  # `(..., width)`: one integer per token


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
