"""Which rows belong together, or come later: the fold plan that the files speak for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pipelines.drafting.answers import Answers
from pipelines.drafting.columns import ColumnFacts, as_typed
from pipelines.drafting.files import Tables
from pipelines.drafting.sizes import n_folds

GROUP_IN_ID = r"[^_]+_\d{1,3}"
FEWEST_GROUPS = 20
LARGEST_GROUP = 50  # rows, on average
KNOWN_GROUPS = 0.02  # share of test rows whose group the training file has
LATER = 0.95  # share of training rows before the first test row
ID_GROUP = "id_group"  # the feature that holds it


@dataclass(frozen=True)
class FoldGuess:
    """How rows are assigned to folds.

    Attributes:
        n_folds: Their number.
        group: A column whose rows stay together; `id_group` for the first part of the id.
        time: A column of dates by which folds follow each other.
        reason: What in the files speaks for it; empty for plain folds.
    """

    n_folds: int
    group: str | None = None
    time: str | None = None
    reason: str = ""

    @property
    def groups_by_id(self) -> bool:
        """Whether the group is the first part of the id."""
        return self.group == ID_GROUP


def guess_folds(
    tables: Tables, answers: Answers, columns: Sequence[ColumnFacts], *, n_outputs: int = 1
) -> FoldGuess:
    """The fold plan: by time, by group, or plain.

    Args:
        tables: Kaggle's files.
        answers: Which columns are id and target.
        columns: Facts of the others.
        n_outputs: Numbers of a prediction.
    """
    n = n_folds(len(tables.train), n_outputs)
    for column in columns:
        if column.kind == "date" and column.in_test and _is_later(tables, column):
            later = f"the test rows' {column.name!r} lie after the training rows'"
            return FoldGuess(min(n, 4), time=column.name, reason=later)
    id_ = answers.id_column
    if id_ is not None and _has_groups(tables.train[id_]):
        reason = f"ids like {tables.train[id_].iloc[0]!r} name a group"
        return FoldGuess(n, group=ID_GROUP, reason=reason)
    for column in columns:
        if column.in_test and _is_group(tables, column):
            reason = f"rows share a {column.name!r}, and the test rows have others"
            return FoldGuess(n, group=column.name, reason=reason)
    return FoldGuess(n)


def _is_later(tables: Tables, column: ColumnFacts) -> bool:
    train, test = (as_typed(t[column.name], column).dropna() for t in (tables.train, tables.test))
    complete = len(train) == len(tables.train) and len(test) > 0
    return complete and bool((train <= test.min()).mean() >= LATER) and train.max() < test.max()


def _has_groups(ids: pd.Series) -> bool:
    """Whether ids like `0013_01` share their first part."""
    if not ids.str.fullmatch(GROUP_IN_ID).all():
        return False
    groups = ids.str.split("_").str[0]
    return bool(FEWEST_GROUPS <= groups.nunique() < 0.95 * len(ids))


def _is_group(tables: Tables, column: ColumnFacts) -> bool:
    """Whether a column's values repeat within a file but not from one file to the other."""
    if column.kind not in ("text", "int") or column.may_be_missing:
        return False
    train, test = tables.train[column.name], tables.test[column.name]
    n_groups = train.nunique()
    size = len(train) / max(1, n_groups)
    if n_groups < FEWEST_GROUPS or not 1.25 <= size <= LARGEST_GROUP:
        return False
    return bool(test.nunique() >= 5 and test.isin(set(train)).mean() <= KNOWN_GROUPS)
