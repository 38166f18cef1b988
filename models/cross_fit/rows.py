"""The rows that people pass to `foldwise.fit` and to `predict`, as arrays of numbers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from pandas.api import types

from models.data import TrainingDataError

MOST_NAMES = 5  # that a message lists


@dataclass(frozen=True)
class InputForm:
    """What one input of the network was when it was learned; new rows must have the same form.

    Attributes:
        name: The parameter of `forward`.
        label: What people call it: `X`, or `X['codes']`.
        shape: Of one row.
        is_whole: Whether the network takes whole numbers, as an embedding does.
        columns: The names of a table's columns, in their order; None for an array.
    """

    name: str
    label: str
    shape: tuple[int, ...]
    is_whole: bool
    columns: tuple[Hashable, ...] | None

    @classmethod
    def of(cls, name: str, label: str, given: Any, array: np.ndarray) -> InputForm:
        """The form of what was given, which became this array."""
        columns = tuple(given.columns) if isinstance(given, pd.DataFrame) else None
        return cls(name, label, array.shape[1:], array.dtype.kind == "i", columns)

    def new_rows(self, given: Any) -> np.ndarray:
        """New rows `(n, ...)` in this form; a table's columns are found by their names.

        Raises:
            TrainingDataError: They have another form.
        """
        if isinstance(given, pd.DataFrame) and self.columns is not None:
            given = self._in_order(given)
        array = numbers(given, self.label)
        if array.shape[1:] != self.shape:
            raise TrainingDataError(
                f"{self.label} has rows of shape {array.shape[1:]}, but {self.shape} was learned; "
                f"pass an array {('n', *self.shape)}".replace("'", "")
            )
        if not self.is_whole:
            return array.astype(np.float32)
        if (array != np.floor(array)).any():
            raise TrainingDataError(
                f"{self.label} holds fractions, but whole numbers were learned; pass those"
            )
        return array.astype(np.int64)

    def _in_order(self, table: pd.DataFrame) -> pd.DataFrame:
        columns = list(self.columns or ())
        if missing := [name for name in columns if name not in table.columns]:
            raise TrainingDataError(
                f"{self.label} lacks {_listed(missing)}; pass a table with the columns that were "
                f"learned, {_listed(columns)}"
            )
        _check_names(table, self.label)
        return table[columns]


def by_keyword(x: Any, forward: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Any]:
    """The inputs by parameter of the network's `forward`, as they were given.

    Args:
        x: A table, an array, or several of them by keyword.
        forward: The parameters of `forward` that have no default.
        optional: Those that have one.

    Raises:
        TrainingDataError: Some are missing, or a keyword is unknown.
    """
    if not isinstance(x, Mapping):
        if len(forward) != 1:
            raise TrainingDataError(
                f"the network's forward takes {', '.join(forward) or 'nothing'}: pass X as a "
                "dictionary with an array for each, or write forward(self, x)"
            )
        return {forward[0]: x}
    takes = ", ".join((*forward, *optional))
    if unknown := sorted(set(map(str, x)) - {*forward, *optional}):
        raise TrainingDataError(
            f"X holds {', '.join(unknown)}, but the network's forward takes {takes}"
        )
    if missing := [name for name in forward if name not in x]:
        raise TrainingDataError(
            f"X lacks {', '.join(missing)}, but the network's forward takes {takes}"
        )
    return dict(x)


def label_of(x: Any, name: str) -> str:
    """What people call an input: `X`, or `X['codes']` in a dictionary."""
    return f"X[{name!r}]" if isinstance(x, Mapping) else "X"


def numbers(values: Any, label: str) -> np.ndarray:
    """A table or array as `(n_rows, ...)`: whole numbers as int64, all others as float32.

    A single column without a second dimension may stand in a dictionary only, since it is most
    often codes for an embedding.

    Raises:
        TrainingDataError: It holds something else, or a number is missing.
    """
    if isinstance(values, pd.DataFrame | pd.Series):
        array = _of_pandas(values, label)
    else:
        array = _of_array(values, label)
    if array.ndim < 1 + (label == "X"):
        raise TrainingDataError(
            f"{label} must have rows and columns, found shape {array.shape}; pass X[['a']] for a "
            "column of a table, X.reshape(-1, 1) for an array, X[:1] for a row"
        )
    if 0 in array.shape[1:]:
        raise TrainingDataError(f"{label} has no columns, found shape {array.shape}")
    return array


def _of_pandas(values: pd.DataFrame | pd.Series, label: str) -> np.ndarray:
    table = values.to_frame() if isinstance(values, pd.Series) else values
    _check_names(table, label)
    for name in table.columns:
        _check_column(table[name], label)
    is_whole = all(types.is_integer_dtype(dtype) for dtype in table.dtypes)
    array = table.to_numpy(np.int64 if is_whole else np.float64)
    wrong = np.argwhere(~np.isfinite(_as_float32(array)))
    if wrong.size:
        row, column = wrong[0]
        raise _not_finite(array[row, column], label, int(row), repr(table.columns[column]))
    array = array if is_whole else array.astype(np.float32)
    return array[:, 0] if isinstance(values, pd.Series) else array


def _check_names(table: pd.DataFrame, label: str) -> None:
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise TrainingDataError(f"{label} has two columns {twice[0]!r}; rename one of them")


def _check_column(column: pd.Series, label: str) -> None:
    """Check that a column holds numbers, none of them missing."""
    if not types.is_numeric_dtype(column.dtype) or column.dtype.kind == "c":
        raise TrainingDataError(
            f"{label}: column {column.name!r} holds {column.dtype}, expected numbers; "
            f"{_how_to_encode(column)}"
        )
    if column.hasnans:
        row = int(column.isna().to_numpy().argmax())
        raise _not_finite(np.nan, label, row, repr(column.name))


def _how_to_encode(column: pd.Series) -> str:
    this = f"X[{column.name!r}]"
    if isinstance(column.dtype, pd.CategoricalDtype):
        return (
            f"pass pd.get_dummies(X, dtype=float), a column for each level, or {this}.cat.codes as "
            "an input of its own for an nn.Embedding"
        )
    if types.is_datetime64_any_dtype(column.dtype):
        return f"take numbers out of it first, as {this}.dt.month"
    present = column.dropna()
    if len(present) and present.map(lambda value: isinstance(value, int | float)).all():
        return f"convert it first: {this}.astype(float)"
    return "encode it first, as TabularEncoder or scikit-learn's OneHotEncoder do"


def _of_array(values: Any, label: str) -> np.ndarray:
    if hasattr(values, "toarray"):
        name = type(values).__name__
        raise TrainingDataError(f"{label} is a sparse {name}, expected an array; pass X.toarray()")
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = (values.float() if values.is_floating_point() else values).numpy()
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise TrainingDataError(f"{label} has rows of different lengths, expected equal") from error
    _check_kind(array, values, label)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    single = _as_float32(array)
    if (wrong := np.argwhere(~np.isfinite(single))).size:
        row, *place = (int(at) for at in wrong[0])
        at = place[0] if len(place) == 1 else tuple(place)
        raise _not_finite(array[tuple(wrong[0])], label, row, str(at) if place else None)
    return single


def _check_kind(array: np.ndarray, values: Any, label: str) -> None:
    if not array.ndim:
        raise TrainingDataError(
            f"{label} is a {type(values).__name__}, expected a table of numbers, an array, or a "
            "dictionary of them"
        )
    if array.dtype.kind == "O":
        raise TrainingDataError(
            f"{label} holds Python objects such as {array.flat[0]!r}, expected numbers; pass "
            "X.astype(float) if all are numbers, else encode the others first"
        )
    if array.dtype.kind not in "biuf":
        raise TrainingDataError(f"{label} holds {array.dtype}, expected numbers; encode it first")


def _as_float32(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def _not_finite(value: float, label: str, row: int, column: str | None) -> TrainingDataError:
    where = f"row {row}" if column is None else f"row {row}, column {column}"
    if np.isfinite(value):
        return TrainingDataError(
            f"{label} has {value:g} in {where}, beyond what float32 holds; scale the column first"
        )
    return TrainingDataError(
        f"{label} has a missing or infinite number in {where}; fill it first, as scikit-learn's "
        "SimpleImputer does"
    )


def check_same_rows(x: Any, columns: Mapping[str, Any]) -> None:
    """Check that pandas objects have one index, so that their rows belong together.

    Args:
        x: As people pass it.
        columns: Target, groups and weights by name; None for what was not given.

    Raises:
        TrainingDataError: Two of them have different indexes.
    """
    parts = {label_of(x, n): v for n, v in (x.items() if isinstance(x, Mapping) else [("", x)])}
    found = {
        name: values.index
        for name, values in {**parts, **columns}.items()
        if isinstance(values, pd.DataFrame | pd.Series)
    }
    if not found:
        return
    (first, index), *others = found.items()
    for name, other in others:
        if len(other) == len(index) and not index.equals(other):
            row = int((index != other).argmax())
            raise TrainingDataError(
                f"{first} and {name} have different indexes (first in row {row}: {index[row]} and "
                f"{other[row]}), so their rows may not belong together; pass {name}.loc[X.index], "
                f"or {name}.to_numpy() if they do"
            )


def _listed(names: Sequence[Hashable]) -> str:
    shown = ", ".join(repr(name) for name in names[:MOST_NAMES])
    return shown + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")
