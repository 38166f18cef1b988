"""What many machines cost and give: `python -m benchmarks.scale`, or `--quick` for a small size.

It starts Ray clusters of this machine's cores, one after the other, and measures

- replicas in blocks of several widths: seconds of the clock and of a core, here and on a cluster;
- a study's trials that do nothing: milliseconds of the driver for each;
- the first task of a cluster, which finds workers without their libraries, and later ones.

From these follows a model of the time on up to 1,000 cores, which nobody has measured. Writes
`scale.md` and `scale.png` next to this file; `--quick` prints only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from rich.console import Console

from models.architectures.mlp import MLPSettings
from models.data import FoldData, InputShape
from models.executor import LOCAL, Call, Executor, Task
from models.losses import LOSSES
from models.metrics import METRICS
from models.training.blocks import BlockData, fit_blocks
from models.training.fit import Objective, Replicas, TrainSettings
from models.training.plan import TrainingPlan
from pipelines.console import Narrator
from pipelines.executors.opening import opened
from pipelines.executors.shipped_code import pack

PAGE, FIGURE = (Path(__file__).with_suffix(suffix) for suffix in (".md", ".png"))
RAY = Path(sys.executable).with_name("ray")
PORT = "6398"
N_FOLDS, N_COLUMNS, N_CLASSES, REPORTS = 5, 20, 3, 5
CORES = (1, 2, 4, 8, 16, 32, 64, 125, 250, 500, 1000)
NETWORK_BYTES_PER_S = 125e6  # a gigabit, assumed
CORES_OF_NODE = 8  # assumed


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    n_seeds: int
    n_rows: int
    epochs: int
    widths: Sequence[int]
    n_trials: int


QUICK = Size(n_seeds=4, n_rows=500, epochs=2, widths=(20, 10, 5), n_trials=50)
FULL = Size(100, 2000, 4, (500, 250, 100, 50, 20, 10, 5), 1000)


@dataclass(frozen=True)
class Took:
    """Seconds of the clock, and of a core in this process."""

    wall_s: float
    cpu_s: float

    @classmethod
    def of(cls, work: Callable[[], object]) -> Took:
        """Do the work once."""
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        return cls(time.perf_counter() - wall, time.process_time() - cpu)


@dataclass(frozen=True)
class Width:
    """Replicas in blocks of a width: here, and on clusters of so many slots."""

    width: int
    n_blocks: int
    here: Took
    there: dict[int, Took]


@dataclass(frozen=True)
class Costs:
    """What a cluster adds, in seconds and bytes."""

    cold_s: float
    warm_s: float
    trial: Took
    ask_s: float
    source_bytes: int
    data_bytes: int


def data_of(size: Size, width: int) -> BlockData:
    """A training of an MLP in blocks of that width."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(size.n_rows, N_COLUMNS)).astype(np.float32)
    target = (x @ rng.normal(size=(N_COLUMNS, N_CLASSES))).argmax(axis=1)
    fold, rows = np.arange(size.n_rows) % N_FOLDS, np.arange(size.n_rows)
    folds = [FoldData({"x_num": x}, rows[fold != k], rows[fold == k]) for k in range(N_FOLDS)]
    settings = TrainSettings(epochs=size.epochs, batch_size=256, max_stack=width)
    plan = TrainingPlan(
        partial(MLPSettings(hidden=(64, 64)).build, InputShape(N_COLUMNS), N_CLASSES),
        folds,
        target,
        settings,
        Objective(LOSSES["cross_entropy"], METRICS["log_loss"]),
        Replicas(range(size.n_seeds)),
        "cpu",
    )
    return BlockData(plan, [{"x_num": x[:100]}] * N_FOLDS)


@contextlib.contextmanager
def cluster(n_cores: int) -> Iterator[Executor]:
    """An executor of a new cluster of one node with so many cores."""
    options = [f"--port={PORT}", f"--num-cpus={n_cores}", "--include-dashboard=false", "--block"]
    kept = {n: v for n, v in os.environ.items() if not n.startswith("RAY_") and n != "PYTHONPATH"}
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            [RAY, "start", "--head", *options], env=kept, stdout=log, stderr=log, cwd="/"
        ) as process,
    ):
        try:
            wait_for(log, process)
            with opened(f"ray:127.0.0.1:{PORT}", Narrator(Console(quiet=True))) as executor:
                yield executor
        finally:
            process.terminate()


def wait_for(log: Any, process: subprocess.Popen[bytes]) -> None:
    """Until the cluster has begun."""
    while log.seek(0) or "Ray runtime started" not in log.read():
        if process.poll() is not None:
            raise SystemExit(f"benchmarks.scale: ray start failed, exit code {process.returncode}")
        time.sleep(0.1)


def nothing(_shared: None, _arguments: None, call: Call) -> None:
    """A trial that only reports."""
    for step in range(REPORTS):
        call.tell(step)


def do_nothing(executor: Executor, n_tasks: int) -> None:
    """So many trials without work."""
    tasks = [Task(nothing, executor.share(None), None)] * n_tasks
    for _ in executor.run(tasks, lambda _number, _report: False):
        pass


def ask_and_tell(n_trials: int) -> None:
    """A study of that many trials in memory, five numbers each."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    for _ in range(n_trials):
        trial = study.ask()
        study.tell(trial, sum(trial.suggest_float(f"x{n}", 0, 1) for n in range(5)))


def costs_of(size: Size) -> Costs:
    """Part two and three, on a cluster of all cores."""
    with tempfile.TemporaryDirectory() as folder:
        pack(Path(folder))
        source = sum(path.stat().st_size for path in Path(folder).rglob("*.py"))
    with cluster(os.cpu_count() or 1) as executor:
        cold = Took.of(lambda: fit_blocks(data_of(QUICK, 5), executor))
        do_nothing(executor, 20)  # until every worker is warm
        warm = Took.of(lambda: [do_nothing(executor, 1) for _ in range(10)])
        trials = Took.of(lambda: do_nothing(executor, size.n_trials))
    each = Took(trials.wall_s / size.n_trials, trials.cpu_s / size.n_trials)
    asked = Took.of(lambda: ask_and_tell(size.n_trials)).cpu_s / size.n_trials
    n_bytes = len(pickle.dumps(data_of(size, size.widths[-1])))
    return Costs(cold.wall_s, warm.wall_s / 10, each, asked, source, n_bytes)


def widths_of(size: Size) -> list[Width]:
    """Part one: every width here, then on each cluster."""
    fit = lambda width, executor: fit_blocks(data_of(size, width), executor)  # noqa: E731
    fit_blocks(data_of(QUICK, 5))  # torch is warm
    here = {width: Took.of(partial(fit, width, LOCAL)) for width in size.widths}
    there: dict[int, dict[int, Took]] = {}
    for n_cores in sorted({1, os.cpu_count() or 1}):
        with cluster(n_cores) as executor:
            for _ in range(2):  # until every worker has its libraries
                fit_blocks(data_of(QUICK, 5), executor)
            there[n_cores] = {w: Took.of(partial(fit, w, executor)) for w in size.widths}
    n_replicas = N_FOLDS * size.n_seeds
    return [
        Width(w, -(-n_replicas // w), here[w], {n: found[w] for n, found in there.items()})
        for w in size.widths
    ]


@dataclass(frozen=True)
class Job:
    """Work to spread: so many blocks that keep a core busy so long."""

    name: str
    n_blocks: int
    block_s: float

    def parts(self, costs: Costs, n_cores: int) -> dict[str, float]:
        """Seconds on so many cores by what they go to, were everything else free.

        `cores`: the blocks, in whole rounds; `driver`: what it does for each block; `start`:
        libraries; `network`: source and data once for each node, from the driver.
        """
        rounds = -(-self.n_blocks // n_cores)
        shipped = (costs.source_bytes + costs.data_bytes) * -(-n_cores // CORES_OF_NODE)
        return {
            "cores" if n_cores < self.n_blocks else "the longest block": rounds * self.block_s,
            "driver": self.n_blocks * (costs.trial.cpu_s + costs.ask_s),
            "start": costs.cold_s,
            "network": shipped / NETWORK_BYTES_PER_S,
        }

    def seconds(self, costs: Costs, n_cores: int) -> float:
        """The model: the start and what is sent, then cores and driver side by side."""
        parts = self.parts(costs, n_cores)
        start, network, driver = (parts.pop(name) for name in ("start", "network", "driver"))
        return start + network + max(driver, *parts.values())

    def limit(self, costs: Costs, n_cores: int) -> str:
        """The largest part."""
        parts = self.parts(costs, n_cores)
        return max(parts, key=lambda name: parts[name])


JOBS = (
    Job("500 replicas in 100 blocks of a minute", 100, 60.0),
    Job("1,000 trials of 10 s", 1000, 10.0),
    Job("10,000 trials of 1 s", 10_000, 1.0),
)


def page(size: Size, widths: Sequence[Width], costs: Costs) -> str:
    """What was measured, and the model."""
    slots = sorted(widths[0].there)
    n_replicas, whole = N_FOLDS * size.n_seeds, widths[0].here.cpu_s
    lines = [
        "# What many machines cost and give",
        "",
        f"{os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}; one machine, so "
        "what a network adds is not in the figures. "
        f"{n_replicas} replicas of an MLP 64-64, {size.n_rows:,} rows, {size.epochs} epochs.",
        "",
        "| width | blocks | here, CPU s | against one pass |"
        + "".join(f" {n} slot{'s' * (n > 1)} of a cluster, s |" for n in slots),
        "|--:|--:|--:|--:|" + "--:|" * len(slots),
        *(
            f"| {w.width} | {w.n_blocks} | {w.here.cpu_s:.2f} | {w.here.cpu_s / whole:.2f} |"
            + "".join(f" {w.there[n].wall_s:.2f} |" for n in slots)
            for w in widths
        ),
        "",
        f"- A trial that does nothing but {REPORTS} reports: {1e3 * costs.trial.wall_s:.1f} ms, of "
        f"which the driver computes {1e3 * costs.trial.cpu_s:.1f} ms; Optuna's ask and tell "
        f"{1e3 * costs.ask_s:.1f} ms more (mean of {size.n_trials:,}).",
        f"- The first blocks on a cluster, whose workers import torch for them: "
        f"{costs.cold_s:.1f} s; a later task alone, without work: {1e3 * costs.warm_s:.0f} ms.",
        f"- Sent once for each node: {costs.source_bytes / 1e6:.1f} MB of source, "
        f"{costs.data_bytes / 1e6:.2f} MB of data.",
        "",
        "## A model, not a measurement",
        "",
        "The start and what is sent, then blocks in whole rounds beside what the driver does for "
        f"each of them. A gigabit from the driver and {CORES_OF_NODE} cores a node are assumed.",
        "",
        "| cores |" + "".join(f" {job.name}, s | limit |" for job in JOBS),
        "|--:|" + "--:|---|" * len(JOBS),
        *(
            f"| {n:,} |"
            + "".join(f" {job.seconds(costs, n):,.0f} | {job.limit(costs, n)} |" for job in JOBS)
            for n in CORES
        ),
    ]
    return "\n".join(lines) + "\n"


def draw(widths: Sequence[Width], costs: Costs) -> None:
    """The price of blocks, measured, and the model."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([w.width for w in widths], [w.here.cpu_s for w in widths], "o-", label="here, CPU s")
    for slots in sorted(widths[0].there):
        walls = [w.there[slots].wall_s for w in widths]
        left.plot([w.width for w in widths], walls, "o--", label=f"cluster of {slots}, s")
    left.set(xscale="log", xlabel="replicas in a block", ylabel="seconds", title="Measured")
    left.set_ylim(bottom=0)
    left.legend()
    for job in JOBS:
        right.plot(CORES, [job.seconds(costs, n) for n in CORES], "o-", label=job.name)
    right.set(xscale="log", yscale="log", xlabel="cores", ylabel="seconds", title="A model")
    right.legend()
    figure.savefig(FIGURE, dpi=120)


def main() -> None:
    """Measure, print, and write the full size's page."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small size, printed only")
    is_quick = parser.parse_args().quick
    torch.set_num_threads(1)
    size = QUICK if is_quick else FULL
    start = time.perf_counter()
    widths, costs = widths_of(size), costs_of(size)
    text = page(size, widths, costs)
    print(text)
    if not is_quick:
        PAGE.write_text(text)
        draw(widths, costs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{time.perf_counter() - start:.0f} s, at most {peak:.1f} GB here", file=sys.stderr)


if __name__ == "__main__":
    main()
