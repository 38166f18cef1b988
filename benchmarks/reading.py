"""Time to read wide tables: `python -m benchmarks.reading [DIGITS_ZIP OTTO_CSV_ZIP]`.

Times `features.tables.schema.read_table`, which checks every value, against plain
`pandas.read_csv`, which checks none, and the second reading from a run's prepared stage (parquet).
Without Kaggle's files it makes tables of the same shape. Prints a table and writes it to
`reading.md` next to this file.

The methods alternate within one process, and the fastest of three runs of each counts. Seconds are
wall clock; in brackets the CPU time of all cores, which other programs disturb less.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features.tables.reader import read_table
from features.tables.schema import Column
from pipelines.competitions import digit_recognizer, otto
from pipelines.raw_files.samples.digits import PIXELS

PAGE = Path(__file__).with_suffix(".md")
REPEATS = 3


@dataclass(frozen=True)
class Seconds:
    """The time of one method of reading: wall clock, and CPU time of all cores."""

    clock: float
    cores: float

    def __str__(self) -> str:
        return f"{self.clock:.2f} ({self.cores:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("digits", type=Path, nargs="?", help="Kaggle's digit-recognizer.zip")
    parser.add_argument("otto", type=Path, nargs="?", help="a zip with a CSV like Otto's")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = [
            (*_digits(arguments.digits, folder), "bytes"),
            (*_otto(arguments.otto, folder), "ints"),
        ]
        lines = [_line(path, columns, kind) for path, columns, kind in tables]
    page = "\n".join([*_head(), *lines, ""])
    print(page)
    PAGE.write_text(page)


def _head() -> list[str]:
    cpu = f"{os.cpu_count()} cores, {platform.machine()}, pandas {pd.__version__}"
    return [
        "# Reading wide tables\n",
        f"{cpu}. Seconds of wall clock, in brackets CPU time of all cores; fastest of {REPEATS}.\n",
        "| table | checked and typed, first time | pandas.read_csv | second time, from the stage |"
        " memory, ours | memory, pandas |",
        "|---|--:|--:|--:|--:|--:|",
    ]


def _digits(archive: Path | None, folder: Path) -> tuple[Path, tuple[Column, ...]]:
    label = Column(name="label", kind="int", minimum=0, maximum=9)
    columns = (label, *digit_recognizer.COMPETITION.columns)
    if archive is not None:
        return _unzipped(archive, "train.csv", folder), columns
    rng = np.random.default_rng(0)
    ink = rng.integers(0, 256, (42_000, len(PIXELS))) * (rng.random((42_000, len(PIXELS))) < 0.2)
    rows = np.column_stack([rng.integers(0, 10, 42_000), ink])
    return _written(rows, ["label", *PIXELS], folder / "digits.csv"), columns


def _otto(archive: Path | None, folder: Path) -> tuple[Path, tuple[Column, ...]]:
    columns = (Column(name="id", kind="int"), *otto.COMPETITION.columns)
    if archive is not None:
        with zipfile.ZipFile(archive) as zipped:
            return _unzipped(archive, zipped.namelist()[0], folder), columns
    rng = np.random.default_rng(0)
    rows = np.column_stack([np.arange(144_368), rng.poisson(0.5, (144_368, len(otto.COUNTS)))])
    return _written(rows, ["id", *otto.COUNTS], folder / "otto.csv"), columns


def _unzipped(archive: Path, name: str, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as zipped:
        return Path(zipped.extract(name, folder))


def _written(rows: np.ndarray, names: Sequence[str], path: Path) -> Path:
    np.savetxt(path, rows, fmt="%d", delimiter=",", header=",".join(names), comments="")
    return path


def _line(path: Path, columns: tuple[Column, ...], kind: str) -> str:
    cache = path.with_suffix(".parquet")
    table, plain = read_table(path, columns), pd.read_csv(path)
    assert np.array_equal(table.to_numpy(), plain[list(table.columns)].to_numpy())
    table.to_parquet(cache)
    ours, pandas, second = _fastest(
        lambda: read_table(path, columns),
        lambda: pd.read_csv(path),
        lambda: pd.read_parquet(cache),
    )
    size = f"{len(table):,} × {table.shape[1]} {kind}, {path.stat().st_size / 1e6:.0f} MB"
    memory = (f"{t.memory_usage(index=False).sum() / 1e6:.0f} MB" for t in (table, plain))
    return f"| {size} | {ours} | {pandas} | {second} | {' | '.join(memory)} |"


def _fastest(*methods: Callable[[], object]) -> list[Seconds]:
    """Each method's fastest reading; they alternate."""
    timings: list[list[Seconds]] = [[] for _ in methods]
    for _ in range(REPEATS):
        for method, of_method in zip(methods, timings, strict=True):
            clock, cores = time.perf_counter(), time.process_time()
            method()
            of_method.append(Seconds(time.perf_counter() - clock, time.process_time() - cores))
    return [min(of_method, key=lambda seconds: seconds.clock) for of_method in timings]


if __name__ == "__main__":
    main()
