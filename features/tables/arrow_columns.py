"""Columns of texts as columns of a declared kind, in arrow and in pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.tables.schema import NUMBERS, TEXTS, TRUTHS, Column, to_dates

ARROW_TYPES = {
    "int": pa.int64(),
    "byte": pa.uint8(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.timestamp("us"),
    "text": pa.string(),
    "image": pa.string(),
}
BLANKS = " \t"


def typed(texts: Any, column: Column, decimal: str) -> Any:
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


def holds(values: Any, column: Column) -> bool:
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


def to_pandas(table: Any, columns: Sequence[Column]) -> pd.DataFrame:
    """An arrow table of typed columns as a data frame with their dtypes."""
    nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}.get
    frame: pd.DataFrame = table.to_pandas()
    for column in columns:
        if column.dtype in ("Int64", "boolean"):
            frame[column.name] = table[column.name].to_pandas(types_mapper=nullable)
        elif column.keep_empty:
            frame[column.name] = frame[column.name].fillna("")
    return frame
