"""Numbers and categories of a table as arrays for networks, trees and estimators."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri
from sklearn.utils.validation import check_is_fitted

from features.encoders.base import BaseEncoder, EncodingError, State, require_columns

Floats = npt.NDArray[np.float64]
Scaling = Literal["standard", "quantile", "none"]
MOST_QUANTILES = 1000


class TabularEncoder(BaseEncoder):
    """Numbers imputed and scaled, categories as codes or one-hot columns.

    Gives `x_num (n_rows, d_num) float32` and, with categories as codes, `x_cat (n_rows, d_cat)
    int64`, where 0 is a category that is missing or unseen in fitting. One-hot, such a category
    is all zeros.

    For trees use `scaling="none"`: numbers stay as they are, missing ones as NaN.

    Args:
        numeric: Columns of numbers or booleans.
        categorical: Columns of categories.
        categories: `codes` in `x_cat`, or `one_hot` after the numbers in `x_num`.
        scaling: `standard` is mean 0 and deviation 1, `quantile` the normal quantiles of the
            ranks; both replace missing numbers by the median. `none` leaves them as they are.
        missing_indicators: Adds a column of 0 and 1 for each number: is it missing?
        min_count: Rows that a category needs; rarer ones count as unseen.
        levels: By column, its categories, given instead of learned. `one_hot` needs them, or
            folds would differ in their columns.
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
        levels: Mapping[str, Sequence[Hashable]] | None = None,
    ) -> None:
        self.numeric = numeric
        self.categorical = categorical
        self.categories = categories
        self.scaling = scaling
        self.missing_indicators = missing_indicators
        self.min_count = min_count
        self.levels = levels

    def fit(self, table: pd.DataFrame, target: np.ndarray | None = None) -> Self:  # noqa: ARG002
        """Learn medians, scales and categories from these rows; the target is ignored.

        Raises:
            EncodingError: A column is absent, or `one_hot` lacks the levels of one.
        """
        require_columns(table, (*self.numeric, *self.categorical), self)
        self._check_levels()
        numbers = self._numbers(table)
        self.medians_ = _medians(numbers)
        self.scaler_ = _scaler(self.scaling, _filled(numbers, self.medians_))
        self.categories_ = [self._categories_of(table[name]) for name in self.categorical]
        return self

    def transform(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """The arrays of any rows, by keyword of the network's `forward`."""
        check_is_fitted(self)
        require_columns(table, (*self.numeric, *self.categorical), self)
        numbers = self._numbers(table)
        parts = [self._scaled(numbers)]
        if self.missing_indicators:
            parts.append(np.isnan(numbers))
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
        """Fit and transform the same rows; the target is ignored."""
        return self.fit(table, target).transform(table)

    def names(self) -> dict[str, list[str]]:
        """The name of each column of each array that `transform` gives."""
        check_is_fitted(self)
        x_num = list(self.numeric)
        if self.missing_indicators:
            x_num += [f"{name} missing" for name in self.numeric]
        if self.categories == "codes":
            coded = {"x_cat": list(self.categorical)} if self.categorical else {}
            return {"x_num": x_num, **coded}
        for name, known in self._known():
            x_num += [f"{name}={value}" for value in known]
        return {"x_num": x_num}

    def cardinalities(self) -> tuple[int, ...]:
        """The number of codes of each column of `x_cat`, including 0 for unknown."""
        check_is_fitted(self)
        return tuple(n + 1 for n in self._n_known()) if self.categories == "codes" else ()

    def state(self) -> State:
        """Everything learned from the rows fitted on."""
        check_is_fitted(self)
        return {
            "medians": self.medians_,
            "scale": np.empty(0) if self.scaler_ is None else self.scaler_.state(),
            **{f"categories of {name}": known.tolist() for name, known in self._known()},
        }

    def _numbers(self, table: pd.DataFrame) -> Floats:
        """`(n_rows, n_numeric)`, missing ones as NaN."""
        columns = [table[name].to_numpy(np.float64, na_value=np.nan) for name in self.numeric]
        return np.stack(columns, axis=1) if columns else np.empty((len(table), 0))

    def _scaled(self, numbers: Floats) -> Floats:
        if self.scaler_ is None:
            return numbers
        return self.scaler_.transform(_filled(numbers, self.medians_))

    def _check_levels(self) -> None:
        unlisted = [name for name in self.categorical if name not in (self.levels or {})]
        if self.categories == "one_hot" and unlisted:
            raise EncodingError(
                f"one_hot needs the levels of {', '.join(unlisted)}, found none: a category that a "
                "fold's training rows lack would be a column less; add levels, or use codes"
            )

    def _categories_of(self, values: pd.Series) -> pd.Index:
        if self.levels is not None and values.name in self.levels:
            return pd.Index(self.levels[str(values.name)])
        counts = values.value_counts()
        return counts[counts >= self.min_count].index.sort_values()

    def _codes(self, table: pd.DataFrame) -> npt.NDArray[np.int64]:
        """`(n_rows, n_categorical)`; an unknown value has position -1, so code 0."""
        columns = [known.get_indexer(pd.Index(table[name])) + 1 for name, known in self._known()]
        codes = np.stack(columns, axis=1) if columns else np.empty((len(table), 0))
        return codes.astype(np.int64)

    def _known(self) -> list[tuple[str, pd.Index]]:
        return list(zip(self.categorical, self.categories_, strict=True))

    def _n_known(self) -> list[int]:
        return [len(known) for known in self.categories_]


class _Standard:
    """Mean 0 and deviation 1; a constant column becomes 0."""

    def __init__(self, numbers: Floats) -> None:
        self.mean = numbers.mean(axis=0)
        # By range, since rounding gives a constant column a deviation of 1e-17.
        varies = np.ptp(numbers, axis=0) > 0
        self.deviation = np.where(varies, numbers.std(axis=0), 1.0)

    def transform(self, numbers: Floats) -> Floats:
        scaled: Floats = (numbers - self.mean) / self.deviation
        return scaled

    def state(self) -> np.ndarray:
        return np.stack([self.mean, self.deviation])


class _Quantile:
    """Normal quantiles of the ranks; values beyond the rows seen count as the outermost.

    Source: scikit-learn's QuantileTransformer for the interpolation from both sides. Its outermost
    rows lie at 5.2 deviations, ours where those of as many normal numbers would.
    """

    def __init__(self, numbers: Floats) -> None:
        self.shares = np.linspace(0, 1, min(MOST_QUANTILES, len(numbers)))
        self.quantiles = np.quantile(numbers, self.shares, axis=0)
        self.outermost = 0.5 / len(numbers)

    def transform(self, numbers: Floats) -> Floats:
        shares = [self._share(*pair) for pair in zip(numbers.T, self.quantiles.T, strict=True)]
        inner = np.clip(np.stack(shares, axis=1), self.outermost, 1 - self.outermost)
        scaled: Floats = ndtri(inner)
        return scaled

    def state(self) -> np.ndarray:
        return self.quantiles

    def _share(self, column: Floats, quantiles: Floats) -> Floats:
        """The share of smaller rows plus half that of equal ones, `(n_rows,)`."""
        above = -np.interp(-column, -quantiles[::-1], -self.shares[::-1])
        share: Floats = (np.interp(column, quantiles, self.shares) + above) / 2
        return share


def _filled(numbers: Floats, medians: Floats) -> Floats:
    return np.where(np.isnan(numbers), medians, numbers)


def _medians(numbers: Floats) -> Floats:
    """`(n_numeric,)`; 0 for a column without a number."""
    known = [column[~np.isnan(column)] for column in numbers.T]
    return np.array([np.median(column) if column.size else 0.0 for column in known])


def _scaler(scaling: Scaling, numbers: Floats) -> _Standard | _Quantile | None:
    if scaling == "none" or not numbers.size:
        return None
    return _Standard(numbers) if scaling == "standard" else _Quantile(numbers)
