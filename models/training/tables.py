"""How the replicas' batches are gathered: the datasets of all folds as one set of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.data import Array, EncodedDataset, gather, tensor_of
from models.target_scale import TargetScale
from models.training.batches import Group

# Small tables are gathered once per epoch, which saves each step its gather; larger ones would
# leave the cache before they are used (benchmarks/NOTES.md).
_MOST_BYTES = 1 << 22


class Tables:
    """The datasets of all folds, gathered by (replica, row).

    Arrays that several datasets share are held once. Other arrays of the same key are
    concatenated, so that a batch for replicas of different folds is one gather.
    """

    def __init__(
        self, datasets: Sequence[EncodedDataset], dtype: torch.dtype, device: torch.device
    ) -> None:
        """Put the tables on the device.

        Args:
            datasets: One for each fold, over the same `n_rows` rows.
            dtype: Of floating-point inputs.
            device: Of the training.
        """
        self.device = device
        self.tables: dict[str, Tensor] = {}
        self.offsets: dict[str, Tensor | None] = {}
        for key in datasets[0].inputs:
            arrays = [dataset.inputs[key] for dataset in datasets]
            distinct = list({id(array): array for array in arrays}.values())
            parts = [tensor_of(array, dtype, device) for array in distinct]
            self.tables[key] = parts[0] if len(parts) == 1 else torch.cat(parts)
            self.offsets[key] = _fold_offsets(arrays, distinct, device)

    @property
    def bytes_per_row(self) -> int:
        """Size of one row of all keys, in bytes."""
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
            batch[key] = gather(table, at)
        return batch

    def of_fold(self, key: str, rows: Tensor, fold: int) -> Tensor:
        """One input's rows in one fold's encoding: `(n,) -> (n, ...)`."""
        offsets = self.offsets[key]
        return gather(self.tables[key], rows if offsets is None else rows + offsets[fold])


def _fold_offsets(
    arrays: Sequence[Array], distinct: Sequence[Array], device: torch.device
) -> Tensor | None:
    """Where each fold's rows begin in the concatenated table; None if there is only one array."""
    if len(distinct) == 1:
        return None
    starts = np.cumsum([0, *(len(array) for array in distinct[:-1])])
    start_of = {id(array): int(start) for array, start in zip(distinct, starts, strict=True)}
    return torch.tensor([start_of[id(array)] for array in arrays], device=device)


def unscaled(predictions: Tensor, scales: Sequence[Sequence[TargetScale]], fold: int) -> Tensor:
    """A fold's predictions on the target's own scale, `(n, n_columns)`.

    Args:
        predictions: As the network learned them, `(n, n_columns)`.
        scales: Each fold's scale of each target column; empty where it learned the target itself.
        fold: The fold.
    """
    if not scales:
        return predictions
    columns = predictions.detach().cpu().double().numpy().T
    values = [scale.inverse(column) for scale, column in zip(scales[fold], columns, strict=True)]
    return torch.from_numpy(np.stack(values, axis=1)).to(predictions.device)


@dataclass(frozen=True)
class ReplicaBatch:
    """The batches of some neighbouring replicas in one step.

    Attributes:
        inputs: For each key `(r, B, ...)`.
        target: `(r, B) int64`, or values `(r, B)` or `(r, B, n_targets)`.
        sample_weight: `(r, B)` or None.
    """

    inputs: Mapping[str, Tensor]
    target: Tensor
    sample_weight: Tensor | None


class EpochRows:
    """An epoch's batches, gathered step by step or, where they are small, all at once."""

    def __init__(
        self,
        tables: Tables,
        goals: Tensor,
        sample_weight: Tensor | None,
        orders: Tensor,
        folds: Tensor,
    ) -> None:
        """Gather what every step needs.

        Args:
            tables: The encoded rows of all folds.
            goals: What networks learn, `(1 or n_folds, n_rows, ...)`.
            sample_weight: `(n_rows,)` or None.
            orders: `(r, longest)` row numbers in each replica's order.
            folds: `(r,)` each replica's fold.
        """
        self._tables, self._orders, self._folds = tables, orders, folds
        at = orders if len(goals) == 1 else orders + folds.unsqueeze(1) * goals.shape[1]
        self._target = gather(goals.flatten(0, 1), at)
        self._weight = None if sample_weight is None else gather(sample_weight, orders)
        is_small = orders.numel() * tables.bytes_per_row <= _MOST_BYTES
        self._inputs = tables.gather(orders, folds) if is_small else None

    def batch(self, group: Group) -> ReplicaBatch:
        """The batch of the group's replicas."""
        at = (slice(group.low, group.high), slice(group.start, group.start + group.size))
        weight = None if self._weight is None else self._weight[at]
        if self._inputs is None:
            inputs = self._tables.gather(self._orders[at], self._folds[at[0]])
        else:
            inputs = {key: rows[at] for key, rows in self._inputs.items()}
        return ReplicaBatch(inputs, self._target[at], weight)
