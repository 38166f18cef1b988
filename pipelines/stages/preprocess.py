"""Stage 2: raw files to typed tables, target, ids and folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from features.folds import Folds, make_folds
from features.tables.schema import Column, check_target, check_unique, read_table
from pipelines.workspace import arrays
from pipelines.workspace.stage_files import PreprocessFiles
from submissions.check import check_sample_matches_test

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition, Label
    from pipelines.raw_files.raw import RawFiles

FileForm = Literal["own", "plain"]
Features = Callable[[pd.DataFrame], pd.DataFrame]
ROWS = ("target", "train_ids", "test_ids")


class FeaturesError(ValueError):
    """The competition's `features` computes a row from other rows, across folds."""

    exit_code = 2


@dataclass(frozen=True)
class Prepared:
    """Typed tables with their row-wise features.

    Attributes:
        train: `n_train` rows; the index is the row number.
        test: `n_test` rows.
        target: `(n_train,) int64` class index.
        train_ids: `(n_train,)`.
        test_ids: `(n_test,)`.
        folds: Which training rows are held out when.
        sample_submission: The form in which Kaggle wants the submission.
        holdout: Labels of test rows that an offline sample holds back, by id; else None.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    target: np.ndarray
    train_ids: np.ndarray
    test_ids: np.ndarray
    folds: Folds
    sample_submission: pd.DataFrame
    holdout: pd.DataFrame | None


def prepare(competition: Competition, raw: RawFiles) -> Prepared:
    """Read, check and type the files, add row-wise features, assign rows to folds.

    Raises:
        TableError: A file does not match the competition's columns.
        FoldError: There are too few rows for the folds.
        FeaturesError: `competition.features` is not row-wise.
    """
    train = _read(competition, raw, "train", _train_columns(competition))
    test = _read(competition, raw, "test", _test_columns(competition))
    sample = read_sample_submission(competition, raw)
    check_sample_matches_test(
        sample[competition.id],
        test[competition.id],
        sample_file=competition.files["sample_submission"],
        test_file=competition.files["test"],
    )
    check_target(train[competition.target], competition.files["train"])
    target = class_indices(train[competition.target], competition.classes)
    drop = [competition.id, competition.target]
    return Prepared(
        train=_with_features(competition.features, train.drop(columns=drop), competition.name),
        test=_with_features(competition.features, test.drop(columns=drop[:1]), competition.name),
        target=target,
        train_ids=train[competition.id].to_numpy(),
        test_ids=test[competition.id].to_numpy(),
        folds=make_folds(target, competition.folds, groups=_groups(train, competition.folds.group)),
        sample_submission=sample,
        holdout=_read_holdout(competition, raw.holdout),
    )


def read_sample_submission(competition: Competition, raw: RawFiles) -> pd.DataFrame:
    """The form in which Kaggle wants the submission.

    Raises:
        TableError: It lacks the id or the columns of the predictions.
    """
    return _read(competition, raw, "sample_submission", _sample_columns(competition))


def class_indices(labels: pd.Series[Label], classes: tuple[Label, ...]) -> np.ndarray:
    """Labels `(n,)` to their positions in `classes`, `(n,) int64`."""
    return pd.Categorical(labels, categories=list(classes)).codes.astype(np.int64)


def _read(
    competition: Competition, raw: RawFiles, role: str, columns: tuple[Column, ...]
) -> pd.DataFrame:
    file = raw.files[competition.files[role]]  # type: ignore[index]
    form: FileForm = "plain" if role == "sample_submission" else "own"
    is_numbered = competition.file_format.row_numbers and form == "own"
    table = read_rows(competition, file.path, columns[1:] if is_numbered else columns, form=form)
    return table.assign(**{competition.id: numbers(len(table))}) if is_numbered else table


def numbers(n_rows: int) -> np.ndarray:
    """Ids of rows that have none: numbers from 1, `(n_rows,) int64`."""
    return np.arange(1, n_rows + 1)


def read_rows(
    competition: Competition,
    path: Path,
    columns: tuple[Column, ...],
    *,
    form: FileForm = "own",
) -> pd.DataFrame:
    """Read one of the competition's tables.

    Args:
        competition: Gives the separator, the quoting and the name of the id.
        path: The file.
        columns: What it holds.
        form: `own` for the competition's separator and quoting, `plain` for standard CSV.

    Raises:
        TableError: The file does not match the columns, or has an id twice.
    """
    is_plain = form == "plain"
    table = read_table(
        path,
        columns,
        separator="," if is_plain else competition.file_format.separator,
        quoting=is_plain or competition.file_format.quoting,
    )
    if competition.id in table:
        check_unique(table, competition.id, file=path.name)
    return table


def _read_holdout(competition: Competition, path: Path | None) -> pd.DataFrame | None:
    if path is None:
        return None
    return read_table(path, (id_column(competition), _target_column(competition)))


def id_column(competition: Competition) -> Column:
    """The id column of all files."""
    return Column(name=competition.id, kind="int")


def _target_column(competition: Competition, name: str | None = None) -> Column:
    kind = "int" if isinstance(competition.classes[0], int) else "text"
    return Column(name=name or competition.target, kind=kind, allowed=competition.classes)


def _train_columns(competition: Competition) -> tuple[Column, ...]:
    return (id_column(competition), _target_column(competition), *competition.columns)


def _test_columns(competition: Competition) -> tuple[Column, ...]:
    return (id_column(competition), *competition.columns)


def _sample_columns(competition: Competition) -> tuple[Column, ...]:
    if competition.form == "labels":
        return (id_column(competition), _target_column(competition, competition.submission_column))
    probabilities = (Column(name=str(label), kind="float") for label in competition.classes)
    return (id_column(competition), *probabilities)


def _groups(train: pd.DataFrame, group: str | None) -> np.ndarray | None:
    return None if group is None else train[group].to_numpy()


def _with_features(features: Features, table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Add the features, and check on every other row that no row depends on others."""
    whole = features(table)
    if different := not_row_wise(features, table, whole):
        raise FeaturesError(
            f"features of {name}: {', '.join(different)} changed when other rows were left out, "
            "expected each row to be computed alone; a feature that needs other rows belongs in an "
            "encoder, which is fitted in the fold"
        )
    return whole


def not_row_wise(features: Features, table: pd.DataFrame, whole: pd.DataFrame) -> list[str]:
    """Columns of `whole`, the table's features, that change when every other row is left out."""
    some = table.index[::2]
    alone = features(table.loc[some])
    return [str(c) for c in whole.columns if not alone[c].equals(whole.loc[some, c])]


def save(prepared: Prepared, folder: Path) -> None:
    """Write everything into the folder: tables as parquet, arrays as one npz."""
    files = PreprocessFiles(folder)
    prepared.train.to_parquet(files.train)
    prepared.test.to_parquet(files.test)
    prepared.sample_submission.to_parquet(files.sample_submission)
    if prepared.holdout is not None:
        prepared.holdout.to_parquet(files.holdout)
    rows = {name: getattr(prepared, name) for name in ROWS}
    arrays.write(files.rows, rows | {"assignment": prepared.folds.assignment})


def load(folder: Path) -> Prepared:
    """Read back what `save` wrote."""
    files = PreprocessFiles(folder)
    rows = arrays.read(files.rows)
    return Prepared(
        train=pd.read_parquet(files.train),
        test=pd.read_parquet(files.test),
        folds=Folds(rows.pop("assignment")),
        sample_submission=pd.read_parquet(files.sample_submission),
        holdout=pd.read_parquet(files.holdout) if files.holdout.exists() else None,
        **rows,
    )
