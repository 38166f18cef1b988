"""Numbers and categories of a table as arrays for networks, trees and estimators."""

from __future__ import annotations

import fnmatch
from collections.abc import Hashable, Mapping, Sequence
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.encoders.base import BaseEncoder, EncodingError, State, require_columns
from features.encoders.parameters import check_is_fitted

Floats = npt.NDArray[np.float64]
Scaling = Literal["standard", "quantile", "none"]
MOST_QUANTILES = 1000
EXACT = 2.0**24  # float32 holds all whole numbers up to it
HUGE = 1e30  # beyond it float32 is near its end


class TabularEncoder(BaseEncoder):
    """Numbers imputed and scaled, categories as codes or one-hot columns.

    Gives `x_num (n_rows, d_num) float32` and, with categories as codes, `x_cat (n_rows, d_cat)
    int64`, where 0 is a category that is missing or unseen in fitting. One-hot, such a category
    is all zeros.

    For trees use `scaling="none"`: numbers stay as they are, missing ones as NaN. Only columns
    that float32 cannot hold exactly, beyond 2**24, start from their smallest value. Infinite
    numbers count as missing.

    Args:
        numeric: Columns of numbers or booleans; a `*` stands for any text, as in `age_*`.
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
        self.numeric_ = expanded(self.numeric, table)
        require_columns(table, (*self.numeric_, *self.categorical), self)
        self._check_levels()
        numbers = self._numbers(table)
        self.medians_ = _medians(numbers)
        self.scaler_ = _scaler(self.scaling, numbers, self.medians_)
        self.categories_ = [self._categories_of(table[name]) for name in self.categorical]
        return self

    def transform(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """The arrays of any rows, by keyword of the network's `forward`."""
        check_is_fitted(self)
        require_columns(table, (*self.numeric_, *self.categorical), self)
        numbers = self._numbers(table)
        parts = [self._scaled(numbers)]
        if self.missing_indicators:
            parts.append(np.isnan(numbers))
        codes = self._codes(table)
        if self.categories == "one_hot":
            parts += [codes[:, [i]] == 1 + np.arange(n) for i, n in enumerate(self._n_known())]
        encoded: dict[str, np.ndarray] = {"x_num": _as_float32(np.concatenate(parts, axis=1))}
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
        x_num = list(self.numeric_)
        if self.missing_indicators:
            x_num += [f"{name} missing" for name in self.numeric_]
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
        columns = [_numbers_of(table[name], self) for name in self.numeric_]
        return np.stack(columns, axis=1) if columns else np.empty((len(table), 0))

    def _scaled(self, numbers: Floats) -> Floats:
        if self.scaler_ is None:
            return numbers
        if self.scaling == "none":
            return self.scaler_.transform(numbers)
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
        with np.errstate(over="ignore", invalid="ignore"):
            self.mean = numbers.mean(axis=0)
            deviation = numbers.std(axis=0)
            spread = np.ptp(numbers, axis=0)
        # By range, since rounding gives a constant column a deviation of 1e-17.
        varies = spread > 0
        # Squares of numbers below 1e-154 are 0, and those of numbers beyond 1e154 infinite.
        for at in np.flatnonzero(varies & ((deviation == 0) | ~np.isfinite(deviation))):
            largest = np.abs(numbers[:, at]).max()
            scaled = numbers[:, at] / largest
            self.mean[at], deviation[at] = scaled.mean() * largest, scaled.std() * largest
        self.deviation = np.where(varies, deviation, 1.0)

    def transform(self, numbers: Floats) -> Floats:
        scaled: Floats = (numbers - self.mean) / self.deviation
        return scaled

    def state(self) -> np.ndarray:
        return np.stack([self.mean, self.deviation])


class _Exact:
    """Numbers as they are, but for columns of which float32 would lose digits or hold infinity."""

    def __init__(self, numbers: Floats) -> None:
        with np.errstate(invalid="ignore"):
            largest = np.nanmax(np.abs(numbers), axis=0, initial=0.0)
            smallest = np.nanmin(numbers, axis=0, initial=np.inf)
        is_large = largest > EXACT
        self.shift = np.where(is_large, smallest, 0.0)
        self.scale = np.where(largest > HUGE, largest, 1.0)

    @property
    def changes_nothing(self) -> bool:
        return not self.shift.any() and bool((self.scale == 1).all())

    def transform(self, numbers: Floats) -> Floats:
        scaled: Floats = numbers / self.scale - self.shift / self.scale
        return scaled

    def state(self) -> np.ndarray:
        return np.stack([self.shift, self.scale])


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
        from scipy.special import ndtri

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


def _scaler(
    scaling: Scaling, numbers: Floats, medians: Floats
) -> _Standard | _Quantile | _Exact | None:
    if not numbers.size:
        return None
    if scaling == "none":
        exact = _Exact(numbers)
        return None if exact.changes_nothing else exact
    filled = _filled(numbers, medians)
    return _Standard(filled) if scaling == "standard" else _Quantile(filled)


def expanded(names: Sequence[str], table: pd.DataFrame) -> list[str]:
    """The names, each with a `*` replaced by the table's columns that it fits."""
    columns, found = list(map(str, table.columns)), list[str]()
    for name in names:
        if not isinstance(name, str) or "*" not in name:
            found.append(name if isinstance(name, Hashable) else str(name))
            continue
        fits = [c for c in columns if fnmatch.fnmatchcase(c, name)]
        found += fits or [name]
    return list(dict.fromkeys(found))


def _numbers_of(values: pd.Series, encoder: object) -> Floats:
    """One column as numbers, `(n_rows,)`; missing and infinite ones as NaN.

    Raises:
        EncodingError: It holds dates or texts.
    """
    if values.dtype.kind in "mM" or not (
        pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)
    ):
        step = "DateParts turns dates into numbers" if values.dtype.kind == "M" else "declare it so"
        raise EncodingError(
            f"{type(encoder).__name__}: column {values.name!r} is of type {values.dtype}, expected "
            f"numbers; {step}"
        )
    numbers: Floats = values.to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isinf(numbers), np.nan, numbers) if np.isinf(numbers).any() else numbers


def _as_float32(numbers: Floats) -> npt.NDArray[np.float32]:
    """The numbers as float32, those beyond its range at its ends."""
    limit = float(np.finfo(np.float32).max)
    if numbers.size and np.nanmax(np.abs(numbers), initial=0.0) > limit:
        numbers = np.clip(numbers, -limit, limit)
    return numbers.astype(np.float32)
