"""From predictions to the CSV that goes to Kaggle: joined on id, written whole or not at all."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from submissions.check import (
    FLOAT_FORMAT,
    SubmissionError,
    as_text,
    check_sample,
    id_faults,
    one_line,
    rows_named,
)
from submissions.form import BETWEEN, SubmissionForm
from submissions.whole_file import whole_file

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class OutputError(OSError):
    """A file that could not be written; no part of it is left."""

    exit_code = 3


def build(
    ids: npt.ArrayLike, predictions: npt.ArrayLike, sample: pd.DataFrame, form: SubmissionForm
) -> pd.DataFrame:
    """Put each prediction into the row of the sample submission that has its id.

    Args:
        ids: `(n_test,)` ids of the predicted rows as texts, in any order.
        predictions: What `answers` takes, `n_test` rows.
        sample: The sample submission as texts, which sets the ids and their order.
        form: The contents of the columns.

    Returns:
        The submission, with the sample's rows and columns and the form's values; other columns of
        the sample are as they are there.

    Raises:
        SubmissionError: The ids differ from the sample's, a prediction is not finite or not one of
            the labels, or the predictions have a wrong shape.
        SampleError: The sample submission does not have the form.
    """
    check_sample(sample, form)
    values = answers(np.asarray(predictions), form)
    order = _order(as_text(pd.Series(np.asarray(ids))), sample, form, n_rows=len(values))
    joined = values.take(order).set_axis(sample.index)
    columns = {name: joined[name] if name in joined else sample[name] for name in form.all_columns}
    return pd.DataFrame(columns)


def _order(
    found: pd.Series, sample: pd.DataFrame, form: SubmissionForm, *, n_rows: int
) -> npt.NDArray[np.intp]:
    """For each row of the sample the predicted row, `(n_sample,)`.

    Raises:
        SubmissionError: The ids or the numbers of rows differ.
    """
    if n_rows != len(found):
        fault = f"found {n_rows} rows, expected {len(found)}"
        raise SubmissionError(one_line("predictions", [fault], "give one row for each id"))
    if form.id is None:
        return np.arange(n_rows)
    wanted = as_text(sample[form.id])
    faults = id_faults(found.set_axis(range(2, len(found) + 2)), wanted)
    if faults:
        step = "predict each row of the test file once, then build again"
        raise SubmissionError(one_line("predictions", faults, step))
    order: npt.NDArray[np.intp] = pd.Index(found.tolist()).get_indexer(pd.Index(wanted.tolist()))
    return order


def write_csv(table: pd.DataFrame, path: str | Path) -> None:
    r"""Write a table whole or not at all.

    The same table gives the same bytes: "\n" ends a line, a float has nine significant digits.

    Raises:
        OutputError: The disk is full, or the folder cannot be written to.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary, temporary.open("wb") as file:
            file.write(csv_text(table).encode())
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(path.parent)
    except OSError as error:
        raise _output_error(path, error) from error


def csv_text(table: pd.DataFrame) -> str:
    r"""The text that `write_csv` writes: "\n" ends a line, a float has nine significant digits."""
    text: str = table.to_csv(index=False, lineterminator="\n", float_format=FLOAT_FORMAT)
    return text


def answers(predictions: np.ndarray, form: SubmissionForm) -> pd.DataFrame:
    """The form's columns without the id, in the order of the predictions.

    Args:
        predictions: Labels: positions among the form's labels `(n_rows,)` or, of several columns,
            `(n_rows, n_columns)`, or probabilities `(n_rows, n_classes)` for the likeliest, or the
            labels as texts. Top k and probabilities: probabilities `(n_rows, n_classes)`, of
            two classes also `(n_rows,)` of the second. Values: `(n_rows,)` or
            `(n_rows, n_columns)`.
        form: The contents of the columns.

    Raises:
        SubmissionError: A prediction is not finite or not one of the labels, or the shape is wrong.
    """
    if predictions.ndim not in (1, 2):
        raise _shape_error(predictions, "(n_rows, n_columns)")
    if np.issubdtype(predictions.dtype, np.floating):
        _check_finite(predictions)
    if form.kind == "labels":
        return _label_columns(predictions, form)
    if form.kind == "top_k":
        return pd.DataFrame({form.columns[0]: _rankings(predictions, form)})
    return pd.DataFrame(_numbers(predictions, form), columns=list(form.columns))


def _label_columns(predictions: np.ndarray, form: SubmissionForm) -> pd.DataFrame:
    """A column of labels for each column of the form."""
    if len(form.columns) == 1:
        return pd.DataFrame({form.columns[0]: _labels(predictions, form)})
    if predictions.shape[1:] != (len(form.columns),):
        raise _shape_error(predictions, f"({len(predictions)}, {len(form.columns)})")
    at = form.places or range(len(form.columns))
    named = zip(form.columns, at, strict=True)
    return pd.DataFrame({name: _labels(predictions[:, place], form) for name, place in named})


def _rankings(predictions: np.ndarray, form: SubmissionForm) -> pd.Series:
    """The k likeliest labels of each row, the likeliest first, with a blank between."""
    if predictions.shape[1:] != (len(form.labels),):
        raise _shape_error(predictions, f"({len(predictions)}, {len(form.labels)})")
    ranking = np.argsort(-predictions, axis=1, kind="stable")[:, : form.k]
    texts = np.array([str(label) for label in form.labels], dtype=object)
    return pd.Series([BETWEEN.join(row) for row in texts[ranking]], dtype="str")


def _labels(predictions: np.ndarray, form: SubmissionForm) -> pd.Series:
    """The label of each row, `(n_rows,)`, as the form spells it: 1 never becomes 1.0."""
    labels = pd.Series(form.labels)
    if predictions.ndim == 2:
        if predictions.shape[1] != len(labels):
            raise _shape_error(predictions, f"({len(predictions)}, {len(labels)})")
        return labels.take(predictions.argmax(axis=1)).reset_index(drop=True)
    if np.issubdtype(predictions.dtype, np.integer):
        return labels.take(predictions).reset_index(drop=True)
    text = as_text(pd.Series(predictions))
    codes = pd.Index(as_text(labels).tolist()).get_indexer(pd.Index(text.tolist()))
    if (codes < 0).any():
        unknown = text[codes < 0]
        fault = f"found {unknown.iloc[0]!r} in {rows_named(unknown.index + 2)}"
        allowed = ", ".join(as_text(labels).iloc[:10])
        step = "predict with these labels, or add the label to the competition's classes"
        fault = f"{fault}, expected one of {allowed}"
        raise SubmissionError(one_line("predictions", [fault], step))
    return labels.take(codes).reset_index(drop=True)


def _numbers(predictions: np.ndarray, form: SubmissionForm) -> npt.NDArray[np.float64]:
    """The numbers of the form's columns, `(n_rows, n_columns)`."""
    columns = predictions.reshape(len(predictions), -1)
    if form.places and max(form.places) < columns.shape[1]:
        columns = columns[:, list(form.places)]
    elif len(form.columns) == 1 and columns.shape[1] == 2:
        columns = columns[:, 1:]
    if columns.shape[1] != len(form.columns):
        raise _shape_error(predictions, f"({len(predictions)}, {len(form.columns)})")
    return columns.astype(np.float64)


def _check_finite(predictions: np.ndarray) -> None:
    wrong = np.flatnonzero(~np.isfinite(predictions.reshape(len(predictions), -1)).all(axis=1))
    if wrong.size:
        rows = ", ".join(str(row) for row in wrong[:3])
        fault = f"{wrong.size} rows are missing or infinite (first, from 0: {rows})"
        step = "check the members' scores: one of them has diverged"
        raise SubmissionError(one_line("predictions", [f"{fault}, expected finite numbers"], step))


def _shape_error(predictions: np.ndarray, expected: str) -> SubmissionError:
    fault = f"found the shape {predictions.shape}, expected {expected}"
    step = "give one row for each id and one column for each class"
    return SubmissionError(one_line("predictions", [fault], step))


def _sync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _output_error(path: Path, error: OSError) -> OutputError:
    folder = shlex.quote(str(path.parent))
    if error.errno in FULL_DISK:
        free = f"{_free(path):,} bytes free"
        what = f"the disk is full ({free})"
        step = f"df -h {folder}, free some space and run it again"
    else:
        what, step = "the folder cannot be written", f"ls -ld {folder}, or give another --out"
    return OutputError(f"{path}: not written: {what} ({error.strerror}). Next: {step}")


def _free(path: Path) -> int:
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    return shutil.disk_usage(folder).free
