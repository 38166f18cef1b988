"""What each column of the files holds: its kind, what means missing, its levels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from features.tables.arrow_columns import to_pandas, typed
from features.tables.schema import FLOAT, USUAL_MARKS, Column, to_dates

Kind = Literal["int", "float", "bool", "date", "text"]
INT = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)  # 007 is a code
CODE = re.compile(r"-?0\d", re.ASCII)
BOOL = re.compile(r"true|false", re.IGNORECASE)
LIKE_A_DATE = re.compile(r"[A-Za-z]{0,9}[ ,]{0,2}\d{1,4}[-/. T:]+\S.*\d")
DAYS: tuple[str, ...] = (
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%b-%Y",
)
DAYS += ("%m/%d/%y", "%d/%m/%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")
HOURS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f")
FORMATS = (None, *(day + hour for hour in HOURS for day in DAYS))
COMPACT = "%Y%m%d"
TRIED_DATES = 200  # texts that must all be dates before all are read
ALWAYS_MARKS = tuple(mark for mark in USUAL_MARKS if mark.lower() not in ("none", "-", "--"))
MOST_LEVELS = 10  # of a column whose values are listed
MOST_CODES = 200  # of a column that trees see as categories
LONG_CHARACTERS, LONG_WORDS = 30, 5


@dataclass(frozen=True)
class ColumnFacts:
    """What one column holds, in both files together.

    Attributes:
        name: In the files.
        kind: Of its values.
        marks: Texts that mean a missing value.
        has_empty: Whether a field is empty.
        in_test: Whether the test file has it.
        n_levels: Distinct values that are not missing.
        levels: The values of a text with few, in order; else none.
        format: Of dates; None for ISO 8601.
        is_guessed: Whether day and month could be the other way round.
        is_long: Whether its texts are sentences.
        has_words: Whether its texts have two words or more, as names do.
        n_rows: Rows of both files.
    """

    name: str
    kind: Kind
    marks: tuple[str, ...] = ()
    has_empty: bool = False
    in_test: bool = True
    n_levels: int = 0
    levels: tuple[str, ...] = ()
    format: str | None = None
    is_guessed: bool = False
    is_long: bool = False
    has_words: bool = False
    n_rows: int = 0

    @property
    def is_number(self) -> bool:
        """Whether models can take it as a number."""
        return self.kind in ("int", "float", "bool")

    @property
    def may_be_missing(self) -> bool:
        """Whether a value is missing."""
        return self.has_empty or bool(self.marks)

    @property
    def is_constant(self) -> bool:
        """Whether all rows hold the same."""
        return self.n_levels == 0 or (self.n_levels == 1 and not self.may_be_missing)

    @property
    def is_unique(self) -> bool:
        """Whether nearly every row has a text of its own."""
        return self.kind == "text" and self.n_levels > 0.9 * self.n_rows

    @property
    def schema(self) -> Column:
        """The column as a competition declares it."""
        missing: bool | tuple[str, ...] = self.marks or self.has_empty
        return Column(name=self.name, kind=self.kind, missing=missing, format=self.format)


def look_at(train: pd.DataFrame, test: pd.DataFrame, leave: Sequence[str]) -> list[ColumnFacts]:
    """Facts of every column of the training and test file but those to leave out."""
    names = [name for name in dict.fromkeys([*train, *test]) if name not in leave]
    parts = {n: [t[n] for t in (train, test) if n in t] for n in names}
    texts = {name: pd.concat(part, ignore_index=True) for name, part in parts.items()}
    first = [_facts(name, column, ALWAYS_MARKS) for name, column in texts.items()]
    # None and - are levels as often as not: they mean missing where a column of numbers has them.
    proven = {mark for facts in first if facts.kind != "text" for mark in facts.marks}
    marks = tuple(mark for mark in USUAL_MARKS if mark in {*ALWAYS_MARKS, *proven})
    is_settled = len(marks) == len(ALWAYS_MARKS)
    found = [
        f if is_settled or f.kind != "text" else _facts(f.name, texts[f.name], marks) for f in first
    ]
    return [_in_test(facts, test) for facts in found]


def _in_test(facts: ColumnFacts, test: pd.DataFrame) -> ColumnFacts:
    return replace(facts, in_test=facts.name in test)


def _facts(name: str, texts: pd.Series, text_marks: Sequence[str]) -> ColumnFacts:
    distinct = pd.unique(texts).tolist()
    marked = [text for text in distinct if text.strip(" \t") in USUAL_MARKS]
    values = [text for text in distinct if text.strip(" \t") and text not in set(marked)]
    found = next(_kinds(name, values, texts), None)
    if found is None or not values:
        return _text(name, texts, distinct, text_marks)
    kind, written, is_guessed = found
    return ColumnFacts(
        name,
        kind,
        marks=_stripped(marked),
        has_empty=any(not text.strip(" \t") for text in distinct),
        n_levels=len(values),
        format=written,
        is_guessed=is_guessed,
        n_rows=len(texts),
    )


def _kinds(
    name: str, values: Sequence[str], texts: pd.Series
) -> Iterator[tuple[Kind, str | None, bool]]:
    """The kinds that all values are of, beside text: kind, format of dates, whether guessed."""
    plain = [value.strip(" \t") for value in values]
    if re.search(r"date|day$", name.lower()) and _are_compact(plain):
        yield "date", COMPACT, False
    if all(INT.fullmatch(text) for text in plain):
        yield "int", None, False
    elif all(FLOAT.fullmatch(text) and not _is_code(text) for text in plain):
        if np.isfinite(np.array(plain, dtype=np.float64)).all():
            yield "float", None, False
    elif all(BOOL.fullmatch(text) for text in plain):
        yield "bool", None, False
    else:
        yield from _dates(plain, texts)


def _are_compact(texts: Sequence[str]) -> bool:
    """Whether all are dates like 20240531."""
    if not all(re.fullmatch(r"(19|20)\d{6}", text) for text in texts):
        return False
    return not to_dates(pd.Series(texts, dtype="str"), COMPACT).isna().any()


def _is_code(text: str) -> bool:
    return CODE.match(text) is not None or len(text) > 30


def _dates(plain: Sequence[str], texts: pd.Series) -> Iterator[tuple[Kind, str | None, bool]]:
    if not all(LIKE_A_DATE.fullmatch(text) for text in plain[:TRIED_DATES]):
        return
    few, every = (pd.Series(part, dtype="str") for part in (plain[:TRIED_DATES], plain))
    fits = [
        written
        for written in FORMATS
        if not to_dates(few, written).isna().any() and not to_dates(every, written).isna().any()
    ]
    if not fits:
        return
    in_order = [written for written in fits if _rises(texts, written)]
    yield "date", (in_order or fits)[0], len(fits) > 1 and len(in_order) != 1


def _rises(texts: pd.Series, written: str | None) -> bool:
    """Whether the rows are in the order of time if their dates are so written."""
    dates = to_dates(texts, written).dropna()
    return bool(dates.is_monotonic_increasing)


def _text(
    name: str, texts: pd.Series, distinct: Sequence[str], marks: Sequence[str]
) -> ColumnFacts:
    marked = [text for text in distinct if text.strip(" \t") in marks]
    values = [text for text in distinct if text and text not in set(marked)]
    some = values[:: max(1, len(values) // 1000)]
    n_characters = np.mean([len(text) for text in some]) if some else 0
    n_words = np.mean([len(text.split()) for text in some]) if some else 0
    is_few = len(values) <= MOST_LEVELS
    return ColumnFacts(
        name,
        "text",
        marks=_stripped(marked),
        has_empty="" in set(distinct),
        n_levels=len(values),
        levels=tuple(sorted(values)) if is_few else (),
        is_long=bool(not is_few and n_characters >= LONG_CHARACTERS and n_words >= LONG_WORDS),
        has_words=bool(n_words >= 1.5),
        n_rows=len(texts),
    )


def _stripped(marks: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(mark.strip(" \t") for mark in marks))


def as_typed(texts: pd.Series, facts: ColumnFacts) -> pd.Series:
    """A column of texts as values of its kind, missing ones as NA."""
    plain = texts.where(texts != "", None).astype(object)
    column = facts.schema if facts.may_be_missing else facts.schema.with_marks(("",))
    values = typed(pa.chunked_array([pa.array(plain, pa.string())]), column, ".")
    return to_pandas(pa.table({facts.name: values}), [column])[facts.name]
