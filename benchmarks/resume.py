"""What keeping an unfinished training costs: `python -m benchmarks.resume`.

Trains members of five folds with and without keeping them, in turns, and compares the fastest of
each, in CPU time. A run keeps a training every ten seconds at most; here it is every half second,
so that these short ones are kept as often as two per cent of the time allow. What was kept last is
then read and written once more. Prints a table and writes it to `resume.md` next to this file.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from models.architectures.mlp import MLPSettings
from models.architectures.tabm import TabMSettings
from models.checkpoints import Checkpoints, Layout, Snapshot
from models.data import FoldData, InputShape
from models.estimators.boosting import fit_trees
from models.estimators.trees import TreesSettings
from models.executor import Place
from models.losses import LOSSES
from models.metrics import METRICS
from models.target import Target
from models.tasks import Task
from models.training.fit import Objective, Replicas, TrainSettings, start
from pipelines.workspace.kept_training import KeptTraining

PAGE = Path(__file__).with_suffix(".md")
REPEATS, N_FOLDS, N_SEEDS = 2, 5, 4
N_ROWS, N_COLUMNS, N_CLASSES = 6_000, 30, 3
LEAST_S = 0.5

RNG = np.random.default_rng(0)
X = RNG.normal(size=(N_ROWS, N_COLUMNS)).astype(np.float32)
TARGET = (X @ RNG.normal(size=(N_COLUMNS, N_CLASSES))).argmax(axis=1)
FOLD = np.arange(N_ROWS) % N_FOLDS
FOLDS = [
    FoldData({"x_num": X}, np.flatnonzero(k != FOLD), np.flatnonzero(k == FOLD))
    for k in range(N_FOLDS)
]
Train = Callable[[Checkpoints | None], object]


class Counted(KeptTraining):
    """Notes how often it kept something, how long that took, and what it was.

    Attributes:
        n_kept: How often.
        spent_s: Seconds that it took.
        share_s: The same as a share of the training's seconds.
        last: Name and layout of what was kept last.
    """

    least_s = LEAST_S

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, print)
        self.n_kept, self.spent_s, self.share_s = 0, 0.0, 0.0
        self.last: tuple[str, Layout] = ("", {})

    def save(self, name: str, layout: Layout, snapshot: Snapshot) -> None:
        """Keep the snapshot."""
        before = time.perf_counter()
        super().save(name, layout, snapshot)
        self.spent_s += time.perf_counter() - before
        self.n_kept, self.last = self.n_kept + 1, (name, layout)


@dataclass(frozen=True)
class Cost:
    """The seconds of a training without and with keeping, and of one time of keeping."""

    without: float
    with_: float
    spent: float
    share: float
    n_kept: int
    megabytes: float
    write_s: float
    read_s: float

    def line(self, name: str) -> str:
        """A row of the table."""
        return (
            f"| {name} | {self.without:.1f} | {self.with_:.1f} | {self.with_ / self.without:.3f} |"
            f" {self.spent:.3f} ({self.share:.2%}) | {self.n_kept} |"
            f" {self.megabytes:.1f} | {self.write_s * 1000:.0f} | {self.read_s * 1000:.0f} |"
        )


def network(
    settings: MLPSettings | TabMSettings, epochs: int, checkpoints: Checkpoints | None
) -> None:
    """Train a network in every fold and with every seed."""
    training = start(
        partial(settings.build, InputShape(N_COLUMNS), N_CLASSES),
        FOLDS,
        TARGET,
        TrainSettings(epochs=epochs, batch_size=256, schedule="one_cycle"),
        Objective(LOSSES["cross_entropy"], METRICS["log_loss"]),
        Replicas(range(N_SEEDS)),
        "cpu",
    )
    training.run(checkpoints=checkpoints)


def trees(checkpoints: Checkpoints | None) -> None:
    """Train boosted trees in every fold and with every seed."""
    target = Target(TARGET, Task("multiclass", N_CLASSES))
    settings = TreesSettings(n_estimators=100)
    tests = [{"x_num": X}] * N_FOLDS
    fit_trees(
        FOLDS, tests, target, settings, seeds=range(N_SEEDS), place=Place(checkpoints=checkpoints)
    )


CASES: dict[str, Train] = {
    "MLP 64-64, 20 replicas": partial(network, MLPSettings(hidden=(64, 64)), 20),
    "MLP 256-256, 20 replicas": partial(network, MLPSettings(hidden=(256, 256)), 16),
    "TabM 64, 20 replicas": partial(network, TabMSettings(k=8, hidden=(64,)), 4),
    "trees, 20 models": trees,
}


def cost(train: Train, folder: Path) -> Cost:
    """Train in turns without and with keeping."""
    without, with_ = [], []
    for repeat in range(REPEATS):
        without.append(_seconds(train, None))
        kept = Counted(folder / str(repeat))
        with kept.opened("benchmark"):
            with_.append((_seconds(train, kept), kept))
            kept.share_s = kept.spent_s / kept.seconds
    seconds, fastest = min(with_, key=lambda pair: pair[0])
    return Cost(
        min(without), seconds, fastest.spent_s, fastest.share_s, fastest.n_kept, *_one_time(fastest)
    )


def _seconds(train: Train, checkpoints: Checkpoints | None) -> float:
    """CPU time of all threads, which other programs disturb less than the clock."""
    before = time.process_time()
    train(checkpoints)
    return time.process_time() - before


def _one_time(kept: Counted) -> tuple[float, float, float]:
    """Megabytes of what was kept last, and seconds to write and to read it."""
    with kept.opened("benchmark"):
        before = time.perf_counter()
        found = kept.load(*kept.last)
        read = time.perf_counter()
        if found is None:
            return 0.0, 0.0, 0.0
        kept.save(*kept.last, found)
        return found.n_bytes / 1e6, time.perf_counter() - read, read - before


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        lines = [
            cost(train, Path(name) / str(at)).line(case)
            for at, (case, train) in enumerate(CASES.items())
        ]
    page = "\n".join([*_head(), *lines, ""])
    print(page)
    PAGE.write_text(page)


def _head() -> list[str]:
    cores = f"{os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}"
    return [
        "# What keeping an unfinished training costs\n",
        f"{cores}. CPU seconds, fastest of {REPEATS}; {N_ROWS:,} rows, "
        f"{N_FOLDS} folds, {N_SEEDS} seeds. At most 2 % of the time may be spent; kept every "
        f"{LEAST_S} s at most, where a run keeps every 10 s. What "
        "is spent on keeping is measured by the clock, waits for the disk included.\n",
        "| training | without, s | with, s | ratio | spent on keeping, s | times kept | MB each |"
        " to write, ms | to read, ms |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]


if __name__ == "__main__":
    main()
