"""Numbers as positions among a column's bin edges: half of a piecewise-linear encoding.

The network computes the other half: position 2.3 becomes the pieces (1, 1, 0.3, 0), one per bin, so
that the linear layer after them is a piecewise-linear function of the column. A position is one
number per column, however many bins there are, and the network needs no bin edges of a fold.

Source: Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep
Learning", NeurIPS 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.encoders.base import BaseEncoder, EncodingError, State, require_columns
from features.encoders.parameters import check_is_fitted

Floats = npt.NDArray[np.float64]


class BinPlaces(BaseEncoder):
    """Gives `x_bin (n_rows, n_columns) float32`, from 0 to `n_bins`.

    The edges are quantiles. Where many rows share a value, quantiles coincide; the bins saved
    that way go to the remaining rows.

    Args:
        columns: Columns of numbers without missing values.
        n_bins: Bins per column, at most.
        logs: Takes `log(1 + number)` first, for numbers with a long tail.
        fill: Puts the median of the rows fitted on in place of a missing number.
    """

    def __init__(
        self, columns: Sequence[str], *, n_bins: int = 6, logs: bool = False, fill: bool = False
    ) -> None:
        self.columns = columns
        self.n_bins = n_bins
        self.logs = logs
        self.fill = fill

    def fit(self, table: pd.DataFrame, target: np.ndarray | None = None) -> Self:  # noqa: ARG002
        """Learn the edges; the target is ignored.

        Raises:
            EncodingError: A column is absent or has a missing number.
        """
        numbers = self._numbers(table)
        if self.fill:
            self.medians_ = _medians(numbers)
        columns = self._filled(numbers).T
        self.edges_ = [bin_edges(column, self.n_bins) for column in columns]
        return self

    def transform(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """The positions of any rows; numbers beyond the edges count as the outermost."""
        check_is_fitted(self)
        columns = zip(self._filled(self._numbers(table)).T, self.edges_, strict=True)
        places = [np.interp(column, edges, np.arange(len(edges))) for column, edges in columns]
        return {"x_bin": np.stack(places, axis=1).astype(np.float32)}

    def fit_transform(
        self, table: pd.DataFrame, target: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Fit and transform the same rows."""
        return self.fit(table, target).transform(table)

    def names(self) -> dict[str, list[str]]:
        """The name of each column of `x_bin`."""
        return {"x_bin": list(self.columns)}

    def state(self) -> State:
        """Everything learned from the rows fitted on."""
        check_is_fitted(self)
        edges = zip((f"edges of {name}" for name in self.columns), self.edges_, strict=True)
        return {**dict(edges), **({"medians": self.medians_} if self.fill else {})}

    def _numbers(self, table: pd.DataFrame) -> Floats:
        require_columns(table, self.columns, self)
        numbers: Floats = table[list(self.columns)].to_numpy(np.float64, na_value=np.nan)
        missing = [self.columns[int(i)] for i in np.flatnonzero(np.isnan(numbers).any(axis=0))]
        if missing and not self.fill:
            raise EncodingError(
                f"BinPlaces needs a number in every row, found gaps in {', '.join(missing)}; "
                "fill them in the competition's features, or set fill=True"
            )
        return np.log1p(numbers) if self.logs else numbers

    def _filled(self, numbers: Floats) -> Floats:
        return np.where(np.isnan(numbers), self.medians_, numbers) if self.fill else numbers


def _medians(numbers: Floats) -> Floats:
    """`(n_columns,)`; 0 for a column without a number."""
    known = [column[~np.isnan(column)] for column in numbers.T]
    return np.array([np.median(column) if column.size else 0.0 for column in known])


def bin_edges(numbers: Floats, n_bins: int) -> Floats:
    """`n_bins + 1` ascending edges, fewer where there are too few distinct numbers.

    Between the smallest and the largest number lie quantiles of the numbers that are no edge yet,
    taken again until there are enough edges.
    """
    edges = np.unique([numbers.min(), numbers.max()])
    rest = numbers[~np.isin(numbers, edges)]
    while len(rest) and (n_wanted := n_bins + 1 - len(edges)) > 0:
        shares = np.linspace(0, 1, n_wanted + 2)[1:-1]
        edges = np.union1d(edges, np.quantile(rest, shares, method="inverted_cdf"))
        rest = rest[~np.isin(rest, edges)]
    return edges
