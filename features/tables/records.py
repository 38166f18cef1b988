"""What a record of a delimited text is: the one place that takes a text apart into rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Literal

LARGEST_FIELD = 2**31 - 1  # bytes, as far as every platform counts


class BrokenRecordError(ValueError):
    """A quote that is never closed, or closed in the middle of a field.

    Attributes:
        line: Where the record starts.
    """

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        super().__init__(reason)


def records(
    data: bytes, *, separator: str = ",", quoting: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """`records_of` a UTF-8 text.

    Raises:
        BrokenRecordError: A quote is never closed, or closed in the middle of a field.
        UnicodeDecodeError: The text is not UTF-8.
    """
    lines = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
    largest = min(len(data), LARGEST_FIELD)
    yield from records_of(lines, separator=separator, quoting=quoting, largest=largest)


def records_of(
    lines: Iterable[str],
    *,
    separator: str = ",",
    quoting: bool = True,
    largest: int = LARGEST_FIELD,
) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of the line where it starts, fields) of every record.

    A line break within quotes is part of its field. Empty lines are passed over, but in a file of
    one column, where each of them below the header is a row with an empty field.

    Args:
        lines: The lines of a text, with their line breaks; no more are taken than a record needs.
        separator: The character between the fields of a line.
        quoting: Whether a double quote at the start of a field encloses it.
        largest: The most characters of a field.

    Raises:
        BrokenRecordError: A quote is never closed, or closed in the middle of a field.
    """
    if csv.field_size_limit() < largest:  # the limit is the whole process's, so it only grows
        csv.field_size_limit(largest)
    quotes: Literal[0, 3] = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
    reader = csv.reader(lines, delimiter=separator, quoting=quotes, strict=True)
    first_line, width = 1, 0
    try:
        for fields in reader:
            width = width or len(fields)
            if fields or width == 1:
                yield first_line, fields or [""]
            first_line = reader.line_num + 1
    except csv.Error as error:
        raise BrokenRecordError(first_line, str(error)) from error
