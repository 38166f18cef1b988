"""What goes into training and what comes out: datasets, folds, replicas, reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from models.fold_data import Array as Array
from models.fold_data import FoldData as FoldData
from models.fold_data import InputShape as InputShape
from models.fold_data import Rows as Rows

CPU = torch.device("cpu")


class TrainingDataError(ValueError):
    """The arrays given to the trainer do not match."""

    exit_code = 3


class TrainingFailedError(RuntimeError):
    """No replica has usable weights."""

    exit_code = 3


Inputs = dict[str, Tensor]
Sample = tuple[Inputs, Tensor]  # one row: inputs without the batch dimension, and its target
Batch = tuple[Inputs, Tensor]


class EncodedDataset(Dataset[Sample]):
    """Some rows of encoded arrays with their targets; the arrays are shared, not copied.

    The trainer gathers its batches from the same tables by the same `gather`. A `DataLoader`
    gives the same batches with and without `collate_fn=whole_batch`, but faster with it:

        >>> from torch.utils.data import DataLoader
        >>> x, y = np.arange(6, dtype=np.float32).reshape(3, 2), np.array([0, 1, 0])
        >>> dataset = EncodedDataset({"x_num": x}, y, np.array([2, 0]))
        >>> loader = DataLoader(dataset, batch_size=2, collate_fn=whole_batch)
        >>> inputs, target = next(iter(loader))
        >>> inputs["x_num"].tolist(), target.tolist()
        ([[4.0, 5.0], [0.0, 1.0]], [0, 0])

    Attributes:
        inputs: Keyword of the network's `forward` -> `(n_rows, ...)`, as given.
        target: `(n_rows,)`, a tensor.
        rows: `(n,) int64` numbers of the rows in this dataset, in its order.
    """

    def __init__(self, inputs: Mapping[str, Array], target: Array, rows: Array) -> None:
        self.inputs = inputs
        self.target = tensor_of(target)
        self.rows = tensor_of(np.asarray(rows, dtype=np.int64))

    @cached_property
    def tables(self) -> Inputs:
        """All `n_rows` rows of each input, as tensors."""
        return {key: tensor_of(array) for key, array in self.inputs.items()}

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        """One row: inputs without the batch dimension, and its target."""
        row = self.rows[index]
        return {key: table[row] for key, table in self.tables.items()}, self.target[row]

    def __getitems__(self, indices: Sequence[int]) -> GatheredRows:
        """A whole batch by one gather per table; `DataLoader` calls this."""
        rows = self.rows[torch.as_tensor(indices)]
        inputs = {key: gather(table, rows) for key, table in self.tables.items()}
        return GatheredRows((inputs, gather(self.target, rows)))


def training_set(fold: FoldData, target: Array) -> EncodedDataset:
    """The fold's training rows; `target` is `(n_rows,)`."""
    return EncodedDataset(fold.inputs, target, fold.train_rows)


def held_out_set(fold: FoldData, target: Array) -> EncodedDataset:
    """The fold's held-out rows; `target` is `(n_rows,)`."""
    return EncodedDataset(fold.inputs, target, fold.valid_rows)


@dataclass(frozen=True)
class GatheredRows(Sequence[Sample]):
    """A batch that reads as a list of its rows, as any `collate_fn` expects.

    Attributes:
        batch: The whole batch, which `whole_batch` takes as it is.
    """

    batch: Batch

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.batch[1])

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        """One row of the batch."""
        inputs, target = self.batch
        return {key: values[index] for key, values in inputs.items()}, target[index]


def whole_batch(rows: GatheredRows) -> Batch:
    """The fast `collate_fn` for `EncodedDataset`: the batch as it was gathered."""
    return rows.batch


def gather(table: Tensor, rows: Tensor) -> Tensor:
    """Rows of a table by number, in one pass over memory.

    Args:
        table: `(n_rows, ...)`.
        rows: `(...) int64` row numbers, of any shape: `(B,)`, or `(R, B)` for R replicas.

    Returns:
        `(*rows.shape, ...)`.
    """
    return table.index_select(0, rows.flatten()).view(*rows.shape, *table.shape[1:])


def tensor_of(array: Array, dtype: torch.dtype | None = None, device: torch.device = CPU) -> Tensor:
    """The array as a tensor, without a copy where possible; read-only arrays are copied.

    To a GPU it goes through pinned memory, so that the program need not wait for the copy.

    Args:
        array: Any array of numbers.
        dtype: What floating-point arrays become; None keeps theirs.
        device: Where the tensor is to be.
    """
    writable = array if array.flags.writeable else array.copy()
    tensor = torch.from_numpy(np.ascontiguousarray(writable))
    if dtype is not None and tensor.is_floating_point():
        tensor = tensor.to(dtype)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


@dataclass(frozen=True)
class Curve:
    """A replica's learning curve, one entry per evaluated epoch.

    Attributes:
        epoch: Epoch numbers, from 1.
        train_loss: Mean over the epoch's steps, in training mode.
        valid_loss: On the watched rows, unweighted, without label smoothing.
        valid_score: The metric on the watched rows.
    """

    epoch: list[int] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    valid_loss: list[float] = field(default_factory=list)
    valid_score: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Replica:
    """One trained copy of the network.

    Attributes:
        fold: Position in the folds given to `fit`.
        seed: Seed of its weights, its order of rows and its dropout.
        best_epoch: The epoch of its weights, from 1; 0 if it completed none.
        score: The metric on its fold's held-out rows; NaN if it has a fault.
        valid_predictions: `(n_fold_valid, n_classes)`.
        curve: Its learning curve.
        state_dict: Its weights, on the CPU.
        fault: What went wrong, if anything; the weights are then the last good ones.
    """

    fold: int
    seed: int
    best_epoch: int
    score: float
    valid_predictions: NDArray[np.floating]
    curve: Curve
    state_dict: dict[str, Tensor]
    fault: str | None = None


@dataclass(frozen=True)
class EpochReport:
    """The state of all replicas after an evaluated epoch.

    Attributes:
        epoch: From 1.
        n_active: Replicas still in training.
        train_loss: `(R,)`; each replica's latest value, including those that have stopped.
        valid_loss: `(R,)`.
        valid_score: `(R,)`.
        best_score: `(R,)`; the score of the weights that would be kept now.
    """

    epoch: int
    n_active: int
    train_loss: NDArray[np.float64]
    valid_loss: NDArray[np.float64]
    valid_score: NDArray[np.float64]
    best_score: NDArray[np.float64]
