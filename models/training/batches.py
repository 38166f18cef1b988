"""Which rows each replica sees in each step, and how whole batches are gathered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from models.data import Array


@dataclass(frozen=True)
class Group:
    """Replicas that take a batch of the same size in a step.

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

    A last batch of a single row is left out (every epoch leaves out another row): batch norm has
    no variance for it, and its gradient is only noise.
    """
    size = n_rows if batch_size is None else min(batch_size, n_rows)
    n_full, rest = divmod(n_rows, size)
    return [size] * n_full + ([rest] if rest > 1 else [])


def epoch_steps(lengths: Sequence[int], batch_size: int | None) -> list[list[Group]]:
    """The steps of an epoch for replicas with these numbers of training rows.

    Each replica gets exactly the batches that it would get alone. With `lengths` in ascending
    order, replicas with equal batches are neighbours, so that a group is a view of the stack;
    no padding and no masks are needed, in batch norm neither.
    """
    sizes = [batch_sizes(n, batch_size) for n in lengths]
    n_steps = max(len(of_replica) for of_replica in sizes)
    return [_groups_at(step, sizes) for step in range(n_steps)]


def _groups_at(step: int, sizes: Sequence[Sequence[int]]) -> list[Group]:
    def batch(replica: int) -> tuple[int, int]:
        own = sizes[replica]
        return (sum(own[:step]), own[step]) if step < len(own) else (0, 0)

    groups = []
    for (start, size), members in groupby(range(len(sizes)), key=batch):
        replicas = list(members)
        if size:
            groups.append(Group(replicas[0], replicas[-1] + 1, start, size))
    return groups


def tensor_of(array: Array, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The array as a tensor, without a copy where that can be; floats become `dtype`.

    To a GPU it goes through pinned memory, so that the program need not wait for the copy.
    """
    readable = array if array.flags.writeable else array.copy()
    tensor = torch.from_numpy(np.ascontiguousarray(readable))
    if tensor.is_floating_point():
        tensor = tensor.to(dtype)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class Tables:
    """The encoded rows of all folds, gathered by (replica, row).

    Arrays that several folds share are held once; other arrays of the same key are laid one
    behind the other, so that a batch for replicas of different folds is one gather.
    """

    def __init__(
        self, inputs: Sequence[Mapping[str, Array]], dtype: torch.dtype, device: torch.device
    ) -> None:
        self.device = device
        self.tables: dict[str, Tensor] = {}
        self.offsets: dict[str, Tensor | None] = {}
        for key in inputs[0]:
            arrays = [of_fold[key] for of_fold in inputs]
            distinct = list({id(array): array for array in arrays}.values())
            parts = [tensor_of(array, dtype, device) for array in distinct]
            self.tables[key] = parts[0] if len(parts) == 1 else torch.cat(parts)
            self.offsets[key] = _fold_offsets(arrays, distinct, device)

    @property
    def bytes_per_row(self) -> int:
        """What one row of all keys takes, in bytes."""
        return sum(table[:1].numel() * table.element_size() for table in self.tables.values())

    def gather(self, rows: Tensor, folds: Tensor) -> dict[str, Tensor]:
        """The rows of each replica.

        Args:
            rows: `(r, B) int64` row numbers.
            folds: `(r,) int64`, each replica's fold.

        Returns:
            For each key `(r, B, ...)`.
        """
        batch = {}
        for key, table in self.tables.items():
            offsets = self.offsets[key]
            at = rows if offsets is None else rows + offsets[folds].unsqueeze(1)
            batch[key] = table.index_select(0, at.flatten()).view(*rows.shape, *table.shape[1:])
        return batch

    def of_fold(self, key: str, rows: Tensor, fold: int) -> Tensor:
        """One array's rows as one fold sees them: `(n,) -> (n, ...)`."""
        offsets = self.offsets[key]
        at = rows if offsets is None else rows + offsets[fold]
        return self.tables[key].index_select(0, at)


def _fold_offsets(
    arrays: Sequence[Array], distinct: Sequence[Array], device: torch.device
) -> Tensor | None:
    """Where each fold's rows begin in the long table; None where there is one table."""
    if len(distinct) == 1:
        return None
    starts = np.cumsum([0, *(len(array) for array in distinct[:-1])])
    place = {id(array): int(start) for array, start in zip(distinct, starts, strict=True)}
    return torch.tensor([place[id(array)] for array in arrays], device=device)


# Gathered in one go, the rows of a small table spare every step its own gather; larger ones would
# leave the cache before they are used (benchmarks/NOTES.md).
_MOST_BYTES = 1 << 22


@dataclass(frozen=True)
class Batch:
    """What some neighbouring replicas see in one step.

    Attributes:
        inputs: For each key `(r, B, ...)`.
        target: `(r, B) int64`.
        sample_weight: `(r, B)` or None.
    """

    inputs: Mapping[str, Tensor]
    target: Tensor
    sample_weight: Tensor | None


class EpochRows:
    """The epoch's batches, gathered step by step or, where they are small, all at once."""

    def __init__(
        self,
        tables: Tables,
        target: Tensor,
        sample_weight: Tensor | None,
        orders: Tensor,
        folds: Tensor,
    ) -> None:
        """Look up what is needed for every step.

        Args:
            tables: The encoded rows of all folds.
            target: `(n_rows,) int64`.
            sample_weight: `(n_rows,)` or None.
            orders: `(r, longest)` row numbers in each replica's order.
            folds: `(r,)` each replica's fold.
        """
        self._tables, self._orders, self._folds = tables, orders, folds
        self._target = target[orders]
        self._weight = None if sample_weight is None else sample_weight[orders]
        is_small = orders.numel() * tables.bytes_per_row <= _MOST_BYTES
        self._inputs = tables.gather(orders, folds) if is_small else None

    def batch(self, group: Group) -> Batch:
        """The batch of the group's replicas."""
        at = (slice(group.low, group.high), slice(group.start, group.start + group.size))
        weight = None if self._weight is None else self._weight[at]
        if self._inputs is None:
            inputs = self._tables.gather(self._orders[at], self._folds[at[0]])
        else:
            inputs = {key: rows[at] for key, rows in self._inputs.items()}
        return Batch(inputs, self._target[at], weight)
