"""How large a table is, estimated from the first bytes of its file, and what reading it takes."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from features.tables.schema import TEXTS, Column

SAMPLE_BYTES = 1 << 20
ROW_BYTES = 110  # of an id and what goes with it
BLOCKS_BYTES = 2 << 24  # that the reader takes apart at once
FIXED_BYTES = 8 << 20
WIDTHS = {"byte": 1, "bool": 2}  # bytes of a value; 8 for other numbers and dates


@dataclass(frozen=True)
class TableSize:
    """The size of a table, of which only the first bytes were read.

    Attributes:
        n_bytes: Of its text, decompressed.
        n_rows: About so many.
        value_bytes: Of a row's values in memory.
    """

    n_bytes: int
    n_rows: int
    value_bytes: float

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

        Measured in benchmarks/memory.md.
        """
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
    widths = (8 + text_bytes if c.kind in TEXTS else WIDTHS.get(c.kind, 8) for c in columns)
    return TableSize(n_bytes, int(n_bytes / max(row_bytes, 1)), sum(widths))


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
