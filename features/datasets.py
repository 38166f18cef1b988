"""Encoded rows as torch Datasets that hand out whole batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

Batch = tuple[dict[str, Tensor], Tensor]


class EncodedDataset(Dataset[Batch]):
    """Rows of encoded arrays with their targets; the arrays are shared, never copied.

    Args:
        inputs: by keyword of the network's `forward`, each `(n_rows, ...)`.
        target: `(n_rows,)` class index.
        rows: `(n,)` the row numbers that belong to this dataset, in its order.
    """

    def __init__(
        self, inputs: Mapping[str, np.ndarray], target: np.ndarray, rows: np.ndarray
    ) -> None:
        self._inputs = {name: torch.from_numpy(array) for name, array in inputs.items()}
        self._target = torch.from_numpy(target)
        self.rows = torch.from_numpy(np.asarray(rows, dtype=np.int64))

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.rows)

    def __getitem__(self, index: int) -> Batch:
        """One row: inputs without the batch dimension, and its target."""
        row = self.rows[index]
        return {name: array[row] for name, array in self._inputs.items()}, self._target[row]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """A whole batch by one gather for each array; pass `collate_fn=whole_batch` on."""
        rows = self.rows[torch.as_tensor(indices)]
        return {name: array[rows] for name, array in self._inputs.items()}, self._target[rows]


def whole_batch(batch: Batch) -> Batch:
    """The DataLoader's `collate_fn` for batches that `__getitems__` has already put together."""
    return batch
