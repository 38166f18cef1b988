"""Tables of counts as inputs of models: logs, row statistics, unit vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.encoders.base import BaseEncoder, EncodingError, State, require_columns
from features.encoders.parameters import check_is_fitted

Floats = npt.NDArray[np.float32]
STATISTICS = ("log sum", "share of zeros", "log largest", "share of ones", "spread of logs")


class LogCounts(BaseEncoder):
    """`log(1 + count)` and statistics of each row's counts, standardised.

    Gives `x_num (n_rows, n_columns + 5) float32`.

    Args:
        columns: The counts.
        statistics: Adds the five numbers of `row_statistics` after the logs.
    """

    def __init__(self, columns: Sequence[str], *, statistics: bool = True) -> None:
        self.columns = columns
        self.statistics = statistics

    def fit(self, table: pd.DataFrame, target: np.ndarray | None = None) -> Self:  # noqa: ARG002
        """Learn means and standard deviations; the target is ignored.

        Raises:
            EncodingError: A column is absent or holds a negative or missing count.
        """
        numbers = self._numbers(table).astype(np.float64)
        self.mean_ = numbers.mean(axis=0)
        varies = np.ptp(numbers, axis=0) > 0
        self.deviation_ = np.where(varies, numbers.std(axis=0), 1.0)
        return self

    def transform(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """The scaled logs of any rows."""
        check_is_fitted(self)
        scaled = (self._numbers(table) - self.mean_) / self.deviation_
        return {"x_num": scaled.astype(np.float32)}

    def fit_transform(
        self, table: pd.DataFrame, target: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Fit and transform the same rows."""
        return self.fit(table, target).transform(table)

    def names(self) -> dict[str, list[str]]:
        """The name of each column of `x_num`."""
        return {"x_num": [*self.columns, *(STATISTICS if self.statistics else ())]}

    def state(self) -> State:
        """Everything learned from the rows fitted on."""
        check_is_fitted(self)
        return {"mean": self.mean_, "deviation": self.deviation_}

    def _numbers(self, table: pd.DataFrame) -> Floats:
        counts = read_counts(table, self.columns, self)
        logs: Floats = np.log1p(counts)
        return np.hstack([logs, row_statistics(counts)]) if self.statistics else logs


class CountVectors(BaseEncoder):
    """Counts as points with meaningful distances: `x_num (n_rows, n_columns) float32`.

    Unit length removes a row's total, so that rows of similar proportions are near each other: with
    roots that is the Hellinger distance, with weighted logs the cosine distance of tf-idf. A row
    of zeros stays zero.

    Source: Manning, Raghavan and Schütze, "Introduction to Information Retrieval", 2008, ch. 6.

    Args:
        columns: The counts.
        damping: `log` is `log(1 + count)`, `root` the square root.
        weighted: Gives rare columns more weight, as inverse document frequency does.
        unit_length: Scales each row to length one.
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        damping: Literal["log", "root"] = "log",
        weighted: bool = False,
        unit_length: bool = True,
    ) -> None:
        self.columns = columns
        self.damping = damping
        self.weighted = weighted
        self.unit_length = unit_length

    def fit(self, table: pd.DataFrame, target: np.ndarray | None = None) -> Self:  # noqa: ARG002
        """Learn in how many rows each count is positive; the target is ignored.

        Raises:
            EncodingError: A column is absent or holds a negative or missing count.
        """
        n_rows_with = (read_counts(table, self.columns, self) > 0).sum(axis=0)
        rarity = np.log((1 + len(table)) / (1 + n_rows_with))
        self.weight_ = (rarity if self.weighted else np.ones_like(rarity)).astype(np.float32)
        return self

    def transform(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """The points of any rows."""
        check_is_fitted(self)
        counts = read_counts(table, self.columns, self)
        points = (np.log1p(counts) if self.damping == "log" else np.sqrt(counts)) * self.weight_
        if not self.unit_length:
            return {"x_num": points}
        length = np.linalg.norm(points, axis=1, keepdims=True)
        return {"x_num": points / np.where(length > 0, length, 1)}

    def fit_transform(
        self, table: pd.DataFrame, target: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Fit and transform the same rows."""
        return self.fit(table, target).transform(table)

    def names(self) -> dict[str, list[str]]:
        """The name of each column of `x_num`."""
        return {"x_num": [f"{name} {self.damping}" for name in self.columns]}

    def state(self) -> State:
        """Everything learned from the rows fitted on."""
        check_is_fitted(self)
        return {"weight": self.weight_}


def read_counts(table: pd.DataFrame, columns: Sequence[str], encoder: object) -> Floats:
    """The counts `(n_rows, n_columns)`.

    Raises:
        EncodingError: A column is absent or holds a negative or missing count; all are named.
    """
    require_columns(table, columns, encoder)
    counts = table[list(columns)].to_numpy(np.float32, na_value=np.nan)
    wrong = ~(counts >= 0)
    if wrong.any():
        named = [columns[int(i)] for i in np.flatnonzero(wrong.any(axis=0))]
        raise EncodingError(
            f"{type(encoder).__name__} reads counts, found a negative or missing one in "
            f"{', '.join(named)} (first: row {int(wrong.any(axis=1).argmax()) + 1}), expected 0 "
            "or more; use TabularEncoder for such columns"
        )
    return counts


def row_statistics(counts: Floats) -> Floats:
    """The numbers that `STATISTICS` names, of each row: `(n_rows, n_columns)` -> `(n_rows, 5)`."""
    return np.stack(
        [
            np.log1p(counts.sum(axis=1)),
            (counts == 0).mean(axis=1),
            np.log1p(counts.max(axis=1)),
            (counts == 1).mean(axis=1),
            np.log1p(counts).std(axis=1),
        ],
        axis=1,
    )
