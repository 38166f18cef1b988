"""Files of predictions as people have them: CSV, parquet and npy, with ids or in file order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.tasks import Task
from submissions.check import as_text

TABLES, ARRAYS = (".csv", ".csv.gz", ".parquet"), (".npy",)
NAMELESS = "Unnamed: 0"  # what pandas calls the column of an index that was written along
USUAL_IDS = ("id", "row_id", "index", "idx")
USUAL_ANSWERS = ("pred", "prediction", "predictions", "oof", "oof_pred", "proba", "probability")
FOLD_NAMES = ("fold", "folds", "kfold")
MISSING = ("", "nan", "none", "<na>")
SHOWN = 8


class PredictionFileError(ValueError):
    """A file that holds no predictions of this competition's rows."""

    exit_code = 3


@dataclass(frozen=True)
class Expected:
    """What a file of predictions should hold.

    Attributes:
        task: What is predicted.
        columns: Names of the prediction's columns: of each class or target, with the other names
            under which a submission has it.
        id_names: Names of the id column.
        ids: `(n_rows,)`, the rows' ids as texts, in the competition's order.
        rows: What the rows are, for messages: `training` or `test`.
        labels: The classes as texts, for files of labels; none for values.
        answers: Further names of a single prediction column.
    """

    task: Task
    columns: tuple[tuple[str, ...], ...]
    id_names: tuple[str, ...]
    ids: pd.Series
    rows: str
    labels: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contents:
    """What a file holds, in its own order.

    Attributes:
        path: The file.
        values: `(n, n_columns) float64`.
        ids: `(n,)` texts; None where the file has none.
        fold: `(n,)`, the fold of each row; None where the file does not tell.
        notes: What a person should know of how it was read.
    """

    path: Path
    values: np.ndarray
    ids: pd.Series | None
    fold: np.ndarray | None = None
    notes: tuple[str, ...] = ()


def read(path: Path, expected: Expected) -> Contents:
    """Read a file of predictions.

    Raises:
        PredictionFileError: It cannot be read, or its columns are not those of the competition.
    """
    if path.name.endswith(ARRAYS):
        return _of_array(path, _array(path), expected)
    return _of_table(path, _table(path), expected)


def _fault(path: Path, found: str, wanted: str, step: str) -> PredictionFileError:
    return PredictionFileError(f"{path}: found {found}, expected {wanted}; {step}")


def _array(path: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        what = "no such file" if isinstance(error, FileNotFoundError) else "no array"
        step = "write it with np.save from an array of numbers"
        raise _fault(path, what, "an array of predictions", step) from error
    if array.ndim > 2 or array.dtype.kind not in "fiub":
        found = f"an array of {array.dtype} with shape {array.shape}"
        raise _fault(path, found, "numbers (n_rows,) or (n_rows, n_columns)", "write it again")
    return array


def _of_array(path: Path, array: np.ndarray, expected: Expected) -> Contents:
    values = array.reshape(len(array), -1).astype(np.float64)
    columns = _as_columns(path, values, expected.task)
    note = f"has no ids, so rows are taken in the order of the {expected.rows} file"
    return Contents(path, columns, None, notes=(note,))


def _table(path: Path) -> pd.DataFrame:
    if not path.name.endswith(TABLES):
        wanted = f"one of {', '.join((*TABLES, *ARRAYS))}"
        raise _fault(path, f"a file of kind {path.suffix!r}", wanted, "convert it first")
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)  # of an index with a name, as some libraries write
            return table.reset_index() if table.index.name else table
        header = list(pd.read_csv(path, nrows=0).columns)
        ids = [name for name in header if name.lower() in USUAL_IDS]
        return pd.read_csv(path, dtype=dict.fromkeys((*header[:1], *ids), str))
    except FileNotFoundError as error:
        raise _fault(path, "no such file", "a table of predictions", "look at its name") from error
    except (OSError, ValueError, ImportError) as error:  # pandas' and pyarrow's are ValueErrors
        found = f"no table ({' '.join(str(error).split())[:80]})"
        raise _fault(path, found, "a header and a row for each id", "write it again") from error


def _of_table(path: Path, table: pd.DataFrame, expected: Expected) -> Contents:
    table = table.set_axis([str(name) for name in table.columns], axis=1)
    if not len(table):
        raise _fault(path, "no row", f"a row for each {expected.rows} row", "write it again")
    id_name = _id_column(table, expected)
    notes: list[str] = []
    if id_name is None:
        notes.append(f"has no ids, so rows are taken in the order of the {expected.rows} file")
    others = [name for name in table.columns if name not in (id_name, NAMELESS)]
    fold = _fold_column(table, others)
    names = _answer_columns(path, [n for n in others if n != fold], expected)
    values = _numbers(path, table, names, expected, notes)
    return Contents(
        path,
        _as_columns(path, values, expected.task),
        None if id_name is None else as_text(table[id_name].rename(None)).reset_index(drop=True),
        None if fold is None else pd.to_numeric(table[fold]).to_numpy(np.int64),
        tuple(notes),
    )


def _id_column(table: pd.DataFrame, expected: Expected) -> str | None:
    """The column of ids: by its name, else the one whose texts are ids of the competition."""
    by_lower = {name.lower(): name for name in table.columns}
    answers = {name for names in expected.columns for name in names}
    for wanted in expected.id_names:
        if wanted.lower() in by_lower:
            return by_lower[wanted.lower()]
    known = set(expected.ids)
    for name in [by_lower[n] for n in USUAL_IDS if n in by_lower] + list(table.columns[:1]):
        texts = as_text(table[name])
        if name not in answers and texts.is_unique and texts.isin(known).mean() > 0.5:
            return name
    return None


def _fold_column(table: pd.DataFrame, names: Sequence[str]) -> str | None:
    for name in names:
        if name.lower() in FOLD_NAMES:
            numbers = pd.to_numeric(table[name], errors="coerce")
            if numbers.notna().all() and (numbers == numbers.round()).all():
                return name
    return None


def _answer_columns(path: Path, names: Sequence[str], expected: Expected) -> list[str]:
    """The columns of the predictions, in the competition's order.

    Raises:
        PredictionFileError: There are none, or more than one reading.
    """
    wanted = [[name for name in of_one if name in names] for of_one in expected.columns]
    if all(wanted):
        return [found[0] for found in wanted]
    if found := _with_affix(names, [of_one[0] for of_one in expected.columns]):
        return found
    if len(names) == 1:
        return list(names)
    single = [n for n in names if n in expected.answers or n.lower() in USUAL_ANSWERS]
    usual = [name for name in single if name.lower() in USUAL_ANSWERS]
    if len(usual or single) == 1 and expected.task.n_columns <= 2:
        return usual or single
    listed = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
    classes = ", ".join(of_one[0] for of_one in expected.columns[:SHOWN])
    form = f"a column for each of {classes}"
    if expected.task.kind == "binary":
        form += f", or one with the probability of {expected.columns[1][0]}"
    raise _fault(path, f"the columns {listed or 'none'}", form, "rename or drop columns")


def _with_affix(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Columns that are the wanted names with one prefix or suffix, such as `pred_0`, `pred_1`."""
    for name in names:
        for before in (True, False):
            is_one = name.endswith(wanted[0]) if before else name.startswith(wanted[0])
            if not is_one:
                continue
            affix = name[: -len(wanted[0])] if before else name[len(wanted[0]) :]
            found = [affix + text if before else text + affix for text in wanted]
            if set(found) <= set(names):
                return found
    return []


def _numbers(
    path: Path, table: pd.DataFrame, names: list[str], expected: Expected, notes: list[str]
) -> np.ndarray:
    """The columns as numbers; a column of labels as 0 and 1 for each class."""
    if expected.task.chooses_class and len(names) == 1:
        texts = as_text(table[names[0]])
        places = pd.Index(expected.labels).get_indexer(pd.Index(texts.tolist()))
        if (places >= 0).all():
            notes.append("holds labels rather than probabilities: they count as 0 and 1")
            return np.asarray(np.eye(len(expected.labels))[places])
    columns = [pd.to_numeric(table[name], errors="coerce") for name in names]
    for name, column in zip(names, columns, strict=True):
        texts = table[name].astype(str).str.strip()
        wrong = column.isna() & table[name].notna() & ~texts.str.lower().isin(MISSING)
        if wrong.any():
            first = int(wrong.to_numpy().argmax())
            found = f"{texts.iloc[first]!r} in column {name!r}, line {first + 2}"
            raise _fault(path, found, "a number", "correct the row")
    return np.column_stack([column.to_numpy(np.float64) for column in columns])


def _as_columns(path: Path, values: np.ndarray, task: Task) -> np.ndarray:
    """The values in the task's form, `(n, n_columns)`: of two classes one column is the second's.

    Raises:
        PredictionFileError: There are too many columns, or too few.
    """
    if task.kind == "binary" and values.shape[1] == 1:
        return np.hstack([1 - values, values])
    if values.shape[1] != task.n_columns:
        found = f"{values.shape[1]} columns of predictions"
        raise _fault(path, found, f"{task.n_columns}", "write one for each class or target")
    return values


def value_faults(contents: Contents, task: Task) -> Iterator[str]:
    """What is wrong with the numbers of a file, each with a row."""
    values = contents.values
    finite = np.isfinite(values).all(axis=1)
    yield from _rows(contents, ~finite, "missing or infinite", "finite numbers")
    if not task.predicts_probabilities:
        return
    inside = ((values >= -1e-6) & (values <= 1 + 1e-6)).all(axis=1)
    yield from _rows(contents, finite & ~inside, "outside 0 to 1", "probabilities")
    if task.chooses_class and task.n_classes > 2:
        whole = np.abs(values.sum(axis=1) - 1) <= 0.01
        yield from _rows(contents, finite & inside & ~whole, "not summing to 1", "sums of 1")


def _rows(contents: Contents, wrong: np.ndarray, what: str, wanted: str) -> Iterator[str]:
    if wrong.any():
        first = int(wrong.argmax())
        at = f"id {contents.ids.iloc[first]}" if contents.ids is not None else f"row {first + 1}"
        values = ", ".join(f"{value:.6g}" for value in contents.values[first][:3])
        yield f"{int(wrong.sum())} rows {what} (first: {at}: {values}), expected {wanted}"
