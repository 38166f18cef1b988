"""The form of a submission: its columns and what they hold, read off the sample submission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from features.tables.records import BrokenRecordError, records

Label = StrictBool | int | str
AnswerKind = Literal["labels", "probabilities", "values", "top_k"]
BETWEEN = " "  # what stands between several labels in one field


class SampleError(ValueError):
    """A sample submission that does not match the test file or the competition."""

    exit_code = 3


class SubmissionForm(BaseModel):
    """The columns of a competition's submission, and their contents."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str | None = Field(description="the column that names the row; None: the test file's order")
    kind: AnswerKind
    columns: tuple[str, ...] = Field(min_length=1, description="the columns of the answers")
    header: tuple[str, ...] = Field(default=(), description="all columns, in order")
    labels: tuple[Label, ...] = Field(
        default=(), description="the classes, in the order of a prediction's columns"
    )
    places: tuple[int, ...] = Field(
        default=(), description="for each column, the prediction's column; () for their order"
    )
    k: int = Field(default=1, ge=1, description="labels in a field of kind top_k")
    sums_to_one: bool = Field(default=True, description="whether a row of probabilities does")
    sum_tolerance: float = Field(
        default=1e-3, gt=0, description="how far from 1 a row of probabilities may sum"
    )

    @model_validator(mode="after")
    def _agrees_with_kind(self) -> Self:
        has_labels = self.kind in ("labels", "top_k")
        if has_labels and len(self.labels) < 2:
            raise ValueError(f"a form of kind {self.kind} needs two labels or more")
        if self.kind == "top_k" and len(self.columns) != 1:
            raise ValueError("a form of kind top_k has one column")
        if len(set(map(str, self.labels))) != len(self.labels):
            raise ValueError(f"labels must differ, found {self.labels}")
        with_blanks = [label for label in self.labels if BETWEEN in str(label)]
        if self.kind == "top_k" and with_blanks:
            raise ValueError(
                f"labels of a form of kind top_k stand side by side, so none may hold a blank: "
                f"found {with_blanks[0]!r}"
            )
        return self

    @property
    def all_columns(self) -> list[str]:
        """The submission's header."""
        if self.header:
            return list(self.header)
        return [*([] if self.id is None else [self.id]), *self.columns]


def read_sample(path: Path) -> pd.DataFrame:
    """The sample submission as texts: nothing in it is interpreted.

    Raises:
        SampleError: It cannot be read, is empty, names a column twice, or its lines differ in
            their number of fields.
    """
    step = "download the sample submission again"
    try:
        rows = [fields for _, fields in records(path.read_bytes())]
    except (OSError, UnicodeDecodeError, BrokenRecordError) as error:
        raise SampleError(f"{path.name}: cannot be read ({error}). Next: {step}") from error
    if len(rows) < 2:
        fault = "found no row, expected one for each test row"
        raise SampleError(f"{path.name}: {fault}. Next: {step}")
    header, *body = rows
    if twice := sorted({name for name in header if header.count(name) > 1}):
        fault = f"found the column {twice[0]!r} twice, expected names that differ"
        raise SampleError(f"{path.name}: {fault}. Next: {step}")
    uneven = [at for at, fields in enumerate(body) if len(fields) != len(header)]
    if uneven:
        at = uneven[0]
        raise SampleError(
            f"{path.name}: line {at + 2}: found {len(body[at])} fields, expected {len(header)}. "
            f"Next: {step}"
        )
    return pd.DataFrame(body, columns=header, dtype="str")


def infer_form(
    header: Sequence[str],
    *,
    kind: AnswerKind,
    id_name: str | None,
    targets: Sequence[str],
    labels: Sequence[Label],
    answer_columns: Mapping[Label, str],
    k: int | None = None,
) -> SubmissionForm:
    """The form whose header the sample submission has.

    Args:
        header: The sample's columns.
        kind: What the answers are.
        id_name: The sample's name of the id; None where the sample has no id column. Where the
            sample lacks it but has just one column that is no answer, that one is the id.
        targets: The names of the targets in the sample.
        labels: The classes; none for values.
        answer_columns: By label, its column, where it is not named like the label.
        k: Labels in a field of kind top_k.

    Raises:
        SampleError: The sample lacks the id or the columns of the answers.
    """
    columns, places = _answers(header, kind, targets, labels, answer_columns)
    others = [name for name in header if name not in columns]
    if id_name is not None and id_name not in header:
        if len(others) != 1:
            raise _error(header, [id_name, *columns])
        id_name = others[0]
    is_of_classes = kind == "probabilities" and len(targets) == 1 and len(labels) > 0
    return SubmissionForm(
        id=id_name,
        kind=kind,
        columns=tuple(columns),
        header=tuple(header),
        labels=tuple(labels) if kind in ("labels", "top_k") else (),
        places=tuple(places),
        k=k or 1,
        sums_to_one=is_of_classes and len(columns) == len(labels),
    )


def _answers(
    header: Sequence[str],
    kind: AnswerKind,
    targets: Sequence[str],
    labels: Sequence[Label],
    answer_columns: Mapping[Label, str],
) -> tuple[list[str], list[int]]:
    """The columns of the answers in the sample's order, and the prediction's column of each."""
    if kind != "probabilities" or not labels or (len(targets) > 1 and set(targets) <= set(header)):
        return _named(header, targets)
    texts = [str(answer_columns.get(label, label)) for label in labels]
    if set(texts) <= set(header):
        return _named(header, texts)
    if len(labels) == 2 and texts[1] in header and answer_columns:
        return [texts[1]], [1]
    if len(labels) == 2 and len(targets) == 1 and targets[0] in header:
        return [targets[0]], [1]
    if found := _with_affix(header, texts):
        return _named(header, found)
    wanted = ", ".join(f"{label!r}: '...'" for label in labels[:3])
    raise _error(header, texts, f"or set answer_columns={{{wanted}}}")


def _named(header: Sequence[str], names: Sequence[str]) -> tuple[list[str], list[int]]:
    absent = [name for name in names if name not in header]
    if absent:
        raise _error(header, names)
    columns = [name for name in header if name in names]
    return columns, [list(names).index(name) for name in columns]


def _with_affix(header: Sequence[str], texts: Sequence[str]) -> list[str]:
    """The columns that are the texts with one prefix or suffix, such as `Status_C`; else none."""
    for name in header:
        for ends, affix in ((str.endswith, "prefix"), (str.startswith, "suffix")):
            if not ends(name, texts[0]) or name == texts[0]:
                continue
            rest = len(name) - len(texts[0])
            added = name[:rest] if affix == "prefix" else name[-rest:]
            found = [added + text if affix == "prefix" else text + added for text in texts]
            if set(found) <= set(header):
                return found
    return []


def _error(header: Sequence[str], expected: Sequence[str], step: str = "") -> SampleError:
    absent = [name for name in expected if name not in header]
    return SampleError(
        f"sample submission: found the columns {_listed(header)}, expected {_listed(expected)} "
        f"({_listed(absent)} missing). Next: correct id, submission_id, target or "
        f"submission_column in the competition's file{', ' if step else ''}{step}"
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
