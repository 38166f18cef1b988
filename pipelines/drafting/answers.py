"""What the sample submission asks for: by which id, of which target, in which columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pipelines.drafting.files import Tables

SHOWN = 8
WHOLE = re.compile(r"(-?\d+)\.0+")


class NoSuchTargetError(ValueError):
    """Files in which the target cannot be found, or a column that they lack."""

    exit_code = 2


@dataclass(frozen=True)
class Answers:
    """How a submission names its rows and its answers.

    Attributes:
        id: The id column of the files; None where the sample has the test file's rows in order.
        submission_id: The sample's name of it, where that differs.
        targets: The target columns of the training file.
        submission_column: The sample's name of the target, where that differs.
        label_columns: By label, its column in the sample; empty where answers are one column.
        train_only: Further columns that the test file lacks.
        row_numbers: Whether the id is the row's number, which only the sample has.
    """

    id: str | None
    submission_id: str | None
    targets: tuple[str, ...]
    submission_column: str | None = None
    label_columns: tuple[tuple[str, str], ...] = ()
    train_only: tuple[str, ...] = ()
    row_numbers: bool = False

    @property
    def id_column(self) -> str | None:
        """The column of the training and test file that holds the id."""
        return None if self.row_numbers else self.id

    @property
    def columns(self) -> tuple[str, ...]:
        """The sample's columns of the answers."""
        if self.label_columns:
            return tuple(column for _, column in self.label_columns)
        return self.targets if self.submission_column is None else (self.submission_column,)


def read_answers(tables: Tables, target: str | None) -> Answers:
    """What the sample submission asks for.

    Args:
        tables: The three files.
        target: As typed; None to tell it from the files.

    Raises:
        NoSuchTargetError: No column, or several, could be the target.
    """
    id_, submission_id = _find_id(tables)
    row_numbers = id_ is None and _are_row_numbers(tables)
    if row_numbers:
        id_ = str(tables.sample.columns[0])
    name = submission_id or id_
    asked = [column for column in map(str, tables.sample) if column != name]
    only = [
        column for column in map(str, tables.train) if column not in tables.test and column != id_
    ]
    targets, labels = _find_targets(tables, asked, only, target)
    is_named = labels or set(targets) <= set(asked)
    others = [column for column in asked if column not in tables.test]
    if not is_named and len(others) != 1:
        raise _unclear(asked, only)
    return Answers(
        id_,
        submission_id,
        targets,
        submission_column=None if is_named else others[0],
        label_columns=labels,
        train_only=tuple(column for column in only if column not in targets),
        row_numbers=row_numbers,
    )


def _find_id(tables: Tables) -> tuple[str | None, str | None]:
    """The id column, and the sample's name of it where that differs."""
    test, sample = tables.test, tables.sample
    for name in sample.columns.intersection(test.columns, sort=False):
        if _same_rows(test[name], sample[name]):
            if name not in tables.train:
                raise _without_id(str(name), tables)
            return str(name), None
    first = str(sample.columns[0])
    if first not in test and first not in tables.train:
        for name in test.columns:
            if _same_rows(test[name], sample[first]) and name in tables.train:
                return str(name), first
    return None, None


def _are_row_numbers(tables: Tables) -> bool:
    """Whether the sample's first column, which the files lack, counts the test rows from 1."""
    first = tables.sample.iloc[:, 0]
    if len(tables.sample.columns) < 2 or first.name in tables.train or first.name in tables.test:
        return False
    return first.tolist() == [str(number) for number in range(1, len(tables.test) + 1)]


def _without_id(name: str, tables: Tables) -> NoSuchTargetError:
    train = tables.files.names["train"]
    return NoSuchTargetError(
        f"{train}: found no column {name!r}, expected the id that the test file and the sample "
        f"submission have; add it to {train}, for instance as row numbers, and type the same again"
    )


def _same_rows(test: pd.Series, sample: pd.Series) -> bool:
    return bool(test.is_unique) and len(test) == len(sample) and set(test) == set(sample)


def _find_targets(
    tables: Tables, asked: Sequence[str], only: Sequence[str], target: str | None
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The target columns, and where the sample has a column for each label, those."""
    if target is not None and target not in tables.train:
        raise NoSuchTargetError(
            f"--target {target}: the training file has no such column; it has "
            f"{_listed(list(map(str, tables.train)))}"
        )
    if target is not None and target in tables.test and tables.test[target].nunique() > 1:
        raise NoSuchTargetError(
            f"--target {target}: the test file has its values, so there is nothing to predict; "
            f"type one of the columns that only the training file has: {_listed(only) or 'none'}"
        )
    named = tuple(column for column in asked if column in only)
    if target is None and named:
        return named, ()
    candidates = [target] if target is not None else list(only)
    for column in candidates:
        if labels := _columns_of_labels(tables.train[column], asked):
            return (column,), labels
    if len(candidates) != 1:
        raise _unclear(asked, only)
    return (candidates[0],), ()


def _columns_of_labels(values: pd.Series, asked: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Each label and the sample's column of it: called like it, with one prefix or suffix."""
    labels = [plain(text) for text in pd.unique(values) if text.strip()]
    if not 2 <= len(labels) <= len(asked) or len(set(labels)) != len(labels):
        return ()
    for column in asked:
        if labels[0] not in column:
            continue
        before, _, after = column.partition(labels[0])
        found = {f"{before}{label}{after}": label for label in labels}
        if set(found) <= set(asked):
            return tuple((found[name], name) for name in asked if name in found)
    return ()


def plain(label: str) -> str:
    """A label as people write it: without blanks around it, and 1 for 1.0."""
    text = label.strip()
    whole = WHOLE.fullmatch(text)
    return whole[1] if whole else text


def _unclear(asked: Sequence[str], only: Sequence[str]) -> NoSuchTargetError:
    return NoSuchTargetError(
        f"which column is the target? The sample submission asks for {_listed(asked)}, and the "
        f"columns that only the training file has are {_listed(only) or 'none'}; type --target "
        "and one of the training file's columns"
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(repr, names[:SHOWN])) + more
