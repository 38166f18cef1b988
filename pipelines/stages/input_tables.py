"""Reads a competition's files as typed tables; ids stay the texts that they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from features.tables.json_records import keys_of, read_json_records
from features.tables.reader import check_unique, convert, header_of, read_table
from features.tables.schema import Column
from pipelines.stages.targets import read_target, target_columns
from submissions.form import read_sample

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition
    from pipelines.raw_files.raw import RawFiles

FileForm = Literal["own", "plain"]
ROLES = ("train", "test")
ROW = "row"  # the name of the ids of rows that have none


@dataclass(frozen=True)
class TrainingRows:
    """The training file, without the rows that have no target.

    Attributes:
        table: The feature columns, typed; the index is the row number.
        ids: `(n_train,)` texts.
        target: In the task's form.
        weight: `(n_train,) float64`; None where all rows count the same.
        warnings: What was left out, and why.
    """

    table: pd.DataFrame
    ids: pd.Series
    target: np.ndarray
    weight: np.ndarray | None = None
    warnings: tuple[str, ...] = field(default=())


def read_training_rows(competition: Competition, raw: RawFiles) -> TrainingRows:
    """Read the training file.

    Raises:
        TableError: It does not match the competition's columns.
    """
    name, extra = competition.files["train"], _only_in_training(competition, raw)
    ignored = tuple(Column(name=column, kind="text", missing=True) for column in extra)
    columns = (
        *(*target_columns(competition), *_weight_column(competition)),
        *(*competition.columns, *competition.ids_as_keys, *ignored),
    )
    table, ids = _read_training_files(competition, raw, columns)
    target, is_there = read_target(competition, table, name)
    warnings = [*_note_columns(extra, name), *_note_rows(is_there, name)]
    rows = table[is_there].reset_index(drop=True)
    weight = None if competition.weight is None else rows[competition.weight].to_numpy(np.float64)
    kept = [column.name for column in test_columns(competition)]
    return TrainingRows(
        rows[kept], ids[is_there].reset_index(drop=True), target[is_there], weight, tuple(warnings)
    )


def _read_training_files(
    competition: Competition, raw: RawFiles, columns: tuple[Column, ...]
) -> tuple[pd.DataFrame, pd.Series]:
    """The training file's rows, then those of the extra training files."""
    names = (competition.files["train"], *competition.extra_training_files)
    read = [read_rows(competition, raw.files[name].path, columns) for name in names]
    if len(read) == 1:
        return read[0]
    table = pd.concat([rows for rows, _ in read], ignore_index=True)
    ids = pd.concat([own for _, own in read], ignore_index=True)
    if has_row_numbers(competition):
        return table, numbers(len(table))
    check_unique(ids.to_frame(id_name(competition)), id_name(competition), file=" + ".join(names))
    return table, ids


def read_test_rows(competition: Competition, raw: RawFiles) -> tuple[pd.DataFrame, pd.Series]:
    """The test file's feature columns, typed, and its ids `(n_test,)`.

    Raises:
        TableError: It does not match the competition's columns.
    """
    return read_rows(competition, _path(competition, raw, "test"), test_columns(competition))


def read_sample_submission(competition: Competition, raw: RawFiles) -> pd.DataFrame:
    """The sample submission as texts: nothing in it is interpreted.

    Raises:
        SampleError: It cannot be read.
    """
    return read_sample(_path(competition, raw, "sample_submission"))


def read_holdout(competition: Competition, path: Path) -> tuple[pd.Series, np.ndarray]:
    """Ids `(n,)` of held-back test rows, and their target in the task's form.

    Raises:
        TableError: The file does not hold an id and the target columns.
    """
    columns = (id_column(competition), *target_columns(competition))
    table = read_table(path, columns)
    target, _ = read_target(competition, table, path.name)
    return table[id_name(competition)], target


def read_rows(
    competition: Competition,
    path: Path,
    columns: tuple[Column, ...],
    *,
    form: FileForm = "own",
    has_ids: bool = True,
) -> tuple[pd.DataFrame, pd.Series]:
    """Read one of the competition's tables.

    Args:
        competition: Gives the file's format and the name of the id.
        path: The file.
        columns: What it holds beside the ids.
        form: `own` for the competition's separator and quoting, `plain` for standard CSV.
        has_ids: Whether the file has the id column.

    Returns:
        The table, and the ids: texts as they stand in the file, or the row numbers from 1.

    Raises:
        TableError: The file does not match the columns, or has an id twice.
    """
    name, numbered = id_name(competition), not has_ids or has_row_numbers(competition)
    marked = tuple(column.with_marks(competition.missing) for column in columns)
    others = tuple(column for column in marked if column.name != name or numbered)
    wanted = others if numbered else (id_column(competition), *others)
    table = _read(competition, path, wanted, form=form, id_column=None if numbered else name)
    if numbered:
        return table, numbers(len(table))
    check_unique(table, name, file=path.name)
    ids = table.pop(name)
    for column in marked:
        if column.name == name:  # the id is a feature too
            table[name] = convert(ids, column, file=path.name)
    return table, ids


def _read(
    competition: Competition,
    path: Path,
    columns: tuple[Column, ...],
    *,
    form: FileForm,
    id_column: str | None,
) -> pd.DataFrame:
    """A table of just these columns, written in the competition's form or as plain CSV."""
    written = competition.file_format
    if form == "plain":
        return read_table(path, columns, id_column=id_column)
    if written.json_records:
        return read_json_records(path, columns)
    return read_table(
        path,
        columns,
        separator=written.separator,
        quoting=written.quoting,
        decimal=written.decimal,
        id_column=id_column,
    )


def id_name(competition: Competition) -> str:
    """The name of the id column, or of the row numbers where there is none."""
    return competition.id or ROW


def id_column(competition: Competition) -> Column:
    """The id column of all files: a text, so that nothing rewrites it."""
    return Column(name=id_name(competition), kind="text", as_it_is=True)


def test_columns(competition: Competition) -> tuple[Column, ...]:
    """The columns of the test file beside the id, and the id where it is a key of extra files."""
    own = tuple(column for column in competition.columns if not column.train_only)
    return (*own, *competition.ids_as_keys)


def numbers(n_rows: int) -> pd.Series:
    """Ids of rows that have none: numbers from 1 as texts, `(n_rows,)`."""
    return pd.Series(np.arange(1, n_rows + 1)).astype("str")


def has_row_numbers(competition: Competition) -> bool:
    """Whether the training and test files have no id column."""
    return competition.id is None or competition.file_format.row_numbers


def _path(competition: Competition, raw: RawFiles, role: str) -> Path:
    return raw.files[competition.files[role]].path  # type: ignore[index]


def _weight_column(competition: Competition) -> tuple[Column, ...]:
    """The column of weights, where it is no feature."""
    name = competition.weight
    if name is None or name in {column.name for column in competition.columns}:
        return ()
    return (Column(name=name, kind="float", minimum=0.0),)


def _only_in_training(competition: Competition, raw: RawFiles) -> tuple[str, ...]:
    """Columns of the training file that neither the test file has nor the competition declares."""
    train, test = (names_of(competition, _path(competition, raw, role)) for role in ROLES)
    declared = {column.name for column in competition.columns} | set(competition.targets)
    declared |= {id_name(competition), competition.weight or ""} | set(test)
    return tuple(name for name in train if name not in declared)


def names_of(competition: Competition, path: Path) -> list[str]:
    """The names of the columns that a file in the competition's form has."""
    written = competition.file_format
    if written.json_records:
        return keys_of(path)
    return header_of(path, separator=written.separator, quoting=written.quoting)


def _note_columns(extra: tuple[str, ...], file: str) -> list[str]:
    if not extra:
        return []
    names = ", ".join(extra)
    return [f"{file} has columns that the test file lacks, so they are left out: {names}"]


def _note_rows(is_there: np.ndarray, file: str) -> list[str]:
    n_missing = int((~is_there).sum())
    if not n_missing:
        return []
    rows = "row without a target is" if n_missing == 1 else "rows without a target are"
    return [f"{file}: {n_missing:,} {rows} left out"]
