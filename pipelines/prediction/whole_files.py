"""A test file of any length, predicted in parts by a finished run: `foldwise.predict_file`."""

from __future__ import annotations

import dataclasses
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from features.tables.parts import parts
from pipelines.competitions import load_competition
from pipelines.configuration.competition import Competition
from pipelines.prediction import new_rows
from pipelines.prediction.new_rows import NewRows
from pipelines.prediction.predictor import Predictor
from pipelines.stages.input_tables import has_row_numbers
from pipelines.workspace import files
from submissions.build import csv_text

ROWS = 100_000  # of a part


class ChangedCodeWarning(UserWarning):
    """The run was made by other code or libraries; the text says whether predictions match."""


def predict_file(
    competition: str | Competition,
    run: str | Path,
    test: str | Path,
    out: str | Path = "submission.csv",
    *,
    rows: int = ROWS,
) -> int:
    """Predict a test file of any length by a finished run, and write the submission.

    The file is read, predicted and written in parts, so that memory holds one of them. Rows whose
    prediction depends on other rows of the file, and files of JSON records, are read as a whole.

    Args:
        competition: Its name, as in `foldwise list`, or the competition itself.
        run: The folder of the finished run, which is only read.
        test: A file in the test file's form, as it is, in gzip, or alone in a zip.
        out: The CSV, written whole or not at all.
        rows: The most rows of a part.

    Returns:
        The number of predicted rows.

    Raises:
        PredictorError: The run lacks files that predictions need, or other code made it.
        TableError: The file does not match the competition's columns.
    """
    found = load_competition(competition) if isinstance(competition, str) else competition
    with tempfile.TemporaryDirectory(prefix="foldwise-") as scratch:
        predictor = Predictor.open(Path(run), found, Path(scratch))
        if (change := predictor.change()) is not None:
            warnings.warn(change, ChangedCodeWarning, stacklevel=2)
        return _write(_tables(predictor, Path(test), Path(scratch), rows), Path(out))


def _write(tables: Iterator[pd.DataFrame], out: Path) -> int:
    """Write the tables below one header; give the number of rows."""
    n_rows = 0
    with files.whole(out) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        for table in tables:
            text = csv_text(table)
            file.write(text.partition("\n")[2] if n_rows else text)
            n_rows += len(table)
    return n_rows


def _tables(predictor: Predictor, test: Path, scratch: Path, rows: int) -> Iterator[pd.DataFrame]:
    """The submission of each part, in the order of the file."""
    n_before = 0
    for part in _parts(predictor.competition, test, scratch, rows):
        read = _numbered_on(
            predictor.competition, new_rows.read(predictor.competition, part), n_before
        )
        yield predictor.answers(read, predictor.predict(read.table)).table()
        n_before += len(read.ids)


def _parts(competition: Competition, test: Path, scratch: Path, rows: int) -> Iterator[Path]:
    """The file in parts, or as it is where it must be read as a whole."""
    written = competition.file_format
    depends = competition.second_level.context_features is not None
    if written.json_records or depends:
        return iter([test])
    return parts(test, scratch, rows, separator=written.separator, quoting=written.quoting)


def _numbered_on(competition: Competition, read: NewRows, n_before: int) -> NewRows:
    """The rows with their numbers in the whole file, where the file has no ids."""
    if not n_before or not (has_row_numbers(competition) or read.id_name != competition.id):
        return read
    numbers = (read.ids.astype("int64") + n_before).astype("str")
    return dataclasses.replace(read, ids=numbers)
