"""What a record of a delimited text is: the one place that takes a text apart into rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

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
    """Yield (number of the line where it starts, fields) of every record of a UTF-8 text.

    A line break within quotes is part of its field. Empty lines are passed over, but in a file of
    one column, where each of them below the header is a row with an empty field.

    Raises:
        BrokenRecordError: A quote is never closed, or closed in the middle of a field.
        UnicodeDecodeError: The text is not UTF-8.
    """
    if csv.field_size_limit() < len(data):  # the limit is the whole process's, so it only grows
        csv.field_size_limit(min(len(data), LARGEST_FIELD))
    lines = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
    reader = csv.reader(
        lines,
        delimiter=separator,
        quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE,
        strict=True,
    )
    first_line, width = 1, 0
    try:
        for fields in reader:
            width = width or len(fields)
            if fields or width == 1:
                yield first_line, fields or [""]
            first_line = reader.line_num + 1
    except csv.Error as error:
        raise BrokenRecordError(first_line, str(error)) from error
