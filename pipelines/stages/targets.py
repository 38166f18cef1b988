"""The target as arrays: labels to positions, several columns to one array, rows without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.tables.labels import read_labels
from features.tables.schema import Column
from features.tables.text_file import Fault, TableError

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition

WHETHER = (0, 1)  # what a column says of one label


def target_columns(competition: Competition) -> tuple[Column, ...]:
    """The target columns of a file; labels are read as texts, and any value may be missing."""
    kind = "float" if competition.predicts.kind == "regression" else "text"
    return tuple(Column(name=name, kind=kind, missing=True) for name in competition.targets)


def read_target(
    competition: Competition, table: pd.DataFrame, file: str
) -> tuple[np.ndarray, np.ndarray]:
    """The target, and which rows have one.

    Args:
        competition: Its task, targets and classes.
        table: With the columns of `target_columns`.
        file: The file's name, for messages.

    Returns:
        The array in the task's form, `(n_rows,)` or `(n_rows, n_targets)`, and `(n_rows,) bool`.

    Raises:
        TableError: A label is not one of the classes.
    """
    task = competition.predicts
    if task.kind == "regression":
        values = table[list(competition.targets)].to_numpy(np.float64)
        is_there = np.asarray(~np.isnan(values).any(axis=1))
        return values[:, 0] if task.n_targets == 1 else values, is_there
    if len(competition.targets) == 1:
        of_row = read_labels(table[competition.targets[0]], competition.classes, file=file)
        return of_row, of_row >= 0
    whether = [read_labels(table[name], WHETHER, file=file) for name in competition.targets]
    columns = np.column_stack(whether)
    is_there = np.asarray((columns >= 0).all(axis=1))
    if task.kind == "multilabel":
        return columns.astype(np.float64), is_there
    _check_one_label(columns, is_there, competition, file)
    return columns.argmax(axis=1), is_there


def check_target(competition: Competition, target: np.ndarray, file: str) -> None:
    """Check that a model could learn from the target: it has two values or more.

    Raises:
        TableError: All rows have the same.
    """
    if len(target) and len(np.unique(target, axis=0)) > 1:
        return
    where = f"target {', '.join(map(repr, competition.targets))}, all {len(target)} rows"
    found = "no value"
    if len(target):
        first = target[0]
        found = f"only the value {first}"
        if competition.predicts.has_classes:
            found = f"only the class {str(competition.classes[int(first)])!r}"
    step = "give training rows of every class, or name another target column"
    raise TableError(file, [Fault(where, found, "two classes or more", step)])


def _check_one_label(
    columns: np.ndarray, is_there: np.ndarray, competition: Competition, file: str
) -> None:
    """Check that exactly one of several 0/1 columns is 1 in each row."""
    wrong = np.flatnonzero(is_there & (columns.sum(axis=1) != 1))
    if wrong.size:
        names = ", ".join(competition.targets)
        where = f"columns {names}, row {wrong[0] + 1}"
        found = f"{columns[wrong[0]].sum()} of them 1 (and {wrong.size - 1} more such rows)"
        step = "set task='multilabel' if several labels may hold"
        raise TableError(file, [Fault(where, found, "exactly one of them 1", step)])
