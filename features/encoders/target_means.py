"""Statistics of the target over the levels of columns and their crosses, for any task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.encoders.base import EncodingError, State, require_columns, with_columns
from features.encoders.parameters import Parameters, check_is_fitted

Floats = npt.NDArray[np.float64]
Statistic = Literal["mean", "count", "median", "low", "high"]
Key = str | tuple[str, ...]
QUANTILES = {"median": 0.5, "low": 0.1, "high": 0.9}


class TargetMeans(Parameters):
    """Adds statistics of the target over the rows that share a level, or a cross of levels.

    The columns are `<key>_<statistic>`, or `<key>_<statistic>_<k>` for the k-th class or target;
    the key of a cross is its columns joined by `+`. A class counts as the share of its rows. Means
    and quantiles are shrunk towards those of all rows by `smoothing` rows. `fit_transform` takes
    each training row's statistics from the other rows of an inner cross-validation, so that its
    own target does not leak into it; `transform` uses all training rows.

    Args:
        keys: Columns, or tuples of columns that are crossed.
        statistics: `mean`, `count` (the logarithm of the rows), `median`, and the quantiles `low`
            (10 %) and `high` (90 %).
        smoothing: Weight of the statistic of all rows, in rows.
        n_folds: Inner folds.
        seed: Of the inner folds.

    Source: Micci-Barreca, "A Preprocessing Scheme for High-Cardinality Categorical Attributes",
    SIGKDD Explorations 3(1), 2001; inner folds as in scikit-learn's TargetEncoder, which has no
    crosses, counts or quantiles.
    """

    def __init__(
        self,
        keys: Sequence[Key],
        *,
        statistics: Sequence[Statistic] = ("mean",),
        smoothing: float = 10.0,
        n_folds: int = 5,
        seed: int = 0,
    ) -> None:
        self.keys = keys
        self.statistics = statistics
        self.smoothing = smoothing
        self.n_folds = n_folds
        self.seed = seed

    def fit(self, table: pd.DataFrame, target: np.ndarray) -> Self:
        """Compute the statistics of every key on these rows.

        Raises:
            EncodingError: A column is absent, or the numbers of rows differ.
        """
        self._check(table, target)
        self.is_class_ = np.issubdtype(target.dtype, np.integer)
        self.n_classes_ = int(target.max()) + 1 if self.is_class_ else 0
        self.learned_ = self._learn(table, self._columns(target))
        return self

    def transform(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with the statistics, for rows that were not fitted on."""
        check_is_fitted(self)
        return with_columns(table, self._look_up(table, self.learned_))

    def fit_transform(self, table: pd.DataFrame, target: np.ndarray) -> pd.DataFrame:
        """The table with the statistics, each row's own target left out."""
        self.fit(table, target)
        columns = self._columns(target)
        if len(table) < 2:
            return self.transform(table)
        from sklearn.model_selection import KFold

        n_folds = min(self.n_folds, len(table))
        inner = KFold(n_folds, shuffle=True, random_state=self.seed)
        added: dict[str, Floats] = {}
        for others, rows in inner.split(table):
            learned = self._learn(table.iloc[others], columns[others])
            for name, values in self._look_up(table.iloc[rows], learned).items():
                added.setdefault(name, np.empty(len(table)))[rows] = values
        return with_columns(table, added)

    def state(self) -> State:
        """By column, the levels and their statistics."""
        check_is_fitted(self)
        return {
            name: [*values.index.tolist(), *values.tolist(), other]
            for (name, (values, other)) in self.learned_.items()
        }

    def _columns(self, target: np.ndarray) -> Floats:
        """The target as columns of numbers, `(n_rows, n_columns)`: of classes their indicators."""
        if not self.is_class_:
            return target.reshape(len(target), -1).astype(np.float64)
        indicators: Floats = np.eye(self.n_classes_)[target]
        return indicators[:, 1:] if self.n_classes_ == 2 else indicators

    def _learn(self, table: pd.DataFrame, columns: Floats) -> dict[str, tuple[pd.Series, float]]:
        """By added column, each level's statistic, and that of an unknown level."""
        learned: dict[str, tuple[pd.Series, float]] = {}
        for key in self.keys:
            levels = _levels(table, key)
            sizes = levels.groupby(levels).size()
            for name, statistic, column in self._names(key, columns.shape[1]):
                if statistic == "count":
                    learned[name] = sizes.map(np.log1p), 0.0
                    continue
                of_all = _statistic(pd.Series(columns[:, column]), statistic)
                grouped = pd.Series(columns[:, column]).groupby(levels.to_numpy())
                found = _statistic(grouped, statistic)
                share = sizes / (sizes + self.smoothing)
                learned[name] = share * found + (1 - share) * of_all, float(of_all)
        return learned

    def _look_up(
        self, table: pd.DataFrame, learned: dict[str, tuple[pd.Series, float]]
    ) -> dict[str, Floats]:
        levels = {_called(key): _levels(table, key) for key in self.keys}
        found = {}
        for key in self.keys:
            for name, (values, other) in learned.items():
                if name.startswith(f"{_called(key)}_") and name not in found:
                    of_rows = levels[_called(key)].map(values)
                    found[name] = of_rows.fillna(other).to_numpy(np.float64)
        return found

    def _names(self, key: Key, n_columns: int) -> list[tuple[str, Statistic, int]]:
        """Each added column of a key: its name, statistic, and column of the target."""
        named: list[tuple[str, Statistic, int]] = []
        for statistic in self.statistics:
            if statistic == "count" or n_columns == 1:
                named.append((f"{_called(key)}_{statistic}", statistic, 0))
            else:
                for column in range(n_columns):
                    named.append((f"{_called(key)}_{statistic}_{column}", statistic, column))
        return named

    def _check(self, table: pd.DataFrame, target: np.ndarray) -> None:
        names = [name for key in self.keys for name in _parts(key)]
        require_columns(table, names, self)
        if len(target) != len(table):
            raise EncodingError(
                f"TargetMeans: found {len(target)} targets, expected one for each of {len(table)} "
                "rows; give table and target of the same rows"
            )


def _parts(key: Key) -> tuple[str, ...]:
    return (key,) if isinstance(key, str) else tuple(key)


def _called(key: Key) -> str:
    return "+".join(_parts(key))


def _levels(table: pd.DataFrame, key: Key) -> pd.Series:
    """Each row's level as a text; a missing value is a level too."""
    parts = [table[name].astype("str").fillna("") for name in _parts(key)]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined + "\x1f" + part
    return joined


def _statistic(values: Any, statistic: Statistic) -> Any:
    """Of a Series a number, of its groups a Series."""
    return values.mean() if statistic == "mean" else values.quantile(QUANTILES[statistic])
