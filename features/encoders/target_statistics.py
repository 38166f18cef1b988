"""Statistics of the target over groups of rows: parties, users, shops."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.encoders.base import EncodingError, State, require_columns
from features.encoders.parameters import Parameters, check_is_fitted

Floats = npt.NDArray[np.float64]
BEFORE_ANY_ROW = np.array([0.5, 1.0])  # sum and count: keeps every rate strictly within 0 and 1


class GroupStatistics(Parameters):
    """Adds a smoothed target rate of each row's group, relative to similar rows.

    Two columns are added: `<name>_lift`, the log-odds of the group's rate minus those of the row's
    cell (0 where no other row of the group is known), and `<name>_count`, the group's other rows
    whose target is known. The group's rate is shrunk towards the cell's, and that towards the rate
    of all rows. `fit_transform` leaves each row's own target out: it returns what `transform`
    would return had the row not been fitted on.

    Args:
        key: Column that identifies the group; a row without a key has none.
        name: Prefix of the added columns; the key if None.
        among: Boolean column; only these rows count, and all others get 0. None: every row.
        cell: Column of the kinds of rows that are compared with each other; None: all rows.
        strength: Weight of the cell's rate in a group's, in rows.
        cell_strength: Weight of the overall rate in a cell's, in rows.

    Source: Micci-Barreca, "A Preprocessing Scheme for High-Cardinality Categorical Attributes",
    SIGKDD Explorations 3(1), 2001; leaving the row out as in the target encoders of CatBoost and
    scikit-learn, with folds of one row.
    """

    def __init__(
        self,
        key: str,
        *,
        name: str | None = None,
        among: str | None = None,
        cell: str | None = None,
        strength: float = 1.0,
        cell_strength: float = 5.0,
    ) -> None:
        self.key = key
        self.name = name
        self.among = among
        self.cell = cell
        self.strength = strength
        self.cell_strength = cell_strength

    def fit(self, table: pd.DataFrame, target: np.ndarray) -> Self:
        """Count rows and ones in every group and cell; `target (n_rows,)` is 0 or 1.

        Raises:
            EncodingError: A column is absent, or the target holds something else.
        """
        own = self._own(table, target)
        self.groups_ = _tally(table[self.key], own)
        self.cells_ = _tally(self._cell(table), own)
        self.total_ = own.sum(axis=0)
        return self

    def transform(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with the two columns, for rows that were not fitted on."""
        check_is_fitted(self)
        return self._append(table, np.zeros((len(table), 2)))

    def fit_transform(self, table: pd.DataFrame, target: np.ndarray) -> pd.DataFrame:
        """The table with the two columns; each row's own target is left out of its statistics."""
        return self.fit(table, target)._append(table, self._own(table, target))

    def state(self) -> State:
        """Groups and cells by name, with their sums and counts `(n, 2)`."""
        check_is_fitted(self)
        return {
            "groups": self.groups_.index.tolist(),
            "group_tally": self.groups_.to_numpy(),
            "cells": self.cells_.index.tolist(),
            "cell_tally": self.cells_.to_numpy(),
            "total": self.total_,
        }

    def _append(self, table: pd.DataFrame, own: Floats) -> pd.DataFrame:
        """Add the columns; `own (n_rows, 2)` is each row's own part of the tallies."""
        group = _look_up(self.groups_, table[self.key], own)
        cell = _look_up(self.cells_, self._cell(table), own)
        overall = self.total_ - own + BEFORE_ANY_ROW
        cell_rate = _shrink(cell, overall[:, 0] / overall[:, 1], self.cell_strength)
        rate = _shrink(group, cell_rate, self.strength)
        counts = self._counts(table)
        name = self.name or self.key
        return table.assign(
            **{
                f"{name}_lift": np.where(counts, _log_odds(rate) - _log_odds(cell_rate), 0.0),
                f"{name}_count": np.where(counts, group[:, 1], 0.0),
            }
        )

    def _own(self, table: pd.DataFrame, target: np.ndarray) -> Floats:
        """Each row's part of a tally: `(n_rows, 2)`, its target and 1, or 0 twice."""
        self._check(table, target)
        return np.column_stack([target, np.ones(len(table))]) * self._counts(table)[:, None]

    def _counts(self, table: pd.DataFrame) -> npt.NDArray[np.bool_]:
        if self.among is None:
            return np.ones(len(table), dtype=bool)
        return table[self.among].to_numpy(dtype=bool)

    def _cell(self, table: pd.DataFrame) -> pd.Series:
        everyone = pd.Series("all", index=table.index)
        return everyone if self.cell is None else table[self.cell]

    def _check(self, table: pd.DataFrame, target: np.ndarray) -> None:
        require_columns(table, filter(None, (self.key, self.among, self.cell)), self)
        if len(target) != len(table):
            raise EncodingError(
                f"statistics of {self.key!r}: found {len(target)} targets, expected one for each "
                f"of {len(table)} rows; give table and target of the same rows"
            )
        wrong = np.flatnonzero(~np.isin(target, (0, 1)))
        if wrong.size:
            raise EncodingError(
                f"statistics of {self.key!r}: the target of row {wrong[0]} is {target[wrong[0]]}, "
                "expected 0 or 1; use GroupStatistics for two classes only"
            )


def _tally(values: pd.Series, own: Floats) -> pd.DataFrame:
    """Sum and count of the rows of each value, sorted by it; missing values are left out."""
    numbers = pd.DataFrame(own, columns=["sum", "count"], index=values.index)
    tally: pd.DataFrame = numbers[own[:, 1] > 0].groupby(values[own[:, 1] > 0]).sum()
    return tally


def _look_up(tally: pd.DataFrame, values: pd.Series, own: Floats) -> Floats:
    """Sum and count of the group's other rows, `(n_rows, 2)`; zeros where none are known."""
    found = tally.index.get_indexer(pd.Index(values))
    with_none = np.vstack([tally.to_numpy(dtype=np.float64), np.zeros(2)])
    # A value that is not in the tally has position -1: the zeros at the end.
    companions: Floats = with_none[found] - np.where(found[:, None] >= 0, own, 0.0)
    return companions


def _shrink(tally: Floats, prior: Floats, strength: float) -> Floats:
    shrunk: Floats = (tally[:, 0] + strength * prior) / (tally[:, 1] + strength)
    return shrunk


def _log_odds(rate: Floats) -> Floats:
    odds: Floats = np.log(rate) - np.log1p(-rate)
    return odds
