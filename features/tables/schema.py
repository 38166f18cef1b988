"""What the columns of a table may hold, and reading a table that holds just that."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.tables.text_file import UNEXPLAINED, Fault, TableError, TextFile, find_faults, quoted

__all__ = ["Column", "TableError", "check_target", "check_unique", "read_table"]

ARROW_TYPES = {
    "int": pa.int64(),
    "byte": pa.uint8(),
    "float": pa.float64(),
    "text": pa.string(),
}
BYTE = re.compile(r"[0-9]+", re.ASCII)
INT = re.compile(r"-?[0-9]+")
FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
BLOCK_BYTES = 1 << 24


class Column(BaseModel):
    """One column and its valid values; only an empty field is missing.

    A `byte` is a whole number from 0 to 255, read and kept in an eighth of an `int`'s memory.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["int", "byte", "float", "text"]
    missing: bool = Field(default=False, description="an empty field is a missing value")
    keep_empty: bool = Field(default=False, description="an empty field is the text '' itself")
    allowed: tuple[int | float | str, ...] | None = Field(default=None, description="None: all")
    minimum: float | None = Field(default=None, description="smallest number allowed")
    maximum: float | None = Field(default=None, description="largest number allowed")
    about: str = Field(default="", description="one line for people")

    @model_validator(mode="after")
    def _agrees_with_kind(self) -> Self:
        if self.kind == "text" and (self.minimum is not None or self.maximum is not None):
            raise ValueError(f"column {self.name!r}: minimum and maximum are for numbers")
        if self.kind == "byte" and self.missing:
            raise ValueError(f"column {self.name!r}: a byte is never missing; use kind 'int'")
        if self.keep_empty and (self.kind != "text" or self.missing):
            raise ValueError(f"column {self.name!r}: keep_empty is for text that is never missing")
        if any(isinstance(value, str) != (self.kind == "text") for value in self.allowed or ()):
            raise ValueError(f"column {self.name!r}: allowed values must be of kind {self.kind}")
        return self

    @property
    def dtype(self) -> str:
        """The pandas dtype, the same whether or not a value happens to be missing."""
        if self.kind == "int":
            return "Int64" if self.missing else "int64"
        if self.kind == "byte":
            return "uint8"
        return "float64" if self.kind == "float" else "str"

    def expectation(self, field: str) -> str | None:
        """What should have stood in place of the field's text; None when it is right."""
        if not field:
            return None if self.missing or self.keep_empty else "a value (none may be missing)"
        if self.kind == "text":
            return self._wanted(field)
        number = field.strip(" \t")
        if self.kind == "byte":
            is_byte = BYTE.fullmatch(number) and int(number) < 256
            return self._wanted(int(number)) if is_byte else "a whole number from 0 to 255"
        if self.kind == "int":
            is_int64 = INT.fullmatch(number) and -(2**63) <= int(number) < 2**63
            return self._wanted(int(number)) if is_int64 else "a whole number"
        if not FLOAT.fullmatch(number):
            return "a number"
        return self._wanted(float(number)) if math.isfinite(float(number)) else "a finite number"

    def _wanted(self, value: float | str) -> str | None:
        if self.allowed is not None and value not in self.allowed:
            shown = ", ".join(str(choice) for choice in self.allowed[:10])
            return f"one of {shown}" + (", …" if len(self.allowed) > 10 else "")
        if isinstance(value, str):
            return None
        if self.minimum is not None and value < self.minimum:
            return f"at least {self.minimum:g}"
        if self.maximum is not None and value > self.maximum:
            return f"at most {self.maximum:g}"
        return None


def read_table(
    path: str | Path,
    columns: Sequence[Column],
    *,
    separator: str = ",",
    quoting: bool = True,
    header: bool = True,
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
        id_column: Names the rows in messages.

    Returns:
        `(n_rows, n_columns)`, each column with its `Column.dtype`, rows in the file's order.

    Raises:
        TableError: Something in the file is not as declared; all faults are reported at once.
    """
    file = TextFile.read(Path(path), separator=separator, quoting=quoting, header=header)
    table = _parse(file, columns)
    is_right = table is not None and all(_holds(table[c.name], c) for c in columns)
    if not is_right or _may_hide_rows(file, table.num_rows):
        judges = {column.name: column.expectation for column in columns}
        faults = find_faults(file, judges, id_column)
        if faults or not is_right:
            raise TableError(path, faults or [UNEXPLAINED])
    return _to_pandas(table, columns)


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


def check_target(target: pd.Series, file: str | Path) -> None:
    """Check that a classifier could learn from the target: two classes or more.

    Raises:
        TableError: It has only one class.
    """
    classes = target.dropna().unique()
    if len(classes) < 2:
        where = f"target {quoted(str(target.name))}, all {len(target)} rows"
        found = f"only the class {quoted(str(classes[0]))}" if len(classes) else "no class"
        step = "give training rows of every class, or name another target column"
        raise TableError(file, [Fault(where, found, "two classes or more", step)])


def _parse(file: TextFile, columns: Sequence[Column]) -> Any:
    """The file as an arrow Table in the declared order, or None when it does not fit."""
    names = [column.name for column in columns]
    types = {column.name: ARROW_TYPES[column.kind] for column in columns}
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(file.data),
            pa_csv.ReadOptions(block_size=BLOCK_BYTES, column_names=None if file.header else names),
            pa_csv.ParseOptions(
                delimiter=file.separator,
                quote_char='"' if file.quoting else False,
                newlines_in_values=file.quoting,
            ),
            pa_csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True),
        )
        fits = table.num_rows > 0 and sorted(table.column_names) == sorted(names)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    return table.select(names) if fits else None


def _holds(values: Any, column: Column) -> bool:
    """Whether a typed column holds only valid values."""
    if values.null_count and not (column.missing or column.keep_empty):
        return False
    known = values.drop_null()
    if column.allowed is not None:
        choices = pa.array(column.allowed, type=ARROW_TYPES[column.kind])
        if not pc.all(pc.is_in(known, choices), min_count=0).as_py():
            return False
    if column.kind == "text" or len(known) == 0:
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
    nullable_int = {pa.int64(): pd.Int64Dtype()}.get
    frame: pd.DataFrame = table.to_pandas()
    for column in columns:
        if column.dtype == "Int64":
            frame[column.name] = table[column.name].to_pandas(types_mapper=nullable_int)
        elif column.keep_empty:
            frame[column.name] = frame[column.name].fillna("")
    return frame
