"""One fold's rows as the trainers take them, and the shape of its inputs; needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class FoldData:
    """One fold, encoded by the encoder that was fitted on its training rows.

    Folds whose `inputs` hold the identical array object share it in memory.

    Attributes:
        inputs: Keyword of the network's `forward` -> ALL `n_rows` rows of the training file,
            `(n_rows, ...)`.
        train_rows: `(n_fold_train,)` row numbers.
        valid_rows: `(n_fold_valid,)` numbers of the held-out rows.
        stop_rows: Rows for early stopping and the curves; by default the held-out rows, which
            makes the score of an early-stopped replica optimistic.
        initial: Name of a parameter -> weights to start from instead of the network's; where
            they are NaN the network's stay.
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
class InputShape:
    """The shape of the encoded inputs.

    Attributes:
        n_num: Columns of `x_num (n_rows, n_num) float32`.
        cardinalities: Number of codes of each column of `x_cat (n_rows, d_cat) int64`; the
            codes are 0 .. cardinality - 1.
        n_bin: Columns of `x_bin (n_rows, n_bin) float32`: positions among a column's bin edges.
        n_tokens: Size of the vocabulary of `tokens (n_rows, width) int64`; 0 is padding, 1 is
            the unknown token.
        is_spelled: Whether `spelling (n_rows, width) int64` comes with `tokens`: the letters
            of each token packed into one integer, 0 after the text.
        image: Channels, height and width of `image (n_rows, C, H, W) float32`.
    """

    n_num: int = 0
    cardinalities: tuple[int, ...] = ()
    n_bin: int = 0
    n_tokens: int = 0
    is_spelled: bool = False
    image: tuple[int, ...] = ()
