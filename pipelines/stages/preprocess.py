"""Stage 2: raw files to typed tables, target, ids and folds."""

from __future__ import annotations

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
ROWS = ("target", "train_ids", "test_ids")


class FeaturesError(ValueError):
    """The competition's `features` lets one row see another, outside of any fold."""

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
        folds: which training rows are held out when.
        sample_submission: the form in which Kaggle wants the answer.
        holdout: labels of test rows that an offline sample keeps back, by id; else None.
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
    """Read, check and type the files, add row-wise features, deal the folds.

    Raises:
        TableError: a file that is not as the competition's columns say.
        FoldError: too few rows for the folds.
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
        train=_row_wise(competition, train.drop(columns=drop)),
        test=_row_wise(competition, test.drop(columns=drop[:1])),
        target=target,
        train_ids=train[competition.id].to_numpy(),
        test_ids=test[competition.id].to_numpy(),
        folds=make_folds(target, competition.folds, groups=_groups(competition, train)),
        sample_submission=sample,
        holdout=_read_holdout(competition, raw),
    )


def read_sample_submission(competition: Competition, raw: RawFiles) -> pd.DataFrame:
    """The form in which Kaggle wants the answer.

    Raises:
        TableError: it does not have the id and the answer's columns.
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
    """What rows without ids are called: from 1, `(n_rows,) int64`."""
    return np.arange(1, n_rows + 1)


def read_rows(
    competition: Competition,
    path: Path,
    columns: tuple[Column, ...],
    *,
    form: FileForm = "own",
) -> pd.DataFrame:
    """A table of the competition.

    Args:
        competition: whose table it is.
        path: the file.
        columns: what it holds.
        form: the competition's own separator and quoting, or plain CSV.

    Raises:
        TableError: the file is not as the columns say, or has an id twice.
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


def _read_holdout(competition: Competition, raw: RawFiles) -> pd.DataFrame | None:
    if raw.holdout is None:
        return None
    columns = (id_column(competition), _target_column(competition))
    return read_table(raw.holdout, columns)


def id_column(competition: Competition) -> Column:
    """What the ids of all files look like."""
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


def _groups(competition: Competition, train: pd.DataFrame) -> np.ndarray | None:
    group = competition.folds.group
    return None if group is None else train[group].to_numpy()


def _row_wise(competition: Competition, table: pd.DataFrame) -> pd.DataFrame:
    """Add the features, and prove on every other row that no row saw another one."""
    whole = competition.features(table)
    if different := not_row_wise(competition, table, whole):
        raise FeaturesError(
            f"features of {competition.name}: {', '.join(different)} changed when other rows were "
            "left out; a feature that needs other rows belongs in an encoder, fitted in the fold"
        )
    return whole


def not_row_wise(competition: Competition, table: pd.DataFrame, whole: pd.DataFrame) -> list[str]:
    """Columns of `whole`, the table's features, that change when every other row is left out."""
    some = table.index[::2]
    alone = competition.features(table.loc[some])
    return [str(c) for c in whole.columns if not alone[c].equals(whole.loc[some, c])]


def save(prepared: Prepared, folder: Path) -> None:
    """Write everything into the folder; tables as parquet, the rest as npy."""
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
