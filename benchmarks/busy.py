"""Two-thread work alone and beside other programs: `python -m benchmarks.busy`.

Each piece of work runs in a process of its own, with OpenMP's threads spinning while they wait, as
they do by default, and sleeping, as Foldwise's commands have them (`pipelines/process.py`); alone,
and beside a busy process for each core, where a fair share is half of the machine. Settings take
turns. Prints a table of seconds and writes it to `busy.md` next to this file. `--grid` measures
between the two as well: threads that spin for a while and then sleep (`GOMP_SPINCOUNT`). It prints
a table, and writes it to `busy_grid.md`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from pipelines.process import prepare

PAGE = Path(__file__).with_suffix(".md")
GRID_PAGE = PAGE.with_name("busy_grid.md")
SPINS = "GOMP_SPINCOUNT"
SETTINGS = {"spinning": {SPINS: "300000"}, "sleeping": {}}  # libgomp's default; ours
COUNTS = (0, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000)  # the last is libgomp's default
GRID = {f"{count:,}": {SPINS: f"{count}"} for count in COUNTS}
MOST_SLOWER_ALONE, MOST_TIMES_BUSY = 1.05, 3.0  # aimed at
N_ROWS, N_COLUMNS, N_CLASSES, N_FOLDS = 10_000, 93, 9, 5
REPEATS = 2


def network() -> None:
    """Ten replicas of an MLP 93-256-256-9, two epochs."""
    from models.architectures.mlp import MLPSettings
    from models.data import FoldData, InputShape
    from models.losses import LOSSES
    from models.metrics import METRICS
    from models.training.fit import Objective, Replicas, TrainSettings, fit

    x, y, fold = rows()
    folds = [
        FoldData({"x_num": x}, np.flatnonzero(fold != k), np.flatnonzero(fold == k))
        for k in range(N_FOLDS)
    ]
    shape = InputShape(n_num=N_COLUMNS)
    settings = TrainSettings(epochs=2, batch_size=256)
    objective = Objective(LOSSES["cross_entropy"], METRICS["log_loss"])
    build = MLPSettings(hidden=(256, 256)).build
    fit(lambda: build(shape, N_CLASSES), folds, y, settings, objective, Replicas(seeds=range(2)))


def trees() -> None:
    """LightGBM, 20 rounds of 9 classes."""
    import lightgbm as lgb

    x, y, _ = rows()
    settings = {"objective": "multiclass", "num_class": N_CLASSES, "verbose": -1}
    lgb.train(settings, lgb.Dataset(x, y), num_boost_round=20)


def titanic() -> None:
    """`foldwise run titanic` from its offline sample, in a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        typed = [sys.executable, "-m", "foldwise", "run", "titanic", "--no-track"]
        here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        subprocess.run(typed, check=True, cwd=folder, env=here, stdout=subprocess.DEVNULL)


WORK: dict[str, Callable[[], None]] = {f.__name__: f for f in (network, trees, titanic)}


def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs `(n_rows, n_columns)`, a class and a fold of each row."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N_ROWS, N_COLUMNS)).astype(np.float32)
    y = (x @ rng.normal(size=(N_COLUMNS, N_CLASSES))).argmax(axis=1)
    return x, y, np.arange(N_ROWS) % N_FOLDS


@contextlib.contextmanager
def beside(n_busy: int) -> Iterator[None]:
    """So many processes that compute all the time."""
    loop = [sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(loop) for _ in range(n_busy)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def seconds(work: str, setting: dict[str, str]) -> float:
    """Of one process from its start to its end; that of `network` and `trees` without imports."""
    environment = {k: v for k, v in os.environ.items() if k not in (SPINS, "OMP_WAIT_POLICY")}
    typed = [sys.executable, "-m", "benchmarks.busy", "--one", work]
    done = subprocess.run(
        typed, env=environment | setting, check=True, capture_output=True, text=True
    )
    return float(done.stdout.split()[-1])


def measured(
    n_busy: int, settings: dict[str, dict[str, str]], work: Iterable[str], repeats: int
) -> dict[tuple[str, str], float]:
    """The least seconds of each work and setting."""
    found: dict[tuple[str, str], list[float]] = {(w, s): [] for w in work for s in settings}
    with beside(n_busy):
        for _ in range(repeats):
            for name, setting in found:
                found[name, setting].append(seconds(name, settings[setting]))
    return {key: min(several) for key, several in found.items()}


def page(alone: dict[tuple[str, str], float], busy: dict[tuple[str, str], float]) -> str:
    """The whole page."""
    lines = [
        "# Two-thread work beside other programs\n",
        f"{__doc__.split(chr(10) * 2)[1]}\n",
        f"{os.cpu_count()} cores, {processor()}. Seconds, the least of {REPEATS}; × is busy over "
        "alone.\n",
        "| work | alone, spinning | alone, sleeping | busy, spinning | × | busy, sleeping | × |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for work in WORK:
        a, b = (alone[work, setting] for setting in SETTINGS)
        c, d = (busy[work, setting] for setting in SETTINGS)
        what = (WORK[work].__doc__ or "").rstrip(".")
        lines.append(
            f"| {what} | {a:.1f} | {b:.1f} | {c:.1f} | {c / a:.1f} | {d:.1f} | {d / b:.1f} |"
        )
    return "\n".join([*lines, ""])


def grid_page(
    alone: dict[tuple[str, str], float], busy: dict[tuple[str, str], float], repeats: int
) -> str:
    """The whole page of the settings between spinning and sleeping."""
    default = next(reversed(GRID))
    lines = [
        "# How long OpenMP's threads spin before they sleep\n",
        f"{os.cpu_count()} cores, {processor()}. Seconds alone and beside a busy process for each "
        f"core, the least of {repeats}, by `{SPINS}`; {default} is libgomp's default. Aimed at: at "
        f"most {MOST_SLOWER_ALONE:.2f} times the default alone, and beside busy processes at most "
        f"{MOST_TIMES_BUSY:g} times the default alone.\n",
        "| work | spins | alone | × default | busy | × default alone | within both |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for work, setting in alone:
        a, b, least = alone[work, setting], busy[work, setting], alone[work, default]
        is_within = a <= MOST_SLOWER_ALONE * least and b <= MOST_TIMES_BUSY * least
        lines.append(
            f"| {work} | {setting} | {a:.2f} | {a / least:.2f} | {b:.2f} | {b / least:.1f} | "
            f"{'yes' if is_within else ''} |"
        )
    return "\n".join([*lines, ""])


def processor() -> str:
    """Its name, and whether it has AVX-512."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return f"{names[0] if names else platform.machine()}{', AVX-512' if 'avx512f' in text else ''}"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--one", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--grid", action="store_true", help="settings between the two as well")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="times that each is measured")
    arguments = parser.parse_args()
    if arguments.one:
        prepare()
        import lightgbm  # noqa: F401
        import torch  # noqa: F401

        begun = time.perf_counter()
        WORK[arguments.one]()
        print(time.perf_counter() - begun)
        return
    settings, work = (GRID, ("network", "trees")) if arguments.grid else (SETTINGS, tuple(WORK))
    alone, busy = (
        measured(n_busy, settings, work, arguments.repeats) for n_busy in (0, os.cpu_count() or 1)
    )
    text = grid_page(alone, busy, arguments.repeats) if arguments.grid else page(alone, busy)
    print(text)
    (GRID_PAGE if arguments.grid else PAGE).write_text(text)


if __name__ == "__main__":
    main()
