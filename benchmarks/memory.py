"""What the stages take of the memory, and what was estimated: `python -m benchmarks.memory`.

Makes tables of numbers (and one with texts and missing values), and runs each stage on each of
them in a process of its own, whose peak (`resource.getrusage`) counts less what it took before.
The estimates are those of `pipelines.stages.memory`, from the first megabyte of each file. Prints a
table and writes it to `memory.md` next to this file. Large ones take long.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from features.encoders.tabular import TabularEncoder
from features.fold_plan import FoldPlan
from features.tables.json_records import read_json_records
from features.tables.reader import read_table
from features.tables.schema import Column
from models.architectures.linear import LinearSettings
from models.estimators.trees import TreesSettings
from models.training.settings import TrainSettings
from pipelines.configuration.competition import Competition, FileFormat, Kaggle
from pipelines.members.member import members_of
from pipelines.members.network import NetworkMember
from pipelines.members.trees import TreesMember
from pipelines.process import prepare as prepare_process
from pipelines.raw_files.raw import RawFiles
from pipelines.raw_files.sources import choose_source
from pipelines.stages import dataset, memory, preprocess, train
from pipelines.stages.download import download

PAGE = Path(__file__).with_suffix(".md")
WORDS = np.array(["red", "green", "blue", "a longer word", ""])


class Shape(NamedTuple):
    """A table: so many training rows, half as many test rows, columns of numbers and of texts.

    It is a CSV, or JSON records, one on each line.
    """

    n_rows: int
    n_numbers: int
    n_texts: int = 0
    is_json: bool = False

    def __str__(self) -> str:
        texts = f" and {self.n_texts} texts" if self.n_texts else ""
        return f"{self.n_rows:,} × {self.n_numbers}{texts}{', JSON' if self.is_json else ''}"

    @property
    def stages(self) -> list[str]:
        """Those that are measured: of records the two that read them."""
        return list(STAGES)[:2] if self.is_json else list(STAGES)

    @property
    def suffix(self) -> str:
        """Of the files of rows."""
        return "json" if self.is_json else "csv"


SHAPES = (
    Shape(10_000, 10),
    Shape(100_000, 10),
    Shape(100_000, 50),
    Shape(100_000, 10, 10),
    Shape(100_000, 10, 10, is_json=True),
    Shape(500_000, 10, is_json=True),
    Shape(1_000_000, 10),
    Shape(1_000_000, 50),
)


def main() -> None:
    if len(sys.argv) == 4:
        _measure(sys.argv[1], Path(sys.argv[2]), Shape(*json.loads(sys.argv[3])))
        return
    page = "\n".join([*_head(), *(line for shape in SHAPES for line in _lines(shape)), ""])
    print(page)
    PAGE.write_text(page)


def _head() -> list[str]:
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
    return [
        "# What the stages take of the memory\n",
        f"{machine}. MB beyond the program itself, which takes some 400 MB with torch; five folds, "
        "a test file of half as many rows. Training is one epoch of a linear network, and three "
        "trees.\n",
        "| table | file, MB | stage | measured | estimated | ratio | seconds |",
        "|---|--:|---|--:|--:|--:|--:|",
    ]


def _lines(shape: Shape) -> list[str]:
    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, shape)
        n_bytes = (folder / f"train.{shape.suffix}").stat().st_size
        for stage in shape.stages:
            typed = [sys.executable, "-m", "benchmarks.memory", stage, name, json.dumps(shape)]
            found = json.loads(subprocess.run(typed, check=True, capture_output=True).stdout)
            measured, estimated = found["measured"], found["estimated"]
            lines.append(
                f"| {shape} | {n_bytes / 1e6:.0f} | {stage} | {measured / 1e6:,.0f} | "
                f"{estimated / 1e6:,.0f} | {estimated / measured:.2f} | {found['seconds']:.1f} |"
            )
            print(lines[-1], file=sys.stderr, flush=True)
    return lines


def _write(folder: Path, shape: Shape) -> None:
    rng = np.random.default_rng(0)
    for name, n_rows, first in (("train", shape.n_rows, 0), ("test", shape.n_rows // 2, 10**8)):
        ids = np.arange(first, first + n_rows)
        columns = {"Id": ids} | ({"y": rng.integers(0, 2, n_rows)} if name == "train" else {})
        columns |= {f"x{i}": rng.normal(size=n_rows).round(6) for i in range(shape.n_numbers)}
        columns |= {f"t{i}": rng.choice(WORDS, n_rows) for i in range(shape.n_texts)}
        _write_rows(folder / f"{name}.{shape.suffix}", columns)
    _write_csv(folder / "sample.csv", {"Id": ids, "y": np.zeros(n_rows, np.int64)})


def _write_rows(path: Path, columns: dict[str, np.ndarray]) -> None:
    if path.suffix == ".json":
        pd.DataFrame(columns).to_json(path, orient="records", lines=True)
    else:
        _write_csv(path, columns)


def _write_csv(path: Path, columns: dict[str, np.ndarray]) -> None:
    pa_csv.write_csv(pa.table(columns), path, pa_csv.WriteOptions(quoting_style="none"))


def competition(shape: Shape) -> Competition:
    """A competition of such tables."""
    numbers = [f"x{i}" for i in range(shape.n_numbers)]
    texts = [f"t{i}" for i in range(shape.n_texts)]
    return Competition(
        name="wide",
        title="A wide table",
        kaggle=Kaggle(slug="wide"),
        files={
            "train": f"train.{shape.suffix}",
            "test": f"test.{shape.suffix}",
            "sample_submission": "sample.csv",
        },
        file_format=FileFormat(json_records=shape.is_json),
        id="Id",
        target="y",
        classes=(0, 1),
        metric="accuracy",
        form="labels",
        columns=(
            *(Column(name=name, kind="float", missing=True) for name in numbers),
            *(Column(name=name, kind="text", missing=True) for name in texts),
        ),
        folds=FoldPlan(n_folds=5),
        members=(
            NetworkMember(
                name="linear",
                encoder=lambda: TabularEncoder(numbers, texts),
                model=LinearSettings(),
                train=TrainSettings(epochs=1, batch_size=1024),
            ),
            TreesMember(
                name="trees",
                encoder=lambda: TabularEncoder(numbers, texts, scaling="none"),
                trees=TreesSettings(n_estimators=3),
            ),
        ),
    )


def _measure(stage: str, folder: Path, shape: Shape) -> None:
    """Run one stage in this process; print its peak, what was estimated, and the seconds."""
    prepare_process()
    import lightgbm
    import torch

    del lightgbm, torch  # part of the program, not of the stage
    made = competition(shape)
    raw = download(made, choose_source(str(folder), made), folder / "data")
    estimate = memory.estimate(made, raw)
    assert estimate is not None, "the files are there"
    estimated = {
        "read": estimate.train.reading_bytes,
        "preprocess": estimate.preprocess,
        "dataset": estimate.dataset,
    }
    before, start = _now(), time.perf_counter()
    STAGES[stage](made, raw, folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found = {"measured": peak - before, "estimated": estimated.get(stage, estimate.training)}
    print(json.dumps(found | {"seconds": time.perf_counter() - start}))


def _now() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _read(made: Competition, raw: RawFiles, _: Path) -> None:
    own = (Column(name="Id", kind="text", as_it_is=True), Column(name="y", kind="int"))
    path = raw.files[made.files["train"]].path
    read = read_json_records if made.file_format.json_records else read_table
    read(path, (*own, *made.columns))


def _preprocess(made: Competition, raw: RawFiles, folder: Path) -> None:
    (folder / "tables").mkdir()
    preprocess.save(preprocess.prepare(made, raw), folder / "tables")


def _dataset(made: Competition, _: RawFiles, folder: Path) -> None:
    prepared = preprocess.load(folder / "tables")
    for member in members_of(made):
        (folder / member.name).mkdir()
        dataset.save(dataset.encoded_views(prepared, member.encoder), folder / member.name)


def _train(made: Competition, folder: Path, name: str) -> None:
    (member,) = [one for one in members_of(made) if one.name == name]
    data = dataset.load(folder / name, preprocess.load(folder / "tables"), member.inputs)
    train.train(made, member, data, device="cpu")


STAGES: dict[str, Callable[[Competition, RawFiles, Path], None]] = {
    "read": _read,
    "preprocess": _preprocess,
    "dataset": _dataset,
    "linear": lambda made, _, folder: _train(made, folder, "linear"),
    "trees": lambda made, _, folder: _train(made, folder, "trees"),
}


if __name__ == "__main__":
    main()
