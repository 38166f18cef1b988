"""Distances to the nearest rows of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import cpu_count
from threadpoolctl import threadpool_limits

from features.encoders.base import BaseEncoder, EncodingError, State
from features.encoders.parameters import check_is_fitted

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
BLOCK = 256  # rows per core and step, with their distances to all rows fitted on


class ClassNeighbours(BaseEncoder):
    """Mean distance to the nearest `n` rows of each class, for several `n`.

    Gives `x_num (n_rows, n_classes * len(nearest)) float32`, standardised over the training rows.
    A training row is not a neighbour of itself, so that its distances are like those of unseen
    rows.

    Source: Titericz and Semenov, winners of the Otto challenge, Kaggle, 2015: distances to each
    class's neighbours as inputs of other models.

    Args:
        space: The encoder whose `x_num` the distances are measured in.
        nearest: For each `n` in it, the mean over the nearest `n`.
    """

    def __init__(self, space: Any, *, nearest: Sequence[int] = (1, 4, 16)) -> None:
        self.space = space
        self.nearest = nearest

    def fit(self, table: pd.DataFrame, target: np.ndarray) -> Self:
        """Keep these rows as the neighbours of others."""
        self.fit_transform(table, target)
        return self

    def fit_transform(self, table: pd.DataFrame, target: np.ndarray) -> dict[str, np.ndarray]:
        """Keep these rows, and return their distances to each other.

        Raises:
            EncodingError: A class has too few rows.
        """
        self._check_enough(target)
        points, order = self._keep_points(table, target)
        distances = self._distances(points, own=np.argsort(order, kind="stable"))
        self.mean_, self.deviation_ = distances.mean(axis=0), distances.std(axis=0) + 1e-6
        return {"x_num": (distances - self.mean_) / self.deviation_}

    def transform(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """The distances of rows that were not fitted on."""
        check_is_fitted(self)
        distances = self._distances(self.space_.transform(table)["x_num"], own=None)
        return {"x_num": (distances - self.mean_) / self.deviation_}

    def expensive_state(self) -> dict[str, np.ndarray]:
        """Mean and deviation of the distances; everything else is fast to learn."""
        return {"mean": self.mean_, "deviation": self.deviation_}

    def refit(
        self, table: pd.DataFrame, target: np.ndarray, expensive: Mapping[str, np.ndarray]
    ) -> Self:
        """Keep the same rows as before, without computing their distances to each other."""
        self._keep_points(table, target)
        self.mean_, self.deviation_ = expensive["mean"], expensive["deviation"]
        return self

    def names(self) -> dict[str, list[str]]:
        """The name of each column of `x_num`."""
        check_is_fitted(self)
        classes = range(len(self.ends_) - 1)
        return {"x_num": [f"nearest {n} of class {c}" for c in classes for n in self.nearest]}

    def state(self) -> State:
        """Everything learned from the rows fitted on."""
        check_is_fitted(self)
        return {
            "points": self.points_,
            "ends": self.ends_,
            "mean": self.mean_,
            "deviation": self.deviation_,
            **{f"space.{name}": value for name, value in self.space_.state().items()},
        }

    def _keep_points(self, table: pd.DataFrame, target: np.ndarray) -> tuple[Floats, Rows]:
        """The rows' points, and the order in which they are stored, class by class."""
        from sklearn.base import clone

        self.space_ = clone(self.space)
        points = self.space_.fit_transform(table, target)["x_num"]
        order = np.argsort(target, kind="stable")
        self.points_ = np.ascontiguousarray(points[order], dtype=np.float32)
        self.ends_ = np.cumsum([0, *np.bincount(target)])
        return points, order

    def _check_enough(self, target: np.ndarray) -> None:
        n_rows = np.bincount(target)
        few = np.flatnonzero(n_rows <= max(self.nearest))
        if few.size:
            raise EncodingError(
                f"ClassNeighbours takes the nearest {max(self.nearest)} rows of each class, found "
                f"{n_rows[few[0]]} training rows of class {few[0]}, expected more than "
                f"{max(self.nearest)}; use fewer neighbours or fewer folds"
            )

    def _distances(self, points: Floats, own: Rows | None) -> Floats:
        """`(n_rows, n_columns)`; `own` is each row's position among the stored points."""

        def of_block(rows: slice) -> Floats:
            block = np.ascontiguousarray(points[rows], dtype=np.float32)
            return self._nearest_of_each(block, None if own is None else own[rows])

        blocks = [slice(start, start + BLOCK) for start in range(0, len(points), BLOCK)]
        # One block per core: sorting, half of the work, uses a single core.
        workers = ThreadPoolExecutor(int(cpu_count()), thread_name_prefix="neighbours")
        with threadpool_limits(1, "blas"), workers as pool:
            return np.concatenate(list(pool.map(of_block, blocks)))

    def _nearest_of_each(self, points: Floats, own: Rows | None) -> Floats:
        """The columns of one block: `(n_block, n_dims)` -> `(n_block, n_classes * n_nearest)`."""
        lengths = (points**2).sum(axis=1, keepdims=True)
        columns = []
        for start, end in zip(self.ends_, self.ends_[1:], strict=False):
            squares = _relative_squares(points, self.points_[start:end])
            if own is not None:
                rows = np.flatnonzero((own >= start) & (own < end))
                squares[rows, own[rows] - start] = np.inf
            columns.append(_means_of_nearest(squares, lengths, self.nearest))
        return np.concatenate(columns, axis=1)


def _relative_squares(points: Floats, others: Floats) -> Floats:
    """Squared distances minus each point's squared length: `(n, d)`, `(m, d)` -> `(n, m)`.

    It is a single matrix product: one more inner dimension holds the squared lengths of the others.
    """
    left = np.hstack([points, np.ones((len(points), 1), np.float32)])
    right = np.hstack([-2 * others, (others**2).sum(axis=1, keepdims=True)])
    squares: Floats = left @ right.T
    return squares


def _means_of_nearest(squares: Floats, lengths: Floats, nearest: Sequence[int]) -> Floats:
    """Mean of the smallest `n` distances of each row: `(n_rows, m)` -> `(n_rows, n_nearest)`."""
    most = max(nearest)
    smallest = np.sort(np.partition(squares, most - 1, axis=1)[:, :most], axis=1)
    distances = np.sqrt(np.clip(smallest + lengths, 0, None))
    return np.stack([distances[:, :n].mean(axis=1) for n in nearest], axis=1)
