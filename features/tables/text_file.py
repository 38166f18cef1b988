"""A delimited text file: its lines, its fields, and the faults it may have."""

from __future__ import annotations

import codecs
import difflib
import gzip
import shlex
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from features.tables.records import BrokenRecordError, records

MAX_FAULTS_SHOWN = 5
MAX_PLACES_SHOWN = 3
SEPARATOR_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

DOWNLOAD_AGAIN = "delete the file and download it again"

# What was expected in place of a field's text; None when the field is right.
Judge = Callable[[str], str | None]


@dataclass(frozen=True)
class Fault:
    """One fault of a table, with all the rows that have it."""

    where: str
    found: str
    expected: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.where}: found {self.found}, expected {self.expected}"


UNEXPLAINED = Fault(
    "file", "lines that cannot be taken apart", "delimited text", "save it again as plain CSV"
)


class TableError(ValueError):
    """A table that does not hold what was declared; the message lists all faults on one line."""

    exit_code = 3

    def __init__(self, file: str | Path, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        shown = "; ".join(str(fault) for fault in self.faults[:MAX_FAULTS_SHOWN])
        n_more = len(self.faults) - MAX_FAULTS_SHOWN
        more = f"; and {n_more} more fault{'s' * (n_more > 1)}" if n_more > 0 else ""
        super().__init__(f"{file}: {shown}{more}. Next: {self.faults[0].next_step}")


@dataclass(frozen=True)
class TextFile:
    """A delimited UTF-8 file in memory, decompressed, and how its lines split into fields."""

    path: Path
    data: bytes = field(repr=False)
    separator: str = ","
    quoting: bool = True
    header: bool = True

    @classmethod
    def read(cls, path: Path, *, separator: str, quoting: bool, header: bool) -> Self:
        """Read the whole file.

        Raises:
            TableError: There is no such file, or its gzip is broken.
        """
        return cls(path, read_bytes(path), separator, quoting, header)

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (number of the line where it starts, fields) of every record.

        Raises:
            TableError: A quote is never closed, or closed in the middle of a field.
            UnicodeDecodeError: The file is not UTF-8.
        """
        try:
            yield from records(self.data, separator=self.separator, quoting=self.quoting)
        except BrokenRecordError as error:
            fault = quote_fault(error, self.command_for_line(error.line))
            raise TableError(self.path, [fault]) from error

    def command_for_line(self, line: int) -> str:
        """The shell command that shows one line of the file."""
        name = shlex.quote(str(self.path))
        if self.path.suffix == ".gz":
            return f"zcat {name} | sed -n {line}p"
        return f"sed -n {line}p {name}"


def quote_fault(error: BrokenRecordError, step: str) -> Fault:
    """The fault of a record with broken quotes, and what to do next."""
    expected = "every quote closed at the end of its field"
    return Fault(f"line {error.line}", f"broken quotes ({error})", expected, step)


def find_faults(
    file: TextFile, judges: Mapping[str, Judge], id_column: str | None = None
) -> list[Fault]:
    """All faults of a file whose columns should be the judges' names, in any order.

    Args:
        file: The file; without a header, its columns are in the order of the judges.
        judges: For each column, what was expected in place of a field (None: it is right).
        id_column: Names the rows in the faults.
    """
    if faults := _file_faults(file, len(judges)):
        return faults
    names = list(judges)
    records = file.records()
    tallies: dict[tuple[str, str], _Tally] = {}
    try:
        if file.header:
            _, names = next(records)
            faults = _header_faults(file, names, list(judges))
        n_rows = _tally_rows(records, names, judges, id_column, tallies)
    except TableError as error:
        return [*faults, *_faults_of(file, tallies), *error.faults]
    if n_rows == 0:
        faults.append(Fault("line 2", "no row below the header", "one or more", DOWNLOAD_AGAIN))
    return faults + _faults_of(file, tallies)


def quoted(text: str) -> str:
    """The text as messages show it: one line, in quotes, shortened if long."""
    return repr(text if len(text) <= 40 else text[:37] + "…")


class _Tally:
    """Counts the rows that share a fault, and keeps the first of them."""

    def __init__(self, found: str, expected: str) -> None:
        self.found = found
        self.expected = expected
        self.n_rows = 0
        self.places: list[tuple[int, str]] = []

    def note(self, line: int, row_id: str) -> None:
        """Count one more row; `row_id` is empty or such as "PassengerId 6"."""
        self.n_rows += 1
        if len(self.places) < MAX_PLACES_SHOWN:
            self.places.append((line, row_id))

    def fault(self, file: TextFile, subject: str) -> Fault:
        """The fault for a message: the first row in full, others by line, and how many."""
        line, row_id = self.places[0]
        where = f"{subject}line {line}" + (f" ({row_id})" if row_id else "")
        return Fault(where, self.found + self._others(), self.expected, file.command_for_line(line))

    def _others(self) -> str:
        if self.n_rows == 1:
            return ""
        lines = ", ".join(str(line) for line, _ in self.places[1:])
        more = ", …" if self.n_rows > len(self.places) else ""
        return f" (and {self.n_rows - 1} more such: line {lines}{more})"


class _Verdicts(dict[str, str | None]):
    """A judge's verdict on each distinct field, computed once, since columns repeat values."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def __missing__(self, field: str) -> str | None:
        self[field] = self.judge(field)
        return self[field]


def _tally_rows(
    records: Iterable[tuple[int, list[str]]],
    names: Sequence[str],
    judges: Mapping[str, Judge],
    id_column: str | None,
    tallies: dict[tuple[str, str], _Tally],
) -> int:
    """Count every fault of every row in `tallies`; returns the number of rows."""
    verdicts = [(names.index(n), n, _Verdicts(judge)) for n, judge in judges.items() if n in names]
    id_at = names.index(id_column) if id_column in names else len(names)
    n_rows = 0
    for line, fields in records:
        n_rows += 1
        row_id = f"{id_column} {fields[id_at]}" if id_at < len(fields) else ""
        for subject, found, expected in _wrong_in(fields, len(names), verdicts):
            tally = tallies.setdefault((subject, expected), _Tally(found, expected))
            tally.note(line, row_id)
    return n_rows


def _wrong_in(
    fields: Sequence[str], width: int, verdicts: Sequence[tuple[int, str, _Verdicts]]
) -> Iterator[tuple[str, str, str]]:
    """Yield (subject, found, expected) of each fault in one row."""
    if len(fields) != width:
        yield "", f"{len(fields)} fields", f"{width} fields"
        return
    for position, name, verdict_on in verdicts:
        text = fields[position]
        if expected := verdict_on[text]:
            found = quoted(text) if text else "an empty field"
            yield f"column {quoted(name)}, ", found, expected


def _faults_of(file: TextFile, tallies: Mapping[tuple[str, str], _Tally]) -> list[Fault]:
    return [tally.fault(file, subject) for (subject, _), tally in tallies.items()]


def _file_faults(file: TextFile, n_columns: int) -> list[Fault]:
    """Faults of the file as a whole, where no column or row can be named."""
    if not file.data.removeprefix(codecs.BOM_UTF8).strip():
        found = f"an empty file ({len(file.data)} bytes)"
        return [Fault("file", found, "a table", DOWNLOAD_AGAIN)]
    try:
        file.data.decode()
    except UnicodeDecodeError as error:
        return [encoding_fault(file.path, file.data, error)]
    return _separator_faults(file, n_columns)


def _header_faults(file: TextFile, found: Sequence[str], declared: Sequence[str]) -> list[Fault]:
    """Missing, renamed, extra and duplicate columns."""
    show = f"{file.command_for_line(1)}, then rename the column or declare it"
    extra = [name for name in dict.fromkeys(found) if name not in declared]
    faults = []
    for name in declared:
        if name in found:
            continue
        if like := _closest(name, extra):
            extra.remove(like)
            faults.append((f"column {quoted(like)}", f"{quoted(name)} (renamed?)"))
        else:
            faults.append((f"no column {quoted(name)}", "it among the columns"))
    faults += [(f"an extra column {quoted(name)}", "only the declared columns") for name in extra]
    faults += [
        (f"column {quoted(name)} {n} times", "it once")
        for name, n in Counter(found).items()
        if n > 1
    ]
    return [Fault("header", what, expected, show) for what, expected in faults]


def read_bytes(path: Path) -> bytes:
    """The file's bytes, decompressed if its name ends in .gz.

    Raises:
        TableError: There is no such file, or its gzip is broken.
    """
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except OSError as error:
        look = f"ls -l {shlex.quote(str(path.parent))}"
        found = error.strerror or str(error)
        raise TableError(path, [Fault("file", found, "a table to read", look)]) from error
    except (EOFError, zlib.error) as error:
        fault = Fault("file", f"broken gzip ({error})", "a whole .gz", DOWNLOAD_AGAIN)
        raise TableError(path, [fault]) from error


def encoding_fault(path: Path, data: bytes, error: UnicodeDecodeError) -> Fault:
    """Where the data is not UTF-8, and how to convert the file."""
    name = shlex.quote(str(path))
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        convert = f"iconv -f UTF-16 -t UTF-8 {name} > utf8.csv"
        return Fault("line 1", "UTF-16", "UTF-8", convert)
    line = data.count(b"\n", 0, error.start) + 1
    found = f"byte 0x{data[error.start]:02x} at offset {error.start}"
    convert = f"iconv -f WINDOWS-1252 -t UTF-8 {name} > utf8.csv"
    return Fault(f"line {line}", found, "UTF-8", convert)


def _separator_faults(file: TextFile, n_columns: int) -> list[Fault]:
    first_line = file.data.decode("utf-8-sig").lstrip("\r\n").replace("\r", "\n").split("\n")[0]
    others = [mark for mark in SEPARATOR_NAMES if mark != file.separator and mark in first_line]
    if n_columns == 1 or file.separator in first_line or not others:
        return []
    likely = max(others, key=first_line.count)
    found = f"one field {quoted(first_line)}, separated by {SEPARATOR_NAMES[likely]}?"
    expected = SEPARATOR_NAMES.get(file.separator, repr(file.separator))
    step = (
        f"set file_format=FileFormat(separator={likely!r}), "
        f"or save the file again with separator {file.separator!r}"
    )
    return [Fault("line 1", found, f"{n_columns} fields separated by {expected}", step)]


def _closest(name: str, candidates: Iterable[str]) -> str | None:
    """The most similar candidate, ignoring case, if any is similar."""
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    found = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    return by_folded[found[0]] if found else None
