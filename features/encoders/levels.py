"""Steps that change or count the levels of columns: frequencies, rare levels, an order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd

from features.encoders.base import State, require_columns, with_columns
from features.encoders.parameters import Parameters, check_is_fitted
from features.encoders.target_means import TargetMeans

RARE = "rare"


class Frequencies(Parameters):
    """Adds `<column>_share`, the share of the training rows that have the row's level.

    Args:
        columns: Whose levels are counted; an unseen level has the share 0.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = columns

    def fit(self, table: pd.DataFrame, target: np.ndarray | None = None) -> Self:  # noqa: ARG002
        """Count the levels of these rows."""
        require_columns(table, self.columns, self)
        self.shares_ = {c: table[c].value_counts(normalize=True) for c in self.columns}
        return self

    def transform(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with the shares."""
        check_is_fitted(self)
        added = {
            f"{name}_share": table[name].map(shares).astype("float64").fillna(0.0)
            for name, shares in self.shares_.items()
        }
        return with_columns(table, added)

    def fit_transform(self, table: pd.DataFrame, target: np.ndarray | None = None) -> pd.DataFrame:
        """Fit and transform the same rows."""
        return self.fit(table, target).transform(table)

    def state(self) -> State:
        """By column, its levels and their shares."""
        return {c: [*s.index.tolist(), *s.tolist()] for c, s in self.shares_.items()}


class RareLevels(Parameters):
    """Replaces levels with few training rows, and unseen ones, by the level `rare`.

    Args:
        columns: Columns of texts.
        min_count: Training rows that a level needs to stay.
    """

    def __init__(self, columns: Sequence[str], *, min_count: int = 10) -> None:
        self.columns = columns
        self.min_count = min_count

    def fit(self, table: pd.DataFrame, target: np.ndarray | None = None) -> Self:  # noqa: ARG002
        """Find the levels that stay."""
        require_columns(table, self.columns, self)
        counts = {name: table[name].value_counts() for name in self.columns}
        self.kept_ = {name: n[n >= self.min_count].index for name, n in counts.items()}
        return self

    def transform(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with rare levels replaced; missing values stay missing."""
        check_is_fitted(self)
        changed = {
            name: table[name].where(table[name].isin(kept) | table[name].isna(), RARE)
            for name, kept in self.kept_.items()
        }
        return with_columns(table, changed)

    def fit_transform(self, table: pd.DataFrame, target: np.ndarray | None = None) -> pd.DataFrame:
        """Fit and transform the same rows."""
        return self.fit(table, target).transform(table)

    def state(self) -> State:
        """By column, the levels that stay."""
        return {name: kept.tolist() for name, kept in self.kept_.items()}


class OrderedLevels(Parameters):
    """Adds `<column>_order`, the rank of the row's level by its mean target.

    The order is learned from all training rows, so it tells less of a row's own target than a mean
    does; it suits trees. An unseen level has the middle rank.

    Args:
        columns: Whose levels are ordered.
        smoothing: Weight of the mean of all rows in a level's, in rows.
    """

    def __init__(self, columns: Sequence[str], *, smoothing: float = 10.0) -> None:
        self.columns = columns
        self.smoothing = smoothing

    def fit(self, table: pd.DataFrame, target: np.ndarray) -> Self:
        """Order the levels by the smoothed mean of the target; of classes that of the position."""
        require_columns(table, self.columns, self)
        values = np.asarray(target, dtype=np.float64).reshape(len(target), -1).mean(axis=1)
        means = TargetMeans(self.columns, smoothing=self.smoothing).fit(table, values)
        self.ranks_ = {c: means.learned_[f"{c}_mean"][0].rank() for c in self.columns}
        return self

    def transform(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with the ranks."""
        check_is_fitted(self)
        added = {}
        for name, ranks in self.ranks_.items():
            found = table[name].astype("str").fillna("").map(ranks).astype("float64")
            added[f"{name}_order"] = found.fillna((1 + len(ranks)) / 2)
        return with_columns(table, added)

    def fit_transform(self, table: pd.DataFrame, target: np.ndarray) -> pd.DataFrame:
        """Fit and transform the same rows."""
        return self.fit(table, target).transform(table)

    def state(self) -> State:
        """By column, its levels and their ranks."""
        return {c: [*r.index.tolist(), *r.tolist()] for c, r in self.ranks_.items()}
