"""A delimited text file of any length in parts: files of at most so many rows, one at a time."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from features.tables.records import BrokenRecordError, records_of
from features.tables.text_file import DOWNLOAD_AGAIN, Fault, TableError, quote_fault


def parts(
    path: Path, folder: Path, n_rows: int, *, separator: str = ",", quoting: bool = True
) -> Iterator[Path]:
    """Yield files with the header and the next rows of a file, in its order.

    Each is removed when the next one is asked for, so that disk and memory hold one part only. What
    the rows hold is left to who reads the part; a file without rows is one part.

    Args:
        path: A text file with a header, as it is, in gzip, or alone in a zip.
        folder: Where the parts are written; each is named by the number of its first row.
        n_rows: The most rows of a part.
        separator: The character between the fields of a line.
        quoting: Whether a double quote at the start of a field encloses it, with its line breaks.

    Raises:
        TableError: There is no such file, it is broken, or a zip holds several files.
    """
    try:
        with (
            _opened(path) as data,
            io.TextIOWrapper(
                data, encoding="utf-8-sig", errors="surrogateescape", newline=""
            ) as text,
        ):
            yield from _written(_texts(text, separator, quoting=quoting), path, folder, n_rows)
    except BrokenRecordError as error:
        raise TableError(path, [quote_fault(error, DOWNLOAD_AGAIN)]) from error
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        found = getattr(error, "strerror", None) or str(error)
        fault = Fault("file", found, "a whole table to read", DOWNLOAD_AGAIN)
        raise TableError(path, [fault]) from error


def _written(records: Iterator[str], path: Path, folder: Path, n_rows: int) -> Iterator[Path]:
    """Write the parts one by one; their line breaks stay as they are."""
    header, first, is_over = next(records, ""), 1, False
    while not is_over:
        part = folder / f"{path.name.partition('.')[0]}-from-row-{first}.csv"
        n_written = 0
        with part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(header)
            for record in records:
                file.write(record)
                n_written += 1
                if n_written == n_rows:
                    break
        is_over = n_written < n_rows
        if n_written or first == 1:
            yield part
        part.unlink()
        first += n_written


def _texts(text: TextIO, separator: str, *, quoting: bool) -> Iterator[str]:
    """The text of each record as it stands, with its line break."""
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in text:
            taken.append(line)
            yield line

    for _ in records_of(lines(), separator=separator, quoting=quoting):
        yield "".join(taken)
        taken.clear()


def _opened(path: Path) -> BinaryIO:
    """The bytes of the table in the file, read as they are wanted."""
    if path.suffix == ".gz":
        return gzip.open(path)  # type: ignore[return-value]
    if path.suffix != ".zip":
        return path.open("rb")
    archive = zipfile.ZipFile(path)
    names = [name for name in archive.namelist() if not name.endswith("/")]
    if len(names) != 1:
        fault = Fault("file", f"{len(names)} files", "one table in the zip", f"unzip -l {path}")
        raise TableError(path, [fault])
    return archive.open(names[0])  # type: ignore[return-value]
