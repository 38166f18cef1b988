"""Further files: their columns beside the rows of a table, by key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from features.tables.text_file import Fault, TableError, quoted

NULLABLE = {"int64": "Int64", "uint8": "UInt8", "bool": "boolean"}


def join_by_key(
    table: pd.DataFrame, other: pd.DataFrame, *, on: Sequence[str], file: str | Path
) -> pd.DataFrame:
    """The table with the further file's columns; missing where the file lacks the row's key.

    A row gets what stands under its own key, whatever other rows there are.

    Args:
        table: `n_rows` rows.
        other: The further file, which has each key once.
        on: The columns of the key, which both have.
        file: The further file's name, for messages.

    Returns:
        The same rows in the same order with the same index, and the columns of `other` but the
        key's. Their dtypes can hold missing values whether or not a row lacks its key.

    Raises:
        TableError: The further file has a key twice, or its columns do not fit the table's.
    """
    keys = list(on)
    if faults := _column_faults(table, other, keys):
        raise TableError(file, faults)
    known = other.dropna(subset=keys).reset_index(drop=True)
    _check_each_key_once(known, keys, file)
    added = known.drop(columns=keys)
    added = added.astype({n: NULLABLE.get(str(t), t) for n, t in added.dtypes.items()})
    matched = added.reindex(_rows_of(table[keys], known[keys]))
    return pd.concat([table, matched.set_axis(table.index)], axis=1)


def _rows_of(wanted: pd.DataFrame, keys: pd.DataFrame) -> np.ndarray:
    """The row of `keys` that each wanted key has, -1 for none: `(len(wanted),) int64`."""
    # Plain names, for a key may have any.
    columns = [str(position) for position in range(keys.shape[1])]
    numbered = keys.set_axis(columns, axis=1).assign(row=np.arange(len(keys)))
    found = wanted.set_axis(columns, axis=1).merge(numbered, how="left", on=columns)
    return found["row"].fillna(-1).to_numpy(np.int64)


def _column_faults(table: pd.DataFrame, other: pd.DataFrame, keys: Sequence[str]) -> list[Fault]:
    faults = []
    for key in keys:
        if key not in other or key not in table:
            whose = "further file" if key not in other else "table that it joins"
            faults.append(_fault(f"no column {quoted(key)} in the {whose}", "the key in both"))
        elif _nature(table[key]) != _nature(other[key]):
            found = f"{other[key].dtype}, but {table[key].dtype} in the table that it joins"
            faults.append(_fault(f"the key {quoted(key)} as {found}", "the same kind in both"))
    for name in other.columns:
        if name in table and name not in keys:
            faults.append(_fault(f"column {quoted(str(name))} in both files", "it in one of them"))
    return faults


def _fault(found: str, expected: str) -> Fault:
    return Fault("columns", found, expected, "look at columns and on of extra_files")


def _nature(values: pd.Series) -> str:
    """What values are, apart from how they are kept: numbers of every width are alike."""
    kind = values.dtype.kind
    return "number" if kind in "iuf" else "text" if kind == "O" or values.dtype == "str" else kind


def _check_each_key_once(other: pd.DataFrame, keys: list[str], file: str | Path) -> None:
    again = other.duplicated(keys)
    if not again.any():
        return
    first = other[keys].iloc[int(np.argmax(again))]
    rows = np.flatnonzero((other[keys] == first).all(axis=1)) + 1
    named = ", ".join(f"{key}={value}" for key, value in first.items())
    n_more = int(again.sum()) - 1
    more = f" (and {n_more} more such rows)" if n_more else ""
    found = f"{named} in rows {', '.join(map(str, rows[:3]))}{more}"
    step = "name more columns in on=(…), or sum the file up to one row for each key"
    raise TableError(file, [Fault(f"key {', '.join(map(quoted, keys))}", found, "each once", step)])
