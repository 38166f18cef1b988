"""Stage 2: raw files to typed tables, target, ids and folds."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.folds import FoldError, Folds, make_folds
from models.metrics import MetricError
from models.undefined_scores import undefined_scores
from pipelines.stages.extra_tables import ExtraTables, features_of, read_extra_tables
from pipelines.stages.input_tables import (
    TrainingRows,
    numbers,
    read_holdout,
    read_sample_submission,
    read_test_rows,
    read_training_rows,
)
from pipelines.stages.memory import check_fits
from pipelines.stages.targets import check_target
from pipelines.workspace import arrays
from pipelines.workspace.stage_files import PreprocessFiles
from submissions.check import check_sample_matches_test
from submissions.form import SubmissionForm, infer_form

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition
    from pipelines.raw_files.raw import RawFiles

PLAIN_KINDS = {"str", "int", "float", "bool", "date", "datetime", "Timestamp", "Decimal", "bytes"}
SHOWN = 12  # columns in a message
Features = Callable[[pd.DataFrame], pd.DataFrame]


class FeaturesError(ValueError):
    """The competition's `features` computes a row from other rows, or mixes kinds of values."""

    exit_code = 2


@dataclass(frozen=True)
class Holdout:
    """Labels of test rows that an offline sample holds back.

    Attributes:
        ids: `(n,)` texts.
        target: In the task's form.
    """

    ids: pd.Series
    target: np.ndarray


@dataclass(frozen=True)
class Prepared:
    """Typed tables with their row-wise features.

    Attributes:
        train: `n_train` rows; the index is the row number.
        test: `n_test` rows.
        target: In the task's form: `(n_train,) int64` positions of labels, or values
            `(n_train,)` or `(n_train, n_targets) float64`.
        train_ids: `(n_train,)` texts.
        test_ids: `(n_test,)` texts.
        folds: Which training rows are held out when.
        sample_submission: The sample submission as texts.
        form: The columns of a submission, and what they hold.
        weight: `(n_train,) float64`, how much each row counts; None for equal weights.
        extra: The tables of the competition's extra files.
        holdout: Labels that an offline sample holds back; else None.
        warnings: What a person should know of the rows.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    target: np.ndarray
    train_ids: pd.Series
    test_ids: pd.Series
    folds: Folds
    sample_submission: pd.DataFrame
    form: SubmissionForm
    weight: np.ndarray | None = None
    extra: ExtraTables = field(default_factory=ExtraTables)
    holdout: Holdout | None = None
    warnings: tuple[str, ...] = ()


def prepare(competition: Competition, raw: RawFiles) -> Prepared:
    """Read, check and type the files, add row-wise features, assign rows to folds.

    Raises:
        TableError: A file does not match the competition's columns.
        SampleError: The sample submission does not match the test file or the form.
        FoldError: There are too few rows for the folds.
        MetricError: The metric gives no number for right predictions.
        MemoryShortError: The files' tables do not fit into the memory.
        FeaturesError: `competition.features` is not row-wise.
    """
    check_fits(competition, raw)
    rows, extra = read_training_rows(competition, raw), read_extra_tables(competition, raw)
    test, test_ids = read_test_rows(competition, raw)
    sample = read_sample_submission(competition, raw)
    form = submission_form(competition, sample)
    _check_ids(competition, form, sample, test_ids)
    check_target(competition, rows.target, competition.files["train"])
    train, infinite = without_infinite(
        _with_features(features_of(competition, extra.train), rows.table, competition.name),
        "training",
    )
    test, infinite_test = without_infinite(
        _with_features(features_of(competition, extra.test), test, competition.name), "test"
    )
    folds = _folds(competition, rows, train)
    return Prepared(
        train=train,
        test=test,
        target=rows.target,
        train_ids=rows.ids,
        test_ids=test_ids,
        folds=folds,
        sample_submission=sample,
        form=form,
        weight=rows.weight,
        extra=extra,
        holdout=_holdout(competition, raw.holdout),
        warnings=(
            *(*rows.warnings, *infinite, *infinite_test, *folds.warnings),
            *_undefined(competition, rows.target, folds),
        ),
    )


def submission_form(competition: Competition, sample: pd.DataFrame) -> SubmissionForm:
    """The form of the competition's submissions, as its sample has it.

    Raises:
        SampleError: The sample lacks the id or the columns of the answers.
    """
    return infer_form(
        list(sample.columns),
        kind=competition.answer_form,
        id_name=competition.submission_id or competition.id,
        targets=competition.answer_names,
        labels=competition.classes,
        answer_columns=competition.answer_columns,
        k=competition.metric.k,
    )


def _check_ids(
    competition: Competition, form: SubmissionForm, sample: pd.DataFrame, test_ids: pd.Series
) -> None:
    """Check that the sample submission has the test file's rows."""
    check_sample_matches_test(
        numbers(len(sample)) if form.id is None else sample[form.id],
        test_ids if form.id is not None else numbers(len(test_ids)),
        sample_file=competition.files["sample_submission"],
        test_file=competition.files["test"],
    )


def _folds(competition: Competition, rows: TrainingRows, train: pd.DataFrame) -> Folds:
    """The folds, by columns of the training file or by row-wise features."""
    plan, task = competition.folds, competition.predicts

    def column(setting: str, name: str | None) -> np.ndarray | None:
        if name is None:
            return None
        if name not in rows.table and name not in train:
            raise FoldError(_no_such_column(setting, name, [*rows.table, *train]))
        return (rows.table if name in rows.table else train)[name].to_numpy()

    return make_folds(
        task.strata(rows.target),
        plan,
        groups=column("group", plan.group),
        time=column("time", plan.time),
        given=column("column", plan.column),
        names=competition.label_names if task.has_classes else None,
    )


def _no_such_column(setting: str, name: str, known: list[Any]) -> str:
    names = list(dict.fromkeys(map(str, known)))
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names[:SHOWN])}"
    return (
        f"folds.{setting} = {name!r}: neither the files nor `features` have such a column; {hint}"
    )


def _undefined(competition: Competition, target: np.ndarray, folds: Folds) -> list[str]:
    """Splits on whose held-out rows the metric is undefined, as AUC is for one class alone.

    Raises:
        FoldError: It is undefined on all of them.
        MetricError: It is, and not for lack of target values.
    """
    rows = [split.valid_rows for split in folds.splits()]
    found = undefined_scores(competition.metric, target, _perfect(competition, target), rows)
    if found is None:
        return []
    if not found.by_rows:
        step = "correct the function of the metric in the competition's file, or set another one"
        if found.is_everywhere:
            raise MetricError(f"{found.fault}, expected a number; {step}")
    else:
        step = "set folds.n_folds, folds.group or folds.stratify otherwise, or another metric"
        if found.is_everywhere:
            raise FoldError(f"{found.fault}; {step}")
    return [f"{found.fault}, so scores are means over the others; {step}"]


def _perfect(competition: Competition, target: np.ndarray) -> np.ndarray:
    """What a model that knows the target would predict, `(n_rows, n_columns)`."""
    if competition.predicts.chooses_class:
        return np.asarray(np.eye(competition.predicts.n_classes)[target])
    return target.reshape(len(target), -1).astype(np.float64)


def _holdout(competition: Competition, path: Path | None) -> Holdout | None:
    return None if path is None else Holdout(*read_holdout(competition, path))


def _with_features(features: Features, table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Add the features, and check on every other row that no row depends on others."""
    whole = features(table)
    if different := not_row_wise(features, table, whole):
        raise FeaturesError(
            f"features of {name}: {', '.join(different)} changed when other rows were left out, "
            "expected each row to be computed alone; a feature that needs other rows belongs in an "
            "encoder, which is fitted in the fold"
        )
    _check_one_kind(whole, name)
    return whole


def _check_one_kind(table: pd.DataFrame, name: str) -> None:
    """Check that no column mixes kinds of values, which no file of columns can hold.

    Raises:
        FeaturesError: One does.
    """
    for column in table.columns:
        values = table[column]
        if values.dtype != object:
            continue
        kinds = sorted({type(value).__name__ for value in values.dropna()})
        if len(kinds) > 1 or not set(kinds) <= PLAIN_KINDS:
            raise FeaturesError(
                f"features of {name}: column {str(column)!r} holds {' and '.join(kinds)}, expected "
                "values of one kind; make it numbers or texts with astype"
            )


def without_infinite(table: pd.DataFrame, rows: str) -> tuple[pd.DataFrame, list[str]]:
    """The table with infinite numbers as missing ones, and a warning for each such column.

    Args:
        table: With its features.
        rows: What to call its rows.
    """
    warnings = []
    for name in table.columns:
        values = table[name]
        if values.dtype.kind != "f":
            continue
        wrong = np.isinf(values.to_numpy(np.float64, na_value=np.nan))
        if wrong.any():
            n, first = int(wrong.sum()), int(wrong.argmax()) + 1
            warnings.append(
                f"column {str(name)!r} is infinite in {n:,} {rows} row{'s' * (n > 1)} (first: row "
                f"{first}), which counts as missing; a division by 0 in `features`?"
            )
            table = table.assign(**{str(name): values.mask(wrong)})
    return table, warnings


def not_row_wise(features: Features, table: pd.DataFrame, whole: pd.DataFrame) -> list[str]:
    """Columns of `whole`, the table's features, that change when every other row is left out."""
    some = table.index[::2]
    alone = features(table.loc[some])
    return [str(c) for c in whole.columns if not alone[c].equals(whole.loc[some, c])]


def save(prepared: Prepared, folder: Path) -> None:
    """Write everything into the folder: tables as parquet, arrays as npz, the rest as JSON."""
    files = PreprocessFiles(folder)
    prepared.train.to_parquet(files.train)
    prepared.test.to_parquet(files.test)
    prepared.sample_submission.to_parquet(files.sample_submission)
    rows = {"target": prepared.target, **prepared.folds.arrays()}
    if prepared.weight is not None:
        rows["weight"] = prepared.weight
    ids = {files.train_ids: prepared.train_ids, files.test_ids: prepared.test_ids}
    if prepared.holdout is not None:
        ids[files.holdout_ids] = prepared.holdout.ids
        rows["holdout"] = prepared.holdout.target
    for path, texts in ids.items():
        texts.rename("id").to_frame().to_parquet(path)
    arrays.write(files.rows, rows)
    for split, tables in (("train", prepared.extra.train), ("test", prepared.extra.test)):
        for name, table in tables.items():
            table.to_parquet(files.extra(name, split))
    described = {"form": prepared.form.model_dump(mode="json"), "warnings": prepared.warnings}
    files.description.write_text(json.dumps(described) + "\n")


def load(folder: Path) -> Prepared:
    """Read back what `save` wrote."""
    files = PreprocessFiles(folder)
    rows, described = arrays.read(files.rows), json.loads(files.description.read_text())
    return Prepared(
        train=pd.read_parquet(files.train),
        test=pd.read_parquet(files.test),
        target=rows["target"],
        train_ids=_ids(files.train_ids),
        test_ids=_ids(files.test_ids),
        folds=Folds.from_arrays(rows),
        sample_submission=pd.read_parquet(files.sample_submission),
        form=SubmissionForm.model_validate(described["form"]),
        weight=rows.get("weight"),
        extra=ExtraTables(_tables(files.all_extra("train")), _tables(files.all_extra("test"))),
        holdout=Holdout(_ids(files.holdout_ids), rows["holdout"]) if "holdout" in rows else None,
        warnings=tuple(described["warnings"]),
    )


def _tables(paths: dict[str, Path]) -> dict[str, pd.DataFrame]:
    return {name: pd.read_parquet(path) for name, path in paths.items()}


def _ids(path: Path) -> pd.Series:
    return pd.read_parquet(path)["id"]
