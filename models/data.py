"""What goes into training and what comes out of it: folds, replicas, reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

Array = NDArray[np.generic]
Rows = NDArray[np.int64]


class TrainingDataError(ValueError):
    """The arrays given to `fit` do not belong together."""

    exit_code = 3


class TrainingFailedError(RuntimeError):
    """No replica ended with usable weights."""

    exit_code = 3


@dataclass(frozen=True)
class FoldData:
    """One fold as its own encoder sees it.

    Folds whose `inputs` hold the identical array object share it in memory.

    Attributes:
        inputs: ALL `n_rows` rows of the training file: keyword of `forward` -> `(n_rows, ...)`.
        train_rows: `(n_fold_train,)` row numbers.
        valid_rows: `(n_fold_valid,)` row numbers that are held out.
        stop_rows: Rows that early stopping and the curves look at; by default the valid rows,
            which makes the score of an early-stopped replica optimistic.
        initial: By name of a parameter, weights to start from in place of the network's own; NaN
            leaves its own.
    """

    inputs: Mapping[str, Array]
    train_rows: Rows
    valid_rows: Rows
    stop_rows: Rows | None = None
    initial: Mapping[str, Array] = field(default_factory=dict)

    @property
    def watched_rows(self) -> Rows:
        """The rows on which the curves are measured."""
        return self.valid_rows if self.stop_rows is None else self.stop_rows


@dataclass(frozen=True)
class Curve:
    """The learning curve of a replica, one entry per evaluated epoch.

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
        seed: The seed of its weights, its order of rows and its dropout.
        best_epoch: The epoch of its weights, from 1; 0 if it never completed one.
        score: The metric on its fold's valid rows; NaN with a fault.
        valid_probabilities: `(n_fold_valid, n_classes)`.
        curve: Its learning curve.
        state_dict: Its weights, on the CPU.
        fault: None, or what went wrong; the weights are then the last good ones, if any.
    """

    fold: int
    seed: int
    best_epoch: int
    score: float
    valid_probabilities: NDArray[np.floating]
    curve: Curve
    state_dict: dict[str, Tensor]
    fault: str | None = None


@dataclass(frozen=True)
class EpochReport:
    """What is known after an epoch that was evaluated.

    Attributes:
        epoch: From 1.
        n_active: Replicas still in training.
        train_loss: `(R,)`; each replica's newest value, also of those that have stopped.
        valid_loss: `(R,)`.
        valid_score: `(R,)`.
        best_score: `(R,)`; the score at the epoch whose weights would be taken now.
    """

    epoch: int
    n_active: int
    train_loss: NDArray[np.float64]
    valid_loss: NDArray[np.float64]
    valid_score: NDArray[np.float64]
    best_score: NDArray[np.float64]


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


@dataclass(frozen=True)
class InputShape:
    """The width of the encoded inputs.

    Attributes:
        n_num: Columns of `x_num (n_rows, n_num) float32`.
        cardinalities: For each column of `x_cat (n_rows, d_cat) int64` the number of codes; the
            codes are 0 .. cardinality - 1.
        n_bin: Columns of `x_bin (n_rows, n_bin) float32`: places among a column's bin edges.
        n_tokens: Numbers of the vocabulary in `tokens (n_rows, width) int64`; 0 is padding,
            1 stands for unknown ones.
        is_spelled: Whether `spelling (n_rows, width) int64` comes with `tokens`: the letters
            of each token as one number, 0 behind the text.
        image: Channels, height and width of `image (n_rows, C, H, W) float32`.
    """

    n_num: int = 0
    cardinalities: tuple[int, ...] = ()
    n_bin: int = 0
    n_tokens: int = 0
    is_spelled: bool = False
    image: tuple[int, ...] = ()
