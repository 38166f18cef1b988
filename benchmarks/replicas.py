"""Times an ensemble of folds and seeds: all replicas at once or one after the other.

`python -m benchmarks.replicas [--quick] [--sizes values]` prints a table and writes `replicas.json`
and `replicas.png` next to this file (`replicas_values.json` and so on for some sizes only). Every
measurement runs in a separate process, after a warm-up, with the same architecture, epochs, batch
size, optimiser and number of threads; each includes the prediction of the held-out rows. Loops that
train one replica after the other are timed on the number of replicas in the column `timed` and
scaled to R: their time per replica is constant.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.competitors import COMPETITORS, N_FOLDS, Size
from models.losses import LOSSES
from models.metrics import METRICS
from models.training.fit import Objective, Replicas, TrainSettings, fit
from pipelines.process import keep_freed_memory

HERE = Path(__file__).parent
OURS = "Foldwise"
SIZES = {
    size.name: size
    for size in (
        Size("titanic", 891, 20, 2, (64, 64), 0.1, batch_size=32, epochs=20),
        Size("middle", 8_000, 50, 5, (128, 128), 0.1, batch_size=256, epochs=5),
        Size("otto", 49_502, 93, 9, (256, 256), 0.1, batch_size=256, epochs=2),
        Size("values", 8_000, 50, 1, (128, 128), 0.1, batch_size=256, epochs=5),
    )
}
N_REPLICAS = {"titanic": 50, "middle": 50, "otto": 25, "values": 50}
NO_DROPOUT = "scikit-learn"  # its networks have none


@dataclass(frozen=True)
class Measurement:
    """One ensemble trained by one method.

    Attributes:
        size: Name of the size.
        method: Name of the method.
        dropout: Share of activations set to zero.
        n_replicas: R.
        timed: Replicas that were actually trained.
        seconds: For R replicas.
        error: Log-loss, or RMSE of values, on the held-out rows, mean over the replicas of seed 0:
            one per fold.
        share: Accuracy, or R² of values, the same.
        peak_mb: Growth of the process while training, in MB.
    """

    size: str
    method: str
    dropout: float
    n_replicas: int
    timed: int
    seconds: float
    error: float
    share: float
    peak_mb: float


def measure(size: Size, method: str, n_replicas: int, timed: int, *, repeats: int) -> Measurement:
    """Warm up on a small table, then time; the fastest of several repeats counts."""
    train_all(replace(size, n_rows=10 * size.batch_size, epochs=1), method, min(timed, N_FOLDS))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, scores = [], [(0.0, 0.0)]
    for _ in range(repeats):
        start = time.perf_counter()
        scores = train_all(size, method, timed)
        seconds.append(time.perf_counter() - start)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Measurement(
        size=size.name,
        method=method,
        dropout=size.dropout,
        n_replicas=n_replicas,
        timed=timed,
        seconds=min(seconds) * n_replicas / timed,
        error=statistics.fmean(score[0] for score in scores),
        share=statistics.fmean(score[1] for score in scores),
        peak_mb=(after - before) / 1024,
    )


def train_all(size: Size, method: str, n_replicas: int) -> list[tuple[float, float]]:
    """(error, share) of the replicas of seed 0 on their held-out rows."""
    x, y, folds = size.data()
    n_folds = min(N_FOLDS, n_replicas)
    if method != OURS:
        train = COMPETITORS[method]
        return [_scores(y[f.valid_rows], train(size, x, y, f, 0), size) for f in folds[:n_replicas]]
    settings = TrainSettings(
        epochs=size.epochs, batch_size=size.batch_size, lr=size.lr, evaluate_every=size.epochs
    )
    loss = LOSSES[{1: "mse", 2: "binary_cross_entropy"}.get(size.n_classes, "cross_entropy")]
    metric = METRICS["rmse" if size.has_values else "log_loss"]
    fitted = fit(
        size.build,
        folds[:n_folds],
        y,
        settings,
        Objective(loss, metric),
        Replicas(range(n_replicas // n_folds)),
        device="cpu",
    )
    return [
        _scores(y[folds[r.fold].valid_rows], r.valid_predictions, size) for r in fitted.replicas
    ]


def _scores(target: np.ndarray, predictions: np.ndarray, size: Size) -> tuple[float, float]:
    error, share = ("rmse", "r2") if size.has_values else ("log_loss", "accuracy")
    return METRICS[error](target, predictions), METRICS[share](target, predictions)


def plan(names: Sequence[str], *, quick: bool) -> list[tuple[Size, str, int, int]]:
    """(size, method, R, replicas to time) of each measurement."""
    jobs = []
    for name in names:
        size = SIZES[name]
        if quick:
            size = replace(size, epochs=max(1, size.epochs // 5), n_rows=min(size.n_rows, 5_000))
        n, timed = N_REPLICAS[name], N_FOLDS
        growth = [1, 5, n] if quick else [1, 5, 10, 25, 50, 100]
        jobs += [(size, OURS, r, r) for r in growth]
        loops = [method for method in COMPETITORS if method != NO_DROPOUT]
        jobs += [(size, method, n, timed) for method in loops]
        plain = replace(size, dropout=0.0)
        jobs += [(plain, OURS, n, n)]
        jobs += [(plain, method, n, timed) for method in ("lean loop", NO_DROPOUT)]
    return jobs


def measure_in_subprocess(job: tuple[Size, str, int, int], *, threads: int) -> Measurement:
    """Run this file for one measurement only."""
    size, method, n_replicas, timed = job
    encoded = json.dumps([asdict(size), method, n_replicas, timed])
    command = [
        sys.executable,
        "-m",
        "benchmarks.replicas",
        "--one",
        encoded,
        "--threads",
        str(threads),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE.parent)
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def run_one(encoded: str) -> Measurement:
    """The measurement that the parent process requested."""
    size, method, n_replicas, timed = json.loads(encoded)
    size["hidden"] = tuple(size["hidden"])
    return measure(Size(**size), method, n_replicas, timed, repeats=3)


def in_turns(size: Size, *, turns: int = 9) -> dict[str, float]:
    """Seconds of one replica by Foldwise and by the lean loop, alternating; the fastest of each.

    The two are so close that a few minutes between the measurements would decide.
    """
    warm = replace(size, n_rows=10 * size.batch_size, epochs=1)
    seconds: dict[str, list[float]] = {OURS: [], "lean loop": []}
    for method in seconds:
        train_all(warm, method, 1)
    for _ in range(turns):
        for method, timings in seconds.items():
            start = time.perf_counter()
            train_all(size, method, 1)
            timings.append(time.perf_counter() - start)
    return {method: min(timings) for method, timings in seconds.items()}


def table(rows: Sequence[Measurement]) -> str:
    """One line per measurement; `times` is the time relative to Foldwise for the same R."""
    ours = {(m.size, m.dropout, m.n_replicas): m.seconds for m in rows if m.method == OURS}
    head = f"{'size':8} {'dropout':>7} {'R':>4}  {'method':18} {'timed':>5} {'seconds':>9}"
    lines = [head + f" {'times':>6} {'error':>9} {'share':>9} {'MB/replica':>11}"]
    for m in rows:
        factor = m.seconds / ours[m.size, m.dropout, m.n_replicas]
        memory = m.peak_mb / (m.n_replicas if m.method == OURS else 1)
        lines.append(
            f"{m.size:8} {m.dropout:7.1f} {m.n_replicas:4}  {m.method:18} {m.timed:5} "
            f"{m.seconds:9.2f} {factor:6.1f} {m.error:9.4f} {m.share:9.4f} {memory:11.2f}"
        )
    return "\n".join(lines)


def draw(rows: Sequence[Measurement], path: Path) -> None:
    """Seconds over R, one panel per size; loops are straight lines through their one point."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(dict.fromkeys(m.size for m in rows))
    figure, axes = pyplot.subplots(
        1, len(names), figsize=(4.3 * len(names), 4), layout="constrained", squeeze=False
    )
    for axis, name in zip(axes[0], names, strict=True):
        of_size = [m for m in rows if m.size == name and m.dropout == SIZES[name].dropout]
        ours = sorted((m.n_replicas, m.seconds) for m in of_size if m.method == OURS)
        axis.plot(*zip(*ours, strict=True), "o-", label=OURS)
        for m in of_size:
            if m.method != OURS:
                ends = np.array([1, ours[-1][0]])
                axis.plot(ends, m.seconds / m.n_replicas * ends, "--", label=m.method)
        axis.set(
            xscale="log", yscale="log", xlabel="replicas", ylabel="seconds", title=f"size: {name}"
        )
        axis.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small tables, few epochs")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    if arguments.one:
        print(json.dumps(asdict(run_one(arguments.one))))
        return
    rows = []
    for job in plan(arguments.sizes, quick=arguments.quick):
        rows.append(measure_in_subprocess(job, threads=arguments.threads))
        print(table([m for m in rows if m.size == job[0].name]).splitlines()[-1], flush=True)
    print("\n" + table(rows))
    single = {
        name: in_turns(SIZES[name], turns=3 if arguments.quick else 9) for name in arguments.sizes
    }
    for name, seconds in single.items():
        ours, loop = seconds.values()
        print(f"one replica, {name}: {ours:.3f} s, lean loop {loop:.3f} s, {loop / ours:.2f} times")
    machine = {"threads": arguments.threads, "cpu": platform.machine(), "torch": torch.__version__}
    written = {
        "machine": machine,
        "quick": arguments.quick,
        "one_replica": single,
        "rows": [asdict(m) for m in rows],
    }
    is_whole = arguments.sizes == list(SIZES)
    stem = "replicas" if is_whole else f"replicas_{'_'.join(arguments.sizes)}"
    (HERE / f"{stem}.json").write_text(json.dumps(written, indent=1) + "\n")
    draw(rows, HERE / f"{stem}.png")


if __name__ == "__main__":
    main()
