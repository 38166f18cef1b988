"""What goes into training and what comes out of it: folds, replicas, reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

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
