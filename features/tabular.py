"""Columns of a table to the arrays that networks and trees take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.preprocessing import QuantileTransformer
from sklearn.utils.validation import check_is_fitted

from features.encoders import State, require_columns

Floats = npt.NDArray[np.float64]
Scaling = Literal["standard", "quantile", "none"]
MOST_QUANTILES = 1000


class TabularEncoder(BaseEstimator):  # type: ignore[misc]
    """Numbers made whole and scaled, categories as codes or as columns of 0 and 1.

    Gives `x_num (n_rows, d_num) float32` and, with categories as codes, `x_cat (n_rows, d_cat)
    int64`, in which 0 is a category that is missing or was not seen in fitting. As columns of 0
    and 1 such a category is all zeros.

    For trees take `scaling="none"`: numbers stay as they are, missing ones as NaN.

    Args:
        numeric: columns of numbers or booleans.
        categorical: columns of categories.
        categories: `codes` in `x_cat`, or `one_hot` behind the numbers in `x_num`.
        scaling: `standard` is mean 0 and deviation 1, `quantile` the normal quantiles of the
            ranks; both put the median in place of missing numbers. `none` leaves all as it is.
        missing_indicators: adds a column of 0 and 1 for each number with gaps in fitting.
        min_count: rows that a category needs; rarer ones count as not seen.
    """

    def __init__(
        self,
        numeric: Sequence[str] = (),
        categorical: Sequence[str] = (),
        *,
        categories: Literal["codes", "one_hot"] = "codes",
        scaling: Scaling = "standard",
        missing_indicators: bool = False,
        min_count: int = 1,
    ) -> None:
        self.numeric = numeric
        self.categorical = categorical
        self.categories = categories
        self.scaling = scaling
        self.missing_indicators = missing_indicators
        self.min_count = min_count

    def fit(self, table: pd.DataFrame, target: np.ndarray | None = None) -> Self:  # noqa: ARG002
        """Learn medians, scales and categories from these rows; the target is not looked at.

        Raises:
            EncodingError: a column is absent.
        """
        require_columns(table, (*self.numeric, *self.categorical), self)
        numbers = self._numbers(table)
        gaps = np.isnan(numbers)
        self.with_gaps_ = np.flatnonzero(gaps.any(axis=0) & self.missing_indicators)
        self.medians_ = _medians(numbers)
        self.scaler_ = _scaler(self.scaling, np.where(gaps, self.medians_, numbers))
        self.categories_ = [self._frequent(table[name]) for name in self.categorical]
        return self

    def transform(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """The arrays of any rows, by keyword of the network's `forward`."""
        check_is_fitted(self)
        require_columns(table, (*self.numeric, *self.categorical), self)
        numbers = self._numbers(table)
        parts = [self._scaled(numbers), np.isnan(numbers)[:, self.with_gaps_]]
        codes = self._codes(table)
        if self.categories == "one_hot":
            parts += [codes[:, [i]] == 1 + np.arange(n) for i, n in enumerate(self._n_known())]
        encoded: dict[str, np.ndarray] = {"x_num": np.concatenate(parts, axis=1).astype(np.float32)}
        if self.categorical and self.categories == "codes":
            encoded["x_cat"] = codes
        return encoded

    def fit_transform(
        self, table: pd.DataFrame, target: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Fit and transform the same rows; nothing here looks at the target."""
        return self.fit(table, target).transform(table)

    def names(self) -> dict[str, list[str]]:
        """The name of each column of each array that `transform` gives."""
        check_is_fitted(self)
        x_num = [*self.numeric, *(f"{self.numeric[i]} missing" for i in self.with_gaps_.tolist())]
        if self.categories == "codes":
            coded = {"x_cat": list(self.categorical)} if self.categorical else {}
            return {"x_num": x_num, **coded}
        for name, known in zip(self.categorical, self.categories_, strict=True):
            x_num += [f"{name}={value}" for value in known]
        return {"x_num": x_num}

    def cardinalities(self) -> tuple[int, ...]:
        """The number of codes of each column of `x_cat`, the 0 for unknown with them."""
        check_is_fitted(self)
        return tuple(n + 1 for n in self._n_known()) if self.categories == "codes" else ()

    def state(self) -> State:
        """All that was learned from the rows fitted on."""
        check_is_fitted(self)
        return {
            "medians": self.medians_,
            "with_gaps": self.with_gaps_,
            "scale": _scale_state(self.scaler_),
            "categories": [known.tolist() for known in self.categories_],
        }

    def _numbers(self, table: pd.DataFrame) -> Floats:
        """`(n_rows, n_numeric)`, missing ones as NaN."""
        columns = [table[name].to_numpy(np.float64, na_value=np.nan) for name in self.numeric]
        return np.stack(columns, axis=1) if columns else np.empty((len(table), 0))

    def _scaled(self, numbers: Floats) -> Floats:
        if self.scaler_ is None:
            return numbers
        scaled: Floats = self.scaler_.transform(np.where(np.isnan(numbers), self.medians_, numbers))
        return scaled

    def _frequent(self, values: pd.Series) -> pd.Index:
        counts = values.value_counts()
        return counts[counts >= self.min_count].index.sort_values()

    def _codes(self, table: pd.DataFrame) -> npt.NDArray[np.int64]:
        """`(n_rows, n_categorical)`; a value that is not known has position -1, so code 0."""
        columns = [
            known.get_indexer(pd.Index(table[name])) + 1
            for name, known in zip(self.categorical, self.categories_, strict=True)
        ]
        codes = np.stack(columns, axis=1) if columns else np.empty((len(table), 0))
        return codes.astype(np.int64)

    def _n_known(self) -> list[int]:
        return [len(known) for known in self.categories_]


class _Standard:
    """Mean 0 and deviation 1; a column of one value only becomes 0."""

    def __init__(self, numbers: Floats) -> None:
        self.mean = numbers.mean(axis=0)
        # Not where the deviation is 0: rounding gives a constant column one of 1e-17.
        varies = np.ptp(numbers, axis=0) > 0
        self.deviation = np.where(varies, numbers.std(axis=0), 1.0)

    def transform(self, numbers: Floats) -> Floats:
        scaled: Floats = (numbers - self.mean) / self.deviation
        return scaled


def _medians(numbers: Floats) -> Floats:
    """`(n_numeric,)`; 0 for a column without any number."""
    known = [column[~np.isnan(column)] for column in numbers.T]
    return np.array([np.median(column) if column.size else 0.0 for column in known])


def _scaler(scaling: Scaling, numbers: Floats) -> _Standard | QuantileTransformer | None:
    if scaling == "none" or not numbers.size:
        return None
    if scaling == "standard":
        return _Standard(numbers)
    n_quantiles = min(MOST_QUANTILES, len(numbers))
    to_normal = QuantileTransformer(
        n_quantiles=n_quantiles, output_distribution="normal", random_state=0
    )
    return to_normal.fit(numbers)


def _scale_state(scaler: _Standard | QuantileTransformer | None) -> np.ndarray:
    if scaler is None:
        return np.empty(0)
    if isinstance(scaler, _Standard):
        return np.stack([scaler.mean, scaler.deviation])
    quantiles: np.ndarray = scaler.quantiles_
    return quantiles
