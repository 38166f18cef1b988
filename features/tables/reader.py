"""Reads a delimited file that holds just the declared columns, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from features.tables.schema import NUMBERS, TEXTS, TRUTHS, Column, to_dates
from features.tables.text_file import UNEXPLAINED, Fault, TableError, TextFile, find_faults, quoted

ARROW_TYPES = {
    "int": pa.int64(),
    "byte": pa.uint8(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.timestamp("us"),
    "text": pa.string(),
    "image": pa.string(),
}
BLOCK_BYTES = 1 << 24
BLANKS = " \t"


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
    is_right = table is not None and all(_holds(table[c.name], c) for c in columns)
    if not is_right or _may_hide_rows(file, table.num_rows):
        judges = {c.name: partial(c.expectation, decimal=decimal) for c in columns}
        faults = find_faults(file, judges, id_column)
        if faults or not is_right:
            raise TableError(path, faults or [UNEXPLAINED])
    return _to_pandas(table, columns)


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
    typed = _typed(pa.chunked_array([pa.array(texts.astype(object), pa.string())]), column, ".")
    if typed is None or not _holds(typed, column):
        wrong = next((t for t in texts if column.expectation(str(t))), "")
        expected = column.expectation(str(wrong)) or f"kind {column.kind}"
        fault = Fault(f"column {quoted(column.name)}", quoted(str(wrong)), expected, "correct it")
        raise TableError(file, [fault])
    return _to_pandas(pa.table({column.name: typed}), [column])[column.name]


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
        table = pa_csv.read_csv(
            pa.BufferReader(file.data),
            pa_csv.ReadOptions(block_size=BLOCK_BYTES, column_names=None if file.header else names),
            pa_csv.ParseOptions(
                delimiter=file.separator,
                quote_char='"' if file.quoting else False,
                newlines_in_values=file.quoting,
            ),
            pa_csv.ConvertOptions(
                column_types=types,
                null_values=[""],
                strings_can_be_null=True,
                decimal_point=decimal,
            ),
        )
        fits = table.num_rows > 0 and sorted(table.column_names) == sorted(names)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    if not fits:
        return None
    typed = {c.name: _typed(table[c.name], c, decimal) for c in columns if c.name in as_text}
    if any(values is None for values in typed.values()):
        return None
    return pa.table({name: typed.get(name, table[name]) for name in names})


def _typed(texts: Any, column: Column, decimal: str) -> Any:
    """Texts as the column's kind; None when one of them is no such value."""
    trimmed = pc.utf8_trim(texts, BLANKS)
    marks = pa.array([mark.strip(BLANKS) for mark in column.marks], pa.string())
    is_missing = pc.is_in(trimmed, marks)
    if column.kind not in TEXTS:
        is_missing = pc.or_(is_missing, pc.equal(pc.fill_null(trimmed, ""), ""))
    known = pc.if_else(is_missing, pa.scalar(None, pa.string()), texts)
    try:
        return _cast(known, column, decimal)
    except pa.ArrowInvalid:
        return None


def _cast(texts: Any, column: Column, decimal: str) -> Any:
    """Texts without marks as the column's kind.

    Raises:
        pyarrow.ArrowInvalid: One of them is no such value.
    """
    if column.kind in TEXTS:
        return texts
    if column.kind == "date":
        dates = to_dates(texts.to_pandas(), column.format)
        typed = pa.chunked_array([pa.array(dates, pa.timestamp("us"))])
        if typed.null_count > texts.null_count:
            raise pa.ArrowInvalid("a text that is no date")
        return typed
    trimmed = pc.utf8_trim(texts, BLANKS)
    if column.kind == "bool":
        spellings = pa.array(list(TRUTHS))
        at = pc.index_in(pc.utf8_lower(trimmed), spellings)
        typed = pc.take(pa.array(list(TRUTHS.values())), at)
        if typed.null_count > texts.null_count:
            raise pa.ArrowInvalid("a text that is neither true nor false")
        return typed
    assert column.kind in NUMBERS  # the only ones left
    numbers = trimmed if decimal == "." else pc.replace_substring(trimmed, decimal, ".")
    if column.kind == "float":
        return pc.cast(numbers, pa.float64())
    whole = pc.replace_substring_regex(numbers, r"\.0*$", "")
    return pc.cast(whole, ARROW_TYPES[column.kind])


def _holds(values: Any, column: Column) -> bool:
    """Whether a typed column holds only valid values."""
    if values.null_count and not (column.missing or column.keep_empty):
        return False
    known = values.drop_null()
    if column.allowed is not None:
        choices = pa.array(column.allowed, type=ARROW_TYPES[column.kind])
        if not pc.all(pc.is_in(known, choices), min_count=0).as_py():
            return False
    if column.kind not in NUMBERS or len(known) == 0:
        return True
    if column.kind == "float" and not pc.all(pc.is_finite(known)).as_py():
        return False
    low, high = pc.min_max(known).as_py().values()
    too_low = column.minimum is not None and low < column.minimum
    return not (too_low or (column.maximum is not None and high > column.maximum))


def _may_hide_rows(file: TextFile, n_rows: int) -> bool:
    """Whether an unclosed quote may have swallowed rows, which arrow does not report."""
    if not file.quoting or b'"' not in file.data:
        return False
    n_lines = file.data.count(b"\n") + (not file.data.endswith(b"\n"))
    return file.data.count(b'"') % 2 == 1 or n_lines != n_rows + file.header


def _to_pandas(table: Any, columns: Sequence[Column]) -> pd.DataFrame:
    nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}.get
    frame: pd.DataFrame = table.to_pandas()
    for column in columns:
        if column.dtype in ("Int64", "boolean"):
            frame[column.name] = table[column.name].to_pandas(types_mapper=nullable)
        elif column.keep_empty:
            frame[column.name] = frame[column.name].fillna("")
    return frame
