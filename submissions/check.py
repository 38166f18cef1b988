"""Checks whether Kaggle will accept a submission; one message lists every fault."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from features.tables.records import BrokenRecordError, records
from submissions.form import BETWEEN, SampleError, SubmissionForm

MAX_FAULTS_SHOWN = 5
MAX_ROWS_SHOWN = 3
NAMELESS = "without a name (of pandas, write with index=False)"
# Nine significant digits are enough for a float32; a fixed number of decimals would round a small
# probability to 0, which log-loss punishes without limit.
FLOAT_FORMAT = "%.9g"


class SubmissionError(ValueError):
    """A submission that Kaggle would not accept."""

    exit_code = 5


def check(
    submission: pd.DataFrame | str | Path, sample: pd.DataFrame, form: SubmissionForm
) -> None:
    """Check a submission, in memory or on disk, against the sample submission.

    Raises:
        SubmissionError: Its columns, ids or values are wrong.
        SampleError: The sample submission itself does not have the form.
    """
    check_sample(sample, form)
    name, faults = "submission", list[str]()
    if isinstance(submission, pd.DataFrame):
        table = submission.set_axis(range(2, len(submission) + 2))
    else:
        name = str(submission)
        table = _read_text(Path(submission), faults)
    faults += _column_faults(list(table.columns), form.all_columns)
    unique = [column for column in form.all_columns if list(table.columns).count(column) == 1]
    ids = None
    if form.id is None and len(table) != len(sample):
        faults.append(f"found {len(table)} rows, expected the {len(sample)} of the sample")
    if form.id in unique:
        ids = as_text(table[form.id])
        faults += id_faults(ids, as_text(sample[form.id]))
    values = table[[column for column in unique if column in form.columns]]
    faults += _value_faults(values, form, ids)
    if faults:
        step = "correct these rows, or build the submission again with foldwise run"
        raise SubmissionError(one_line(name, faults, step))


def check_sample(sample: pd.DataFrame, form: SubmissionForm) -> None:
    """Check that the sample submission has the form's columns, and each id once.

    Raises:
        SampleError: It does not.
    """
    faults = _column_faults(list(sample.columns), form.all_columns)
    if not faults and form.id is not None:
        ids = as_text(sample[form.id])
        faults = id_faults(ids.set_axis(range(2, len(ids) + 2)), ids)
    if not faults and sample.empty:
        faults = ["found no row, expected one for each test row"]
    if faults:
        step = "download the sample submission again, or correct the competition's form"
        raise SampleError(one_line("sample submission", faults, step))


def check_sample_matches_test(
    sample_ids: pd.Series,
    test_ids: pd.Series,
    *,
    sample_file: str | Path = "sample submission",
    test_file: str | Path = "test file",
) -> None:
    """Check that the sample submission has the ids of the test file and no others.

    Raises:
        SampleError: An id is in only one of them, or twice in one.
    """
    test = as_text(test_ids.set_axis(range(2, len(test_ids) + 2)))
    faults = id_faults(test, as_text(sample_ids), expected_in=str(sample_file))
    if sample_ids.duplicated().any():
        twice = sample_ids[sample_ids.duplicated()].iloc[0]
        faults.append(f"{sample_file} has id {twice} twice, expected it once")
    if faults:
        step = "take both files from the same download"
        raise SampleError(one_line(str(test_file), faults, step))


def as_text(values: pd.Series) -> pd.Series:
    """Each value as it is written in the CSV; a missing value is ''."""
    if pd.api.types.is_float_dtype(values.dtype):
        text = values.map(lambda value: FLOAT_FORMAT % value)
    else:
        text = values.astype(str)
    return text.astype(object).where(values.notna(), "")


def id_faults(found: pd.Series, expected: pd.Series, expected_in: str = "the sample") -> list[str]:
    """What is wrong with a column of ids, as texts; the index of `found` holds line numbers."""
    faults = []
    missing = expected[~expected.isin(found)]
    if len(missing):
        faults.append(f"{len(missing)} ids of {expected_in} are missing (first: {_first(missing)})")
    unknown = found[~found.isin(expected) & (found != "")]
    if len(unknown):
        rows = rows_named(unknown.index)
        faults.append(f"{len(unknown)} ids are not in {expected_in} ({_first(unknown)}; {rows})")
    doubled = found[found.duplicated() & (found != "")]
    if len(doubled):
        rows = rows_named(doubled.index)
        faults.append(f"{len(doubled)} ids are repeated ({_first(doubled)}; {rows})")
    if (found == "").any():
        faults.append(f"the id is missing ({rows_named(found.index[found == ''])})")
    return faults


def rows_named(lines: Iterable[int], ids: pd.Series | None = None) -> str:
    """The first line numbers, with their ids if given, and how many more there are."""
    lines = list(lines)
    names = [
        f"line {line}" + (f" = id {ids[line]}" if ids is not None else "")
        for line in lines[:MAX_ROWS_SHOWN]
    ]
    n_more = len(lines) - len(names)
    return ", ".join(names) + (f" and {n_more} more" if n_more else "")


def one_line(name: str, faults: Sequence[str], next_step: str) -> str:
    """A message of one line: where, what, and what to do next."""
    listed = "; ".join(faults[:MAX_FAULTS_SHOWN])
    n_more = len(faults) - MAX_FAULTS_SHOWN
    more = f"; and {n_more} more fault{'s' * (n_more > 1)}" if n_more > 0 else ""
    return f"{name}: {listed}{more}. Next: {next_step}"


def _read_text(path: Path, faults: list[str]) -> pd.DataFrame:
    """The CSV as text, indexed by line number; lines of a wrong width are added to `faults`."""
    step = "give a CSV that foldwise run wrote"
    try:
        lines = dict(records(path.read_bytes()))
    except (OSError, UnicodeDecodeError, BrokenRecordError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SubmissionError(
            one_line(str(path), [f"cannot be read ({reason}), expected a UTF-8 CSV"], step)
        ) from error
    if not lines:
        raise SubmissionError(one_line(str(path), ["found an empty file, expected a CSV"], step))
    header = lines.pop(min(lines))
    width = len(header)
    ragged = [line for line, fields in lines.items() if len(fields) != width]
    if ragged:
        faults.append(f"expected {width} fields, found another number ({rows_named(ragged)})")
    even = [(fields + [""] * width)[:width] for fields in lines.values()]
    return pd.DataFrame(even, index=list(lines), columns=header, dtype=object)


def _column_faults(found: list[str], expected: list[str]) -> list[str]:
    if found == expected:
        return []
    kinds = {
        "missing": [name for name in expected if name not in found],
        "unknown": [name for name in dict.fromkeys(found) if name not in expected],
        "repeated": [name for name in dict.fromkeys(found) if found.count(name) > 1],
    }
    wrong = [
        f"{kind} columns {_listed([name or NAMELESS for name in names])}"
        for kind, names in kinds.items()
        if names
    ]
    wanted = f"expected the columns {_listed(expected)}"
    return [f"{', '.join(wrong) or f'found the columns {_listed(found)}'}, {wanted}"]


def _value_faults(values: pd.DataFrame, form: SubmissionForm, ids: pd.Series | None) -> list[str]:
    if form.kind == "labels":
        return _label_faults(values, form, ids)
    if form.kind == "top_k":
        return _ranking_faults(values, form, ids)
    return _number_faults(values, form, ids)


def _label_faults(values: pd.DataFrame, form: SubmissionForm, ids: pd.Series | None) -> list[str]:
    allowed = as_text(pd.Series(form.labels, dtype=object))
    faults = []
    for column in values:
        text = as_text(values[column])
        faults += _value_fault(text[~text.isin(allowed)], f"one of {_listed(allowed)}", ids)
    return faults


def _ranking_faults(values: pd.DataFrame, form: SubmissionForm, ids: pd.Series | None) -> list[str]:
    allowed = {str(label) for label in form.labels}
    expected = f"at most {form.k} different labels with a blank between, of {_listed(form.labels)}"

    def is_right(field: str) -> bool:
        given = field.split(BETWEEN)
        return set(given) <= allowed and len(set(given)) == len(given) <= form.k

    faults = []
    for column in values:
        text = as_text(values[column])
        faults += _value_fault(text[~text.map(is_right).astype(bool)], expected, ids)
    return faults


def _number_faults(values: pd.DataFrame, form: SubmissionForm, ids: pd.Series | None) -> list[str]:
    numbers = values.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    finite = pd.DataFrame(np.isfinite(numbers))
    is_probability = form.kind == "probabilities"
    outside = finite & ((numbers < 0) | (numbers > 1)) & is_probability
    faults = []
    for column in values:
        faults += _value_fault(values[column][~finite[column]], "a finite number", ids)
        faults += _value_fault(values[column][outside[column]], "a probability from 0 to 1", ids)
    if is_probability and form.sums_to_one and 1 < len(form.columns) == values.shape[1]:
        sums = numbers[(finite & ~outside).all(axis=1)].sum(axis=1)
        off = sums[(sums - 1).abs() > form.sum_tolerance].rename("sum of a row")
        faults += _value_fault(off, f"1 within {form.sum_tolerance:g}", ids)
    return faults


def _value_fault(wrong: pd.Series, expected: str, ids: pd.Series | None) -> list[str]:
    """One fault for all wrong values of a column; none if there are no wrong values."""
    if wrong.empty:
        return []
    rows = rows_named(wrong.index, ids)
    return [f"{wrong.name!r}: found {_first(wrong)} ({rows}), expected {expected}"]


def _first(values: pd.Series) -> str:
    """The first value, as shown in a message."""
    text = str(as_text(values.iloc[:1]).iloc[0])
    return repr(text if len(text) <= 40 else text[:37] + "…") if text else "nothing"


def _listed(names: Iterable[object]) -> str:
    shown = [str(name) for name in names]
    return ", ".join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else "")
