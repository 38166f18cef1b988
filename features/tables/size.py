"""How large a table is, estimated from the first bytes of its file, and what reading it takes."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.tables.schema import TEXTS, Column

SAMPLE_BYTES = 1 << 20
ROW_BYTES = 110  # of an id and what goes with it
BLOCKS_BYTES = 2 << 24  # that the reader takes apart at once
FIXED_BYTES = 8 << 20
JSON_TEXTS = 2  # times the file: as bytes, and decoded
WIDTHS = {"byte": 1, "bool": 2}  # bytes of a value; 8 for other numbers and dates


@dataclass(frozen=True)
class TableSize:
    """The size of a table, of which only the first bytes were read.

    Attributes:
        n_bytes: Of its text, decompressed.
        n_rows: About so many.
        value_bytes: Of a row's values in memory.
        record_bytes: Of a row as the JSON record that is read; 0 for a delimited file.
    """

    n_bytes: int
    n_rows: int
    value_bytes: float
    record_bytes: float = 0

    @property
    def values_bytes(self) -> int:
        """What all values take."""
        return int(self.n_rows * self.value_bytes)

    @property
    def table_bytes(self) -> int:
        """What the typed table takes, with its ids."""
        return self.values_bytes + self.n_rows * ROW_BYTES

    @property
    def reading_bytes(self) -> int:
        """The most that reading it takes: its text, and its values as read and as converted.

        JSON records are all read before the first value is converted. Measured in
        benchmarks/memory.md.
        """
        if self.record_bytes:
            records = int(self.n_rows * self.record_bytes)
            texts = JSON_TEXTS * self.n_bytes
            return records + max(texts, self.values_bytes + self.table_bytes) + FIXED_BYTES
        blocks = min(BLOCKS_BYTES, 2 * self.n_bytes)
        return self.n_bytes + self.values_bytes + self.table_bytes + blocks + FIXED_BYTES


def size_of(path: Path, columns: Sequence[Column]) -> TableSize:
    """The size of a delimited file, or of its .gz.

    Args:
        path: The file.
        columns: What it holds beside its id.

    Raises:
        OSError: It cannot be read.
        EOFError: Its gzip is broken.
    """
    start, n_bytes = _start(path)
    row_bytes = len(start) / max(start.count(b"\n"), 1)
    text_bytes = row_bytes / (len(columns) + 1)
    return TableSize(n_bytes, int(n_bytes / max(row_bytes, 1)), _value_bytes(columns, text_bytes))


def _value_bytes(columns: Sequence[Column], text_bytes: float) -> float:
    """What a row's values take, with texts of so many bytes."""
    widths = (8 + text_bytes if c.kind in TEXTS else WIDTHS.get(c.kind, 8) for c in columns)
    return sum(widths)


def size_of_json(path: Path, columns: Sequence[Column]) -> TableSize:
    """The size of a file of JSON records, or of its .gz; no rows where its start is none.

    Raises:
        OSError: It cannot be read.
        EOFError: Its gzip is broken.
    """
    start, n_bytes = _start(path)
    records, n_read = _first_records(start.decode("utf-8-sig", errors="replace"))
    if not records:
        return TableSize(n_bytes, 0, 0)
    names = {column.name for column in columns if column.kind in TEXTS}
    texts = [len(str(record.get(name, ""))) for record in records for name in names]
    text_bytes = sum(texts) / max(len(texts), 1)
    record_bytes = sum(map(_object_bytes, records)) / len(records)
    n_rows = len(records) * n_bytes // n_read
    return TableSize(n_bytes, n_rows, _value_bytes(columns, text_bytes), record_bytes)


def _first_records(text: str) -> tuple[list[dict[str, object]], int]:
    """The whole objects of the text's start, and how many characters they take."""
    decoder, place, records = json.JSONDecoder(), 0, []
    while (opening := text.find("{", place)) >= 0:
        try:
            record, place = decoder.raw_decode(text, opening)
        except (json.JSONDecodeError, RecursionError):
            break
        records.append(record)
    return records, max(place, 1)


def _object_bytes(value: object) -> int:
    """Of a value that was read from JSON, with what it holds; keys are shared by all records."""
    inner: Iterator[object] = iter(())
    if isinstance(value, dict):
        inner = iter(value.values())
    elif isinstance(value, list):
        inner = iter(value)
    return sys.getsizeof(value) + sum(map(_object_bytes, inner))


def _start(path: Path) -> tuple[bytes, int]:
    """The first bytes of the text, and how many there are in all."""
    n_bytes = path.stat().st_size
    if path.suffix != ".gz":
        with path.open("rb") as stream:
            return stream.read(SAMPLE_BYTES), n_bytes
    with path.open("rb") as stream, gzip.GzipFile(fileobj=stream) as unpacked:
        start = unpacked.read(SAMPLE_BYTES)
        ratio = len(start) / max(stream.tell(), 1)
        is_all = len(start) < SAMPLE_BYTES
    return start, len(start) if is_all else int(ratio * n_bytes)
