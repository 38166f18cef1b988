"""Which part each column plays: a number, a category, a text, a date, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pipelines.drafting.columns import MOST_LEVELS, ColumnFacts, as_typed
from pipelines.drafting.files import Tables

PARTS = ("year", "month", "day", "weekday", "hour", "minute")
CIRCLES = {"dayofyear": "month", "hour": "hour"}  # a part that comes as sine and cosine, and when
N_COMPONENTS = {"word": 24, "char_wb": 12}
MOST_MEANS = 12  # outputs of which each category gets a mean


@dataclass(frozen=True)
class DateInput:
    """A column of dates, and which of its parts vary."""

    name: str
    parts: tuple[str, ...]
    first: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the parts."""
        return tuple(f"{self.name}_{part}" for part in self.parts)


@dataclass(frozen=True)
class Inputs:
    """The columns of the files by the part that they play.

    Attributes:
        numbers: Numbers and truth values.
        few: Texts whose few levels are listed.
        many: Texts with more levels.
        dates: Dates.
        texts: Sentences.
        words: Short texts of which nearly each row has its own, such as names.
        unused: Columns that no model sees, with the reason.
    """

    numbers: tuple[ColumnFacts, ...]
    few: tuple[ColumnFacts, ...]
    many: tuple[ColumnFacts, ...]
    dates: tuple[DateInput, ...]
    texts: tuple[ColumnFacts, ...]
    words: tuple[ColumnFacts, ...]
    unused: tuple[tuple[ColumnFacts, str], ...]

    @property
    def n_numbers(self) -> int:
        """Columns of numbers, those made of dates included."""
        return len(self.numbers) + sum(1 + len(date.parts) for date in self.dates)

    @property
    def n_components(self) -> int:
        """Columns made of texts."""
        return N_COMPONENTS["word"] * len(self.texts) + N_COMPONENTS["char_wb"] * len(self.words)

    @property
    def coded(self) -> tuple[str, ...]:
        """The trees' arrays side by side, so that codes of categories are numbers; () without any.

        Where a target follows from the levels exactly, splits of ordered codes find it sooner than
        splits of sets of levels.
        """
        if not self.few and not self.many:
            return ()
        has_numbers = self.n_numbers + len(self.many) + self.n_components > 0
        return ("x_num", "x_cat") if has_numbers else ("x_cat",)

    def n_mean_columns(self, n_means: int) -> int:
        """Columns of the target's means over the levels of texts with many."""
        return len(self.many) * n_means if n_means <= MOST_MEANS else 0

    def n_network_inputs(self, n_means: int) -> int:
        """Columns that networks see before any bins."""
        one_hot = sum(len(column.levels) for column in self.few)
        more = len(self.many) + self.n_mean_columns(n_means) + self.n_components
        return self.n_numbers + one_hot + more

    def n_tree_inputs(self, n_means: int) -> int:
        """Columns that trees see."""
        many = 2 * len(self.many) + self.n_mean_columns(n_means)
        return self.n_numbers + len(self.few) + many + self.n_components


def sort_columns(columns: Sequence[ColumnFacts], tables: Tables, group: str | None) -> Inputs:
    """The part that each column plays."""
    parts: dict[str, list[ColumnFacts]] = {}
    unused: list[tuple[ColumnFacts, str]] = []
    for column in columns:
        part = _part(column, group)
        if part.startswith("not used: "):
            unused.append((column, part.removeprefix("not used: ")))
        else:
            parts.setdefault(part, []).append(column)
    of = {part: tuple(parts.get(part, ())) for part in ("number", "few", "many", "text", "words")}
    dates = tuple(_date(column, tables) for column in parts.get("date", ()))
    return Inputs(
        of["number"], of["few"], of["many"], dates, of["text"], of["words"], tuple(unused)
    )


def _part(column: ColumnFacts, group: str | None) -> str:
    if not column.in_test:
        return "not used: only the training file has it"
    if column.is_constant:
        return "not used: holds one value only"
    if column.name == group:
        return "not used: rows that share it stay in one fold"
    if column.is_number or column.kind == "date":
        return "number" if column.is_number else "date"
    if column.is_long:
        return "text"
    if column.is_unique and column.n_levels > MOST_LEVELS:
        return "words" if column.has_words else "not used: nearly every row has a text of its own"
    return "few" if column.levels else "many"


def _date(column: ColumnFacts, tables: Tables) -> DateInput:
    dates = pd.concat([as_typed(t[column.name], column) for t in (tables.train, tables.test)])
    known = dates.dropna()
    values = {
        "year": known.dt.year,
        "month": known.dt.month,
        "day": known.dt.day,
        "weekday": known.dt.day_of_week,
        "hour": known.dt.hour,
        "minute": known.dt.minute,
    }
    parts = [part for part in PARTS if values[part].nunique() > 1]
    circles = [
        f"{part}_{of}" for part, when in CIRCLES.items() if when in parts for of in ("sin", "cos")
    ]
    return DateInput(column.name, (*parts, *circles), known.min().strftime("%Y-%m-%d"))
