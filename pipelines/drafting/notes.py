"""What a person should know of the rows before they trust a score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.drafting.answers import Answers
from pipelines.drafting.columns import MOST_CODES, ColumnFacts, as_typed
from pipelines.drafting.files import Tables
from pipelines.drafting.target import TargetFacts

MOST_ROWS = 20_000  # that are looked at for drift and leaks
FEWEST_ROWS = 50
DRIFT = 0.3  # largest distance between the distributions of training and test rows
KNOWS = 0.995  # share of the target that one column explains
SHOWN = 5


@dataclass(frozen=True)
class Note:
    """One remark: the column it is about, or None for whole rows, and a short word and text."""

    column: str | None
    word: str
    text: str


def find_notes(
    tables: Tables, answers: Answers, columns: Sequence[ColumnFacts], target: TargetFacts
) -> list[Note]:
    """All remarks on rows and columns."""
    shared = [column for column in columns if column.in_test]
    return [
        *_doubles(tables, [column.name for column in shared]),
        *_of_columns(columns),
        *_train_only(answers),
        *(note for column in shared for note in _drift(tables, column)),
        *(note for column in shared for note in _leak(tables, column, target)),
    ]


def _doubles(tables: Tables, names: Sequence[str]) -> Iterator[Note]:
    train, test = tables.train[list(names)], tables.test[list(names)]
    keys, test_keys = (pd.util.hash_pandas_object(t, index=False) for t in (train, test))
    if n := int(keys.duplicated().sum()):
        yield Note(None, "duplicates", f"{_rows(n, 'training')} an earlier one's values")
    if n := int(test_keys.isin(set(keys)).sum()):
        yield Note(None, "overlap", f"{_rows(n, 'test')} a training row's values")


def _rows(n: int, kind: str) -> str:
    return f"1 {kind} row has" if n == 1 else f"{n:,} {kind} rows have"


def _of_columns(columns: Sequence[ColumnFacts]) -> Iterator[Note]:
    for column in columns:
        if column.is_constant:
            yield Note(column.name, "constant", "holds one value only, so no model sees it")
        elif column.kind == "text" and column.n_levels > MOST_CODES and not column.is_long:
            yield Note(column.name, "levels", f"has {column.n_levels:,} levels")
        if column.is_guessed:
            yield Note(column.name, "dates", f"are read as {column.format}: day or month first?")


def _train_only(answers: Answers) -> Iterator[Note]:
    for name in answers.train_only:
        yield Note(name, "train only", "is not in the test file, so no model sees it")


def _drift(tables: Tables, column: ColumnFacts) -> Iterator[Note]:
    if column.is_constant or column.is_unique or column.is_long:
        return
    train, test = (_some(table[column.name]) for table in (tables.train, tables.test))
    if min(len(train), len(test)) < FEWEST_ROWS:
        return
    distance = _distance(as_typed(train, column), as_typed(test, column), column)
    if distance > DRIFT:
        yield Note(column.name, "drift", f"differs between training and test rows ({distance:.2f})")


def _distance(train: pd.Series, test: pd.Series, column: ColumnFacts) -> float:
    """From 0 to 1: of numbers and dates the largest between their distribution functions."""
    if column.kind == "text":
        if column.n_levels > MOST_CODES:
            return 0.0
        shares = [values.value_counts(normalize=True) for values in (train, test)]
        return float(shares[0].sub(shares[1], fill_value=0).abs().sum() / 2)
    from scipy.stats import ks_2samp

    numbers = [_numbers(values) for values in (train, test)]
    if min(map(len, numbers)) < FEWEST_ROWS:
        return 0.0
    return float(ks_2samp(*numbers, method="asymp").statistic)


def _numbers(values: pd.Series) -> np.ndarray:
    known = values.dropna()
    if known.dtype.kind == "M":
        return np.asarray(known.astype("int64").to_numpy(np.float64))
    return np.asarray(known.to_numpy(np.float64))


def _leak(tables: Tables, column: ColumnFacts, target: TargetFacts) -> Iterator[Note]:
    """Whether a small tree on this column alone knows the target."""
    if column.is_constant or column.is_unique or column.is_long or len(target.names) > 1:
        return
    rows = _some(tables.train[column.name])
    answers = tables.train.loc[rows.index, target.names[0]]
    if len(rows) >= FEWEST_ROWS and _share_known(rows, answers, column, target) > KNOWS:
        yield Note(column.name, "leak?", "alone all but tells the target: is it known in time?")


def _share_known(
    rows: pd.Series, answers: pd.Series, column: ColumnFacts, target: TargetFacts
) -> float:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if column.kind == "text" and column.n_levels > MOST_CODES:
        return 0.0
    values = as_typed(rows, column)
    codes = pd.factorize(values)[0] if column.kind == "text" else _filled(values)
    size = {"max_leaf_nodes": 64, "min_samples_leaf": max(5, len(rows) // 1000)}
    inputs = codes.reshape(-1, 1).astype(np.float64)
    if target.is_number and len(target.levels) > 20:
        values_of = pd.to_numeric(answers, errors="coerce").fillna(0.0)
        return float(DecisionTreeRegressor(**size).fit(inputs, values_of).score(inputs, values_of))
    tree = DecisionTreeClassifier(**size, class_weight="balanced").fit(inputs, answers)
    return _balanced(tree.predict(inputs), answers.to_numpy())


def _balanced(predicted: np.ndarray, answers: np.ndarray) -> float:
    """The mean over the classes of the share that is right."""
    return float(np.mean([(predicted[answers == c] == c).mean() for c in np.unique(answers)]))


def _filled(values: pd.Series) -> np.ndarray:
    numbers = values.astype("int64") if values.dtype.kind == "M" else values
    return np.asarray(numbers.to_numpy(np.float64, na_value=-1.0))


def _some(values: pd.Series) -> pd.Series:
    return values.iloc[:: -(-len(values) // MOST_ROWS)]
