"""Further files of a competition as tables, and their columns beside those of the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from features.tables.joins import join_by_key
from features.tables.json_records import from_records, read_json_records
from features.tables.reader import header_of, read_table
from features.tables.row_files import SPLIT, read_row_files
from features.tables.schema import Column
from features.tables.text_file import Fault, TableError, quoted

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition
    from pipelines.configuration.extra_files import ExtraFile
    from pipelines.raw_files.raw import RawFiles

JSON = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
Tables = Mapping[str, pd.DataFrame]
Features = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class ExtraTables:
    """The extra files' tables, by name.

    Attributes:
        train: What belongs to training rows.
        test: What belongs to test rows and to new ones; the same but for files of each split.
    """

    train: Tables = field(default_factory=dict)
    test: Tables = field(default_factory=dict)


def read_extra_tables(competition: Competition, raw: RawFiles) -> ExtraTables:
    """Read all extra files.

    Raises:
        TableError: One does not hold what its columns declare.
    """
    train, test = {}, {}
    for name, extra in competition.extra_files.items():
        columns = _columns(competition, extra)
        if extra.is_for_each_row:
            packed = raw.files[extra.raw_name].path
            train[name] = _read_each(extra, columns, packed, "train")
            test[name] = _read_each(extra, columns, packed, "test")
        else:
            train[name] = test[name] = _read_one(extra, columns, raw.files[extra.file].path)
    return ExtraTables(train, test)


def features_of(competition: Competition, tables: Tables) -> Features:
    """From rows as they are in a file to rows with extra columns and features.

    Args:
        competition: Its extra files, `join` and `features` are used in this order.
        tables: The extra files' tables that belong to the rows.
    """

    def compute(rows: pd.DataFrame) -> pd.DataFrame:
        return competition.features(_joined(competition, rows, tables))

    return compute if competition.extra_files else competition.features


def _joined(competition: Competition, rows: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """The rows with what stands under their keys, and what `join` adds.

    Raises:
        TableError: A row has no file, or a key's column is not of the same kind in both.
    """
    for name, extra in competition.extra_files.items():
        if extra.keys:
            joined = join_by_key(rows, tables[name], on=extra.keys, file=extra.file)
            _check_found(extra, rows, joined)
            rows = joined
    return rows if competition.join is None else competition.join(rows, tables)


def _columns(competition: Competition, extra: ExtraFile) -> tuple[Column, ...]:
    """The key, then the other columns, with the competition's marks of missing values."""
    keys = extra.key_columns(competition.columns)
    others = tuple(column for column in extra.columns if column.name not in extra.keys)
    return tuple(column.with_marks(competition.missing) for column in (*keys, *others))


def _read_one(extra: ExtraFile, columns: tuple[Column, ...], path: Path) -> pd.DataFrame:
    """One file that holds a table; columns that are not declared are passed over."""
    if extra.file.endswith(JSON):
        return read_json_records(path, columns)
    declared = [column.name for column in columns]
    found = header_of(path, separator=extra.separator)
    others = [Column(name=n, kind="text", missing=True) for n in found if n not in declared]
    return read_table(path, (*columns, *others), separator=extra.separator)[declared]


def _read_each(
    extra: ExtraFile, columns: tuple[Column, ...], packed: Path, split: str
) -> pd.DataFrame:
    """The values of each file of a split, one row a file.

    Raises:
        TableError: `parse` cannot read a file, or gives other values than are declared.
    """
    assert extra.parse is not None, "checked when the competition was made"
    records = []
    for keys, content in read_row_files(packed, extra.file):
        if keys.pop(SPLIT, split) != split:
            continue
        try:
            records.append({**extra.parse(content), **keys})
        except (ValueError, LookupError, ArithmeticError, TypeError) as error:
            raise TableError(extra.file, [_unread(keys, error)]) from error
    return from_records(records, columns, file=extra.file)


def _unread(keys: Mapping[str, str], error: Exception) -> Fault:
    where = "file of " + ", ".join(f"{key} {value}" for key, value in keys.items())
    found = f"{type(error).__name__} in parse ({error})"
    return Fault(where, found, "its values", "correct parse of this extra file")


def _check_found(extra: ExtraFile, rows: pd.DataFrame, joined: pd.DataFrame) -> None:
    """Check that columns which are never missing have a value in each row.

    Raises:
        TableError: A row's key stands in no file.
    """
    sure = [c.name for c in extra.columns if not c.missing and c.name not in extra.keys]
    lacking = joined[sure].isna().all(axis=1) if sure else pd.Series(False, index=rows.index)
    if not lacking.any():
        return
    first = rows.loc[lacking, list(extra.keys)].iloc[0]
    key = ", ".join(f"{name} {value}" for name, value in first.items())
    more = f" (and {int(lacking.sum()) - 1} more such rows)" if lacking.sum() > 1 else ""
    found = f"nothing for {key}{more}"
    step = "declare its columns with missing=True if rows may lack them"
    raise TableError(
        extra.file, [Fault(f"columns {quoted(', '.join(sure))}", found, "values", step)]
    )
