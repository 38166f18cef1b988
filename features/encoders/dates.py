"""Dates and times as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd

from features.encoders.base import EncodingError, State, require_columns
from features.encoders.parameters import Parameters, check_is_fitted

DAY_US = 86_400e6
PERIODS = {"month": 12, "weekday": 7, "hour": 24, "dayofyear": 365.25}


def date_parts(dates: pd.Series, *, cyclic: bool = False) -> pd.DataFrame:
    """The parts of each date as numbers; NaN where it is missing.

    Row-wise, so a competition's `features` may call it.

    Args:
        dates: `(n_rows,)` datetimes; its name is the prefix of the columns.
        cyclic: Whether month, weekday, hour and day of the year also come as sine and cosine.

    Returns:
        `(n_rows, n_parts) float64`: `<name>_year`, `_month`, `_day`, `_weekday` (Monday is 0),
        `_week`, `_dayofyear`, `_hour`, `_minute`.

    Raises:
        EncodingError: They are no datetimes.
    """
    if dates.dtype.kind != "M":
        raise EncodingError(
            f"date_parts: column {dates.name!r} is of type {dates.dtype}, expected dates; declare "
            "it as Column(kind='date')"
        )
    parts = {
        "year": dates.dt.year,
        "month": dates.dt.month,
        "day": dates.dt.day,
        "weekday": dates.dt.day_of_week,
        "week": dates.dt.isocalendar().week,
        "dayofyear": dates.dt.day_of_year,
        "hour": dates.dt.hour,
        "minute": dates.dt.minute,
    }
    columns = {name: part.astype("Float64").astype("float64") for name, part in parts.items()}
    if cyclic:
        for name, period in PERIODS.items():
            angle = 2 * np.pi * columns[name] / period
            columns[f"{name}_sin"], columns[f"{name}_cos"] = np.sin(angle), np.cos(angle)
    return pd.DataFrame({f"{dates.name}_{name}": values for name, values in columns.items()})


class DateParts(Parameters):
    """Adds the parts of dates, and `<name>_elapsed`, the days since the first training date.

    Args:
        columns: Columns of dates.
        cyclic: Whether month, weekday, hour and day of the year also come as sine and cosine.
    """

    def __init__(self, columns: Sequence[str], *, cyclic: bool = False) -> None:
        self.columns = columns
        self.cyclic = cyclic

    def fit(self, table: pd.DataFrame, target: np.ndarray | None = None) -> Self:  # noqa: ARG002
        """Find the first date of each column."""
        require_columns(table, self.columns, self)
        days = {name: _days(table[name]) for name in self.columns}
        self.first_ = {name: float(d.min()) if d.notna().any() else 0.0 for name, d in days.items()}
        return self

    def transform(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with the added columns."""
        check_is_fitted(self)
        added = [date_parts(table[name], cyclic=self.cyclic) for name in self.columns]
        elapsed = {f"{n}_elapsed": _days(table[n]) - first for n, first in self.first_.items()}
        return pd.concat([table, *added], axis=1).assign(**elapsed)

    def fit_transform(self, table: pd.DataFrame, target: np.ndarray | None = None) -> pd.DataFrame:
        """Fit and transform the same rows."""
        return self.fit(table, target).transform(table)

    def state(self) -> State:
        """The first date of each column, in days since 1970."""
        return {name: np.array([first]) for name, first in self.first_.items()}


def _days(dates: pd.Series) -> pd.Series:
    """Days since 1970; NaN for a missing date, which as a number would be -9.2e18."""
    moments = dates.astype("datetime64[us]").astype("int64").astype(np.float64)
    return (moments / DAY_US).where(dates.notna())
