"""How the stages grow with rows, columns, classes and replicas: `python -m benchmarks.growth`.

One of the four is varied at a time. Each stage of each size runs in a process of its own, forked
from one that has loaded all libraries. Its seconds on the clock and of the processor are measured,
and its peak of memory (`resource.getrusage`) less what it is for a tiny table: the program itself.
An exponent is the slope of the logarithms of what lies beyond the tiny table, over the sizes where
that is more than a fiftieth of the most. `--quick` measures smaller sizes. Prints the page and
writes it to `growth.md` next to this file.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import functools
import importlib
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from benchmarks.busy import processor
from features.encoders.tabular import TabularEncoder
from features.fold_plan import FoldPlan
from features.tables.schema import Column
from models.architectures.mlp import MLPSettings
from models.estimators.trees import TreesSettings
from models.training.settings import TrainSettings
from pipelines.configuration.competition import Competition, Kaggle
from pipelines.members.member import Member, members_of
from pipelines.members.network import NetworkMember
from pipelines.members.trees import TreesMember
from pipelines.process import prepare as prepare_process
from pipelines.raw_files.sources import choose_source
from pipelines.stages import dataset, ensemble, preprocess, submission, train
from pipelines.stages.download import download

PAGE = Path(__file__).with_suffix(".md")
N_FOLDS = 5
LEAST_S, LEAST_BYTES = 0.1, 5e6  # that say something
SMALL_SHARE = 0.02  # of the largest value, which says nothing of how it grows
STAGES = ("preprocess", "dataset", "network", "trees", "ensemble", "submission")
MOST_EXPONENT = 1.1  # aimed at, in rows
Found = dict[str, float]


@dataclass(frozen=True)
class Size:
    """A table of so many training rows, and half as many test rows, and what is trained on it.

    Attributes:
        rows: Training rows.
        columns: Columns of numbers.
        classes: Of the target.
        replicas: Models of each member: one for each split and seed.
    """

    rows: int = 3_000
    columns: int = 10
    classes: int = 2
    replicas: int = 5


VARIED = {
    "rows": (1_000, 10_000, 100_000, 1_000_000),
    "columns": (10, 100, 500, 2_000),
    "classes": (2, 20, 100, 200),
    "replicas": (1, 5, 50, 500),
}
QUICK = {
    "rows": (1_000, 10_000, 100_000),
    "columns": (10, 100, 1_000),
    "classes": (2, 20, 200),
    "replicas": (1, 5, 50, 200),
}
TINY = Size(rows=200, columns=3)


def competition(size: Size) -> Competition:
    """A competition of such tables: an MLP for one epoch, and three rounds of trees."""
    numbers = [f"x{i}" for i in range(size.columns)]
    folds = FoldPlan(n_folds=N_FOLDS) if size.replicas >= N_FOLDS else FoldPlan(test_share=0.2)
    n_seeds = max(1, size.replicas // N_FOLDS)
    return Competition(
        name="growth",
        title="A growing table",
        kaggle=Kaggle(slug="growth"),
        files={"train": "train.csv", "test": "test.csv", "sample_submission": "sample.csv"},
        id="Id",
        target="y",
        classes=tuple(range(size.classes)),
        metric="accuracy",
        form="labels",
        columns=tuple(Column(name=name, kind="float", missing=True) for name in numbers),
        folds=folds,
        members=(
            NetworkMember(
                name="network",
                encoder=functools.partial(TabularEncoder, numbers),
                encoder_name="scaled",
                model=MLPSettings(hidden=(64,)),
                train=TrainSettings(epochs=1, batch_size=256),
                n_seeds=n_seeds,
            ),
            TreesMember(
                name="trees",
                encoder=functools.partial(TabularEncoder, numbers, scaling="none"),
                encoder_name="unscaled",
                trees=TreesSettings(n_estimators=3),
                n_seeds=n_seeds,
            ),
        ),
    )


def write_files(folder: Path, size: Size) -> None:
    """The three files in Kaggle's form; every class occurs equally often."""
    rng = np.random.default_rng(0)
    for name, n_rows, first in (("train", size.rows, 0), ("test", size.rows // 2, 10**8)):
        ids = np.arange(first, first + n_rows)
        columns = {"Id": ids} | ({"y": ids % size.classes} if name == "train" else {})
        columns |= {
            f"x{i}": rng.normal(size=n_rows).round(6) + (ids % size.classes == i)
            for i in range(size.columns)
        }
        pa_csv.write_csv(pa.table(columns), folder / f"{name}.csv")
    sample = {"Id": ids, "y": np.zeros(len(ids), np.int64)}
    pa_csv.write_csv(pa.table(sample), folder / "sample.csv")


def run_stage(stage: str, size: Size, folder: Path) -> None:
    """One stage, from the files of those before it."""
    made = competition(size)
    if stage == "preprocess":
        raw = download(made, choose_source(str(folder), made), folder / "data")
        preprocess.save(preprocess.prepare(made, raw), _new(folder / "tables"))
        return
    prepared = preprocess.load(folder / "tables")
    members = {member.name: member for member in members_of(made)}
    if stage == "dataset":
        for name, member in members.items():
            views = dataset.encoded_views(prepared, member.encoder)
            dataset.save(views, _new(folder / f"dataset-{name}"))
    elif stage in members:
        _train(made, members[stage], prepared, folder)
    elif stage == "ensemble":
        predictions = [train.load(folder / f"train-{name}") for name in members]
        settings = ensemble.EnsembleSettings.of(made)
        blend = ensemble.ensemble(
            *(settings, settings.goal(prepared), prepared.folds, predictions),
            tables=(prepared.train, prepared.test),
        )
        ensemble.save(blend, _new(folder / "ensemble"))
    else:
        blend = ensemble.load(folder / "ensemble")
        submission.write(made.predicts, prepared, blend, _new(folder / "submission"))


def _train(made: Competition, member: Member, prepared: preprocess.Prepared, folder: Path) -> None:
    data = dataset.load(folder / f"dataset-{member.name}", prepared, member.inputs)
    found = train.train(made, member, data, device="cpu")
    train.save(member, found, _new(folder / f"train-{member.name}"))


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def forked(work: Callable[[], None]) -> Found:
    """What a piece of work takes in a process of its own."""
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(1, context) as process:
        return process.submit(_measured, work).result()


def _measured(work: Callable[[], None]) -> Found:
    clock, used = time.perf_counter(), time.process_time()
    work()
    clock, used = time.perf_counter() - clock, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"clock": clock, "processor": used, "bytes": peak}


def measured(size: Size) -> dict[str, Found]:
    """By stage, what it takes; `arrays` has the bytes of what stage 3 wrote for one member."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        forked(functools.partial(write_files, folder, size))
        found = {s: forked(functools.partial(run_stage, s, size, folder)) for s in STAGES}
        n_bytes = sum(path.stat().st_size for path in (folder / "dataset-network").iterdir())
    return {**found, "arrays": {"bytes": float(n_bytes)}}


def exponent(sizes: Sequence[float], values: Sequence[float], least: float) -> float | None:
    """The slope of the logarithms over the large values; None with fewer than two of them."""
    least = max(least, SMALL_SHARE * max(values))
    pairs = [(size, value) for size, value in zip(sizes, values, strict=True) if value > least]
    if len(pairs) < 2:
        return None
    x, y = np.log(np.array(pairs)).T
    return float(np.polyfit(x, y, 1)[0])


def page(found: dict[str, dict[int, dict[str, Found]]], tiny: dict[str, Found]) -> str:
    """The whole page.

    Args:
        found: By what is varied and its size, what each stage takes.
        tiny: What each stage takes of a tiny table.
    """
    title, how = (__doc__ or "").split("\n\n")
    lines = [
        f"# {title.partition(':')[0]}\n",
        f"{how.strip()}\n",
        f"{os.cpu_count()} cores, {processor()}. What is not varied: {Size.rows:,} training rows, "
        f"{Size.columns} columns, {Size.classes} classes, {Size.replicas} replicas. × is the peak "
        "over the bytes of the float32 arrays that stage 3 wrote for a member.\n",
    ]
    return "\n".join(
        [*lines, *(line for name in found for line in _table(name, found[name], tiny))]
    )


def _table(
    name: str, by_size: dict[int, dict[str, Found]], tiny: dict[str, Found]
) -> Iterator[str]:
    yield f"## {name.capitalize()}\n"
    sizes = "".join(f" {size:,} |" for size in by_size)
    yield f"| stage | of |{sizes} exponent |"
    yield f"|---|---|{'--:|' * len(by_size)}--:|"
    for stage in STAGES:
        cells = [by_size[size][stage] for size in by_size]
        for what in ("clock", "processor"):
            seconds = [cell[what] for cell in cells]
            beyond = [s - tiny[stage][what] for s in seconds]
            row = "".join(f" {s:.2f} |" for s in seconds)
            yield f"| {stage} | s, {what} |{row} {_slope(by_size, beyond, LEAST_S)} |"
        peaks = [max(cell["bytes"] - tiny[stage]["bytes"], 0.0) for cell in cells]
        arrays = [by_size[size]["arrays"]["bytes"] for size in by_size]
        row = "".join(
            f" {peak / 1e6:,.0f} ({peak / array:.1f} ×) |"
            for peak, array in zip(peaks, arrays, strict=True)
        )
        yield f"| {stage} | MB |{row} {_slope(by_size, peaks, LEAST_BYTES)} |"
    yield ""


def _slope(sizes: Sequence[int] | dict[int, object], values: Sequence[float], least: float) -> str:
    found = exponent(list(sizes), values, least)
    return "" if found is None else f"{found:.2f}"


def _load_libraries() -> None:
    """What the stages would load: part of the program, not of a stage."""
    for name in ("lightgbm", "scipy.optimize", "scipy.stats", "sklearn.model_selection", "torch"):
        importlib.import_module(name)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, about three minutes")
    parser.add_argument("--only", choices=VARIED, help="vary this alone, and write no page")
    arguments = parser.parse_args()
    prepare_process()
    _load_libraries()
    varied = QUICK if arguments.quick else VARIED
    if arguments.only:
        varied = {arguments.only: varied[arguments.only]}
    tiny = measured(TINY)
    found: dict[str, dict[int, dict[str, Found]]] = {}
    for name, sizes in varied.items():
        found[name] = {}
        for size in sizes:
            begun = time.perf_counter()
            found[name][size] = measured(replace(Size(), **{name: size}))
            print(f"{name} {size:,}: {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    text = page(found, tiny)
    print(text)
    if not arguments.only:
        PAGE.write_text(text)


if __name__ == "__main__":
    main()
