"""Further files of a competition: tables joined by key, and a file for each row."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from features.tables.row_files import PLACEHOLDER, SPLIT
from features.tables.schema import Column
from pipelines.configuration.member_settings import Settings

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition

Parse = Callable[[bytes], Mapping[str, Any]]


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class ExtraFile(Settings):
    """A further file whose columns belong to rows of the training and test file.

    A table gives each row what stands under the row's key. A name with placeholders, such as
    `{split}/{id}/geometry.xyz`, means a file for each row: `{split}` is `train` or `test`, and
    every other placeholder a column of the row.

    Attributes:
        file: Its name; one that ends in `.json` or `.jsonl` holds JSON records.
        columns: What is read of it; other columns are passed over.
        on: The columns of the key, each key once; without one, only `join` looks at the table.
        separator: The character between the fields of a line.
        parse: For a file for each row: from its bytes to the values of `columns`.
    """

    file: str
    columns: tuple[Column, ...]
    on: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()
    separator: str = ","
    parse: Parse | None = Field(None, exclude=True)

    @property
    def is_for_each_row(self) -> bool:
        """Whether there is a file for each row."""
        return PLACEHOLDER.search(self.file) is not None

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns whose values say which of its values belong to a row."""
        if not self.is_for_each_row:
            return self.on
        found = dict.fromkeys(PLACEHOLDER.findall(self.file))
        return tuple(name for name in found if name != SPLIT)

    @property
    def raw_name(self) -> str:
        """Its name among the raw files; files for each row are kept in one zip."""
        if not self.is_for_each_row:
            return self.file
        return re.sub(r"[^.a-zA-Z0-9]+", "-", self.file).strip("-") + ".zip"

    def key_columns(self, of_rows: Sequence[Column]) -> tuple[Column, ...]:
        """The key, each column of the kind that it has in the rows.

        Args:
            of_rows: The columns of the training and test file.
        """
        declared = {column.name: column for column in (*self.columns, *of_rows)}
        return tuple(
            declared.get(name, Column(name=name, kind="text")).model_copy(update={"missing": False})
            for name in self.keys
        )


def faults_of_extra_files(competition: Competition) -> list[str]:
    """What is wrong with the keys and names of the extra files; empty where nothing is."""
    known = {column.name for column in competition.columns} | {competition.id}
    faults = []
    for name, extra in competition.extra_files.items():
        where = f"extra_files[{name!r}]"
        unknown = [key for key in extra.keys if key not in known]
        if unknown:
            faults.append(f"{where}: {', '.join(unknown)} is neither the id nor a column")
        if extra.is_for_each_row != (extra.parse is not None):
            faults.append(
                f"{where}: {extra.file!r} needs parse=, a function from the bytes of a row's file"
                if extra.is_for_each_row
                else f"{where}: parse is for a file for each row, such as '{{id}}.txt'"
            )
        if not extra.keys and competition.join is None:
            faults.append(f"{where}: name the key that joins it, on=(…), or set join")
    return faults
