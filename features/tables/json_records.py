"""Tables that a file keeps as JSON records: a list of objects, or one object on each line."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from features.tables.arrow_columns import holds, to_pandas, typed
from features.tables.text_file import (
    DOWNLOAD_AGAIN,
    MAX_PLACES_SHOWN,
    Fault,
    TableError,
    encoding_fault,
    quoted,
    read_bytes,
)

if TYPE_CHECKING:
    from features.tables.schema import Column

Record = dict[str, Any]
TOO_DEEP = "brackets within brackets, too deep to read"


def read_json_records(path: str | Path, columns: Sequence[Column]) -> pd.DataFrame:
    """Read the declared columns of a UTF-8 file of JSON records (or of its .gz).

    A key that a record lacks is a missing value, as are null and an empty text. A list or an
    object is kept as its JSON text.

    Args:
        path: The file: a list of objects, or an object on each line.
        columns: The columns; the result has them in this order. Other keys are passed over.

    Returns:
        `(n_rows, n_columns)`, each column with its `Column.dtype`, rows in the file's order.

    Raises:
        TableError: Something in the file is not as declared; all faults are reported at once.
    """
    return from_records(_records(Path(path)), columns, file=path)


def from_records(
    records: Sequence[Mapping[str, Any]], columns: Sequence[Column], *, file: str | Path
) -> pd.DataFrame:
    """The same of records that were read already.

    Args:
        records: A value that a record lacks is missing.
        columns: The columns; the result has them in this order.
        file: Its name, for messages.

    Raises:
        TableError: A value is not as declared; all faults are reported at once.
    """
    arrays: dict[str, Any] = {}
    faults: list[Fault] = []
    for column in columns:
        texts = pa.array([_text(record.get(column.name)) for record in records], pa.string())
        values = typed(pa.chunked_array([texts]), column, ".")
        arrays[column.name] = values
        if values is None or not holds(values, column):
            faults += _faults(texts.to_pylist(), column)
    if faults:
        raise TableError(file, faults)
    return to_pandas(pa.table(arrays), columns)


def keys_of(path: str | Path) -> list[str]:
    """Keys of any record, in the order in which they first occur.

    Raises:
        TableError: The file holds no JSON records.
    """
    return list(dict.fromkeys(key for record in _records(Path(path)) for key in record))


def _records(path: Path) -> list[Record]:
    """All records of the file.

    Raises:
        TableError: It holds none, or something else.
    """
    data = read_bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(path, [encoding_fault(path, data, error)]) from error
    parts = list(_whole(path, text) if text.lstrip().startswith("[") else _lines(path, text))
    if not parts:
        fault = Fault("file", f"no record ({len(data)} bytes)", "one or more", DOWNLOAD_AGAIN)
        raise TableError(path, [fault])
    for number, part in enumerate(parts, start=1):
        if not isinstance(part, dict):
            found = f"{quoted(json.dumps(part))}"
            step = 'write each record as {"key": value, …}'
            raise TableError(path, [Fault(f"record {number}", found, "an object", step)])
    return parts


def _whole(path: Path, text: str) -> Iterator[Any]:
    try:
        yield from json.loads(text)
    except json.JSONDecodeError as error:
        raise TableError(path, [_broken(path, error.lineno, error.msg)]) from error
    except RecursionError as error:
        raise TableError(path, [_broken(path, 1, TOO_DEEP)]) from error


def _lines(path: Path, text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(object_hook=_with_shared_keys)
    for number, line in enumerate(re.finditer("[^\n]*\n?", text), start=1):
        if line[0].strip():
            try:
                yield decoder.decode(line[0])
            except json.JSONDecodeError as error:
                raise TableError(path, [_broken(path, number, error.msg)]) from error
            except RecursionError as error:
                raise TableError(path, [_broken(path, number, TOO_DEEP)]) from error


def _with_shared_keys(record: Record) -> Record:
    """The same record; all lines share one object for each key, as the records of a list do."""
    return {sys.intern(key): value for key, value in record.items()}


def _broken(path: Path, line: int, message: str) -> Fault:
    opener = "zcat" if path.suffix == ".gz" else "cat"
    step = f"{opener} {shlex.quote(str(path))} | sed -n {line}p"
    expected = "a list of objects, or one object on each line"
    return Fault(f"line {line}", f"broken JSON ({message})", expected, step)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    plain = value.item() if isinstance(value, np.generic) else value
    return None if plain != plain else json.dumps(plain, ensure_ascii=False)  # NaN is no value


def _faults(fields: Sequence[str | None], column: Column) -> Iterator[Fault]:
    """One fault for all records whose value is wrong in the same way."""
    texts = pd.Series([field or "" for field in fields], dtype="str")
    wanted = texts.map({text: column.expectation(text) for text in texts.unique()})
    for expected, same in texts[wanted.notna()].groupby(wanted, sort=False):
        records = same.index.to_numpy() + 1
        others = ", ".join(map(str, records[1:MAX_PLACES_SHOWN]))
        dots = ", …" if len(records) > MAX_PLACES_SHOWN else ""
        more = f" (and {len(records) - 1} more such: record {others}{dots})" * (len(records) > 1)
        found = quoted(same.iloc[0]) if same.iloc[0] else "no value"
        where = f"record {records[0]}, key {quoted(column.name)}"
        step = f"correct the record, or what column {quoted(column.name)} declares"
        yield Fault(where, f"{found}{more}", str(expected), step)
