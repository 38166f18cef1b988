"""Reads a delimited file that holds just the declared columns, and nothing else."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from features.tables.arrow_columns import ARROW_TYPES, holds, to_pandas, typed
from features.tables.schema import Column
from features.tables.text_file import UNEXPLAINED, Fault, TableError, TextFile, find_faults, quoted

BLOCK_BYTES, LARGEST_BLOCK = 1 << 24, (1 << 31) - 1


def read_table(
    path: str | Path,
    columns: Sequence[Column],
    *,
    separator: str = ",",
    quoting: bool = True,
    header: bool = True,
    decimal: str = ".",
    id_column: str | None = None,
) -> pd.DataFrame:
    """Read a delimited UTF-8 file (or its .gz) that has exactly the declared columns.

    Args:
        path: The file.
        columns: The columns; the result has them in this order. A file without header has
            them in this order too.
        separator: One character.
        quoting: Whether a double quote at the start of a field encloses it.
        header: Whether the first line names the columns.
        decimal: The character before the decimals of a number.
        id_column: Names the rows in messages.

    Returns:
        `(n_rows, n_columns)`, each column with its `Column.dtype`, rows in the file's order.

    Raises:
        TableError: Something in the file is not as declared; all faults are reported at once.
    """
    file = TextFile.read(Path(path), separator=separator, quoting=quoting, header=header)
    table = _parse(file, columns, decimal)
    is_right = table is not None and all(holds(table[c.name], c) for c in columns)
    if not is_right or _may_hide_rows(file, table.num_rows):
        judges = {c.name: partial(c.expectation, decimal=decimal) for c in columns}
        faults = find_faults(file, judges, id_column)
        if faults or not is_right:
            raise TableError(path, faults or [UNEXPLAINED])
    return to_pandas(table, columns)


def header_of(path: str | Path, *, separator: str = ",", quoting: bool = True) -> list[str]:
    """The names in a file's first line; none for a file that cannot be taken apart.

    Raises:
        TableError: There is no such file, or its gzip is broken.
    """
    file = TextFile.read(Path(path), separator=separator, quoting=quoting, header=True)
    try:
        return next(file.records())[1]
    except (TableError, UnicodeDecodeError, StopIteration):
        return []


def convert(texts: pd.Series, column: Column, file: str | Path) -> pd.Series:
    """A column of texts as the column's kind.

    Raises:
        TableError: A text is no value of that kind.
    """
    values = typed(pa.chunked_array([pa.array(texts.astype(object), pa.string())]), column, ".")
    if values is None or not holds(values, column):
        wrong = next((t for t in texts if column.expectation(str(t))), "")
        expected = column.expectation(str(wrong)) or f"kind {column.kind}"
        fault = Fault(f"column {quoted(column.name)}", quoted(str(wrong)), expected, "correct it")
        raise TableError(file, [fault])
    return to_pandas(pa.table({column.name: values}), [column])[column.name]


def check_unique(table: pd.DataFrame, column: str, file: str | Path) -> None:
    """Check that no value occurs twice in a column.

    Raises:
        TableError: one does; rows are counted from 1, the header apart.
    """
    values = table[column].reset_index(drop=True)
    again = values[values.duplicated()]
    if again.empty:
        return
    first = again.iloc[0]
    rows = [int(row) + 1 for row in values.index[values == first]]
    more = f" (and {len(again) - 1} more such rows)" if len(again) > 1 else ""
    found = f"{first!s} in rows {', '.join(map(str, rows[:3]))}{more}"
    step = "delete the doubled rows, or download the file again"
    raise TableError(file, [Fault(f"column {quoted(column)}", found, "each value once", step)])


def _parse(file: TextFile, columns: Sequence[Column], decimal: str) -> Any:
    """The file as an arrow Table in the declared order, or None when it does not fit."""
    needed = {c.name for c in columns if c.kind in ("bool", "date") or c.marks}
    table = _read(file, columns, decimal, as_text=needed)
    if table is None:  # numbers like 1.0 where they are whole, or fields of blanks
        table = _read(file, columns, decimal, as_text={c.name for c in columns})
    return table


def _read(file: TextFile, columns: Sequence[Column], decimal: str, *, as_text: set[str]) -> Any:
    """The same, with some columns read as texts and converted here."""
    names = [column.name for column in columns]
    types = {
        column.name: pa.string() if column.name in as_text else ARROW_TYPES[column.kind]
        for column in columns
    }
    try:
        table = _arrow_table(file, names, types, decimal)
        fits = table.num_rows > 0 and sorted(table.column_names) == sorted(names)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    if not fits:
        return None
    converted = {c.name: typed(table[c.name], c, decimal) for c in columns if c.name in as_text}
    if any(values is None for values in converted.values()):
        return None
    return pa.table({name: converted.get(name, table[name]) for name in names})


def _arrow_table(
    file: TextFile, names: Sequence[str], types: Mapping[str, Any], decimal: str
) -> Any:
    """The file as arrow reads it.

    Raises:
        pyarrow.ArrowInvalid: It does not fit the columns.
    """
    # Where a line is a field, an empty one is a row; those above the header are none.
    is_one_column = len(names) == 1
    start = _above_header(file.data) if is_one_column else 0

    def read(block_size: int) -> Any:
        return pa_csv.read_csv(
            pa.BufferReader(memoryview(file.data)[start:]),
            pa_csv.ReadOptions(block_size=block_size, column_names=None if file.header else names),
            pa_csv.ParseOptions(
                delimiter=file.separator,
                quote_char='"' if file.quoting else False,
                newlines_in_values=file.quoting,
                ignore_empty_lines=not is_one_column,
            ),
            pa_csv.ConvertOptions(
                column_types=types,
                null_values=[""],
                strings_can_be_null=True,
                decimal_point=decimal,
            ),
        )

    try:
        return read(BLOCK_BYTES)
    except pa.ArrowInvalid as error:
        if "straddling" not in str(error):
            raise
        return read(min(len(file.data) + 1, LARGEST_BLOCK))  # a record is larger than a block


def _above_header(data: bytes) -> int:
    """The number of bytes of empty lines above the header; a byte order mark counts as none."""
    marked = len(data) - len(data.removeprefix(codecs.BOM_UTF8))
    text = data[marked:]
    n_empty = len(text) - len(text.lstrip(b"\r\n"))
    return marked + n_empty if n_empty else 0


def _may_hide_rows(file: TextFile, n_rows: int) -> bool:
    """Whether an unclosed quote may have swallowed rows, which arrow does not report."""
    if not file.quoting or b'"' not in file.data:
        return False
    n_lines = file.data.count(b"\n") + (not file.data.endswith(b"\n"))
    return file.data.count(b'"') % 2 == 1 or n_lines != n_rows + file.header
