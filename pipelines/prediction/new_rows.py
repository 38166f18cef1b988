"""New rows to predict: read and checked like the competition's test file, or typed as texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features.tables.reader import header_of
from features.tables.text_file import read_bytes
from pipelines.configuration.competition import Competition
from pipelines.stages.input_tables import (
    FileForm,
    names_of,
    numbers,
    read_rows,
    test_columns,
)

ROW = "row"  # the name of the ids where a file has none


class NewRowsError(ValueError):
    """Rows that cannot be predicted in this form."""

    exit_code = 2


@dataclass(frozen=True)
class NewRows:
    """Rows to predict.

    Attributes:
        table: The competition's feature columns, typed.
        ids: `(n_rows,)` texts, the file's ids, or the row numbers from 1.
        id_name: Name of the ids; None where submissions have none.
        texts: The typed text of each row; empty for a file.
    """

    table: pd.DataFrame
    ids: pd.Series
    id_name: str | None
    texts: tuple[str, ...] = ()


def read(competition: Competition, path: Path) -> NewRows:
    """The rows of a file like the test file, or of a plain CSV; the ids may be absent.

    Raises:
        TableError: The file does not match the competition's columns.
    """
    form = _form(competition, path)
    names = names_of(competition, path) if form == "own" else header_of(path)
    optional = set(_filled(competition))
    columns = tuple(
        column
        for column in test_columns(competition)
        if column.name in names or column.name not in optional
    )
    has_ids = competition.id is not None and competition.id in names
    table, ids = read_rows(competition, path, columns, form=form, has_ids=has_ids)
    complete = _complete(competition, table)
    if competition.id is None:
        return NewRows(complete, ids, None)
    is_named = has_ids or competition.file_format.row_numbers
    return NewRows(complete, ids, competition.id if is_named else ROW)


def typed(competition: Competition, texts: Sequence[str]) -> NewRows:
    """A row for each text.

    Raises:
        NewRowsError: A text is empty, or the competition is not one of texts.
    """
    column = text_column(competition)
    if column is None:
        raise NewRowsError(
            f"{competition.name} is not a competition of texts, so it takes no --text; "
            "give --csv with a file like its test file"
        )
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            which = f"--text number {number}" if len(texts) > 1 else "--text"
            raise NewRowsError(f"{which} is empty, expected something to read")
    table = pd.DataFrame({column: pd.Series(list(texts), dtype="str")})
    return NewRows(_complete(competition, table), _numbered(len(texts)), ROW, tuple(texts))


def text_column(competition: Competition) -> str | None:
    """The column that a typed text fills; None where a row is more than a text."""
    names = {column.name for column in competition.columns} - {competition.folds.group}
    texts = [column.name for column in competition.columns if column.kind == "text"]
    return texts[0] if len(texts) == 1 and names == {texts[0]} else None


def _form(competition: Competition, path: Path) -> FileForm:
    """Whether a file is written in the competition's form, by its first line, or as plain CSV."""
    written = competition.file_format
    first = read_bytes(path).lstrip().split(b"\n", 1)[0]
    if written.json_records:
        return "own" if first.startswith((b"[", b"{")) else "plain"
    return "own" if written.separator.encode() in first else "plain"


def _filled(competition: Competition) -> tuple[str, ...]:
    """Columns that a new row may lack: the group of the folds in a competition of texts."""
    is_of_texts = text_column(competition) is not None
    return tuple(
        column.name
        for column in competition.columns
        if is_of_texts and column.name == competition.folds.group
    )


def _complete(competition: Competition, table: pd.DataFrame) -> pd.DataFrame:
    """The table with every column of the competition; where absent, each row is one group."""
    for column in test_columns(competition):
        if column.name in _filled(competition) and column.name not in table:
            filled = table.assign(**{column.name: np.arange(len(table))})
            table = filled.astype({column.name: column.dtype})
    return table[[column.name for column in test_columns(competition)]]


def _numbered(n_rows: int) -> pd.Series:
    return numbers(n_rows)
