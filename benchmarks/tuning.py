"""Times a study of Titanic's MLP: all folds at once, or plain Optuna around a loop over folds.

`python -m benchmarks.tuning` prints a table and writes `tuning.json` next to this file. All studies
search the same space on the same encoded folds of the offline sample, with the same epochs,
optimiser, sampler and seed; they are timed in this process, one after the other, on folds encoded
beforehand. The plain loop is that of PyTorch's tutorials: a DataLoader, a model, an optimiser, fold
after fold; it is also timed with the only pruning such a loop allows, after each fold. All its
trials take the same time, so it may be timed on fewer (`--plain-trials`, `--pruned-trials`) and
scaled. With `--tracking`, 100 trivial trials with and without MLflow are timed instead.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import optuna
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from models.training.fit import FoldData
from pipelines import competitions
from pipelines.configuration.assignments import settings_of
from pipelines.members.network import NetworkMember
from pipelines.members.predictions import Problem
from pipelines.raw_files.sources import choose_source
from pipelines.stages import dataset, preprocess
from pipelines.stages.download import download
from pipelines.tuning.optimise import StudyOptions, StudyPlan, run_study
from pipelines.tuning.study import Values
from pipelines.tuning.trials import Bench, member_named, with_values
from pipelines.tuning.tune import TUNING_SEED

HERE = Path(__file__).parent
MEMBER = "mlp"


@dataclass(frozen=True)
class Measurement:
    """One study.

    Attributes:
        method: Name of the method.
        timed: Trials that were actually run.
        pruned: How many of them were stopped early.
        seconds: For all trials of the study; scaled if fewer were run.
        cpu_seconds: The same in CPU time of this process.
        best: The best score on the tuning folds among the trials that were run.
        best_of: The best score after as many trials as the plain loop ran.
    """

    method: str
    timed: int
    pruned: int
    seconds: float
    cpu_seconds: float
    best: float
    best_of: float


class Watch:
    """A stopwatch: wall clock and CPU time of this process since it was created."""

    def __init__(self) -> None:
        self._start = (time.perf_counter(), time.process_time())

    def read(self) -> tuple[float, float]:
        """(seconds, CPU seconds)."""
        return time.perf_counter() - self._start[0], time.process_time() - self._start[1]


def make_bench(folder: Path) -> Bench:
    """Titanic's sample, encoded on the folds of `foldwise tune`."""
    competition = competitions.load_competition("titanic")
    plan = competition.folds
    folds = plan.model_copy(update={"seed": plan.seed + TUNING_SEED, "n_repeats": 1})
    competition = competition.model_copy(update={"folds": folds})
    raw = download(competition, choose_source("sample", competition), folder / "data")
    prepared = preprocess.prepare(competition, raw)
    member = member_named(competition, MEMBER)
    encoded = dataset.encode(prepared, member.encoder)
    return Bench(competition, member, encoded, n_seeds=1, device="cpu")


def foldwise(bench: Bench, n_trials: int, *, at_once: int, n_plain: int) -> Measurement:
    """A study by `foldwise tune`, its journal on disk."""
    now = settings_of(bench.competition)
    with tempfile.TemporaryDirectory() as folder:
        plan = StudyPlan(
            name="benchmark",
            folder=Path(folder),
            space=bench.member.search,
            defaults={key: now[f"{MEMBER}.{key}"] for key in bench.member.search},
            greater_is_better=True,
            options=StudyOptions(n_trials=n_trials, at_once=at_once),
        )
        watch = Watch()
        study = run_study(plan, bench)
        seconds, cpu_seconds = watch.read()
    scores = {t.number: t.score for t in study.complete if t.score is not None}
    return Measurement(
        method=f"Foldwise, {at_once} at once" if at_once > 1 else "Foldwise, one by one",
        timed=n_trials,
        pruned=study.n_pruned,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        best=max(scores.values()),
        best_of=max(score for number, score in scores.items() if number < n_plain),
    )


def plain(bench: Bench, n_trials: int, n_timed: int, *, prunes: bool) -> Measurement:
    """The same space by plain Optuna, in memory; optionally with pruning after each fold."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=10, n_warmup_steps=2)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=0, multivariate=True),
        pruner=pruner if prunes else optuna.pruners.NopPruner(),
    )
    study.enqueue_trial({"lr": 0.01, "weight_decay": 1.0, "dropout": 0.2, "hidden": "[16]"})
    watch = Watch()
    study.optimize(_objective(bench, prunes=prunes), n_trials=n_timed)
    seconds, cpu_seconds = watch.read()
    pruned = len(study.get_trials(states=(optuna.trial.TrialState.PRUNED,)))
    return Measurement(
        method="plain Optuna, pruned by fold" if prunes else "plain Optuna",
        timed=n_timed,
        pruned=pruned,
        seconds=seconds * n_trials / n_timed,
        cpu_seconds=cpu_seconds * n_trials / n_timed,
        best=study.best_value,
        best_of=study.best_value,
    )


def _objective(bench: Bench, *, prunes: bool) -> Callable[[optuna.Trial], float]:
    folds, target = bench.folds, bench.dataset.target
    score = bench.competition.metric.score

    def objective(trial: optuna.Trial) -> float:
        values = {
            "train.lr": trial.suggest_float("lr", 0.001, 0.1, log=True),
            "train.weight_decay": trial.suggest_float("weight_decay", 0.01, 10.0, log=True),
            "model.dropout": trial.suggest_float("dropout", 0.05, 0.5),
            "model.hidden": json.loads(
                trial.suggest_categorical("hidden", ["[8]", "[16]", "[32]", "[64]", "[16, 8]"])
            ),
        }
        scores = []
        for number, fold in enumerate(folds):
            probabilities = train_one(bench, values, fold, target)
            scores.append(float(score(target[fold.valid_rows], probabilities)))
            trial.report(float(np.mean(scores)), number)
            if prunes and trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(scores))

    return objective


def train_one(bench: Bench, values: Values, fold: FoldData, target: np.ndarray) -> np.ndarray:
    """One model on one fold by the tutorials' loop; held-out probabilities `(n, 2)`."""
    member = with_values(bench.competition, bench.member, values)
    assert isinstance(member, NetworkMember), "the member is a network"
    torch.manual_seed(0)
    model = member.builder(Problem.of(bench.competition), bench.dataset)()
    x, y = torch.from_numpy(fold.inputs["x_num"]).float(), torch.from_numpy(target).float()
    rows = torch.from_numpy(fold.train_rows)
    loader = DataLoader(TensorDataset(x[rows], y[rows]), batch_size=len(rows), shuffle=True)
    loss_fn = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=member.train.lr, weight_decay=member.train.weight_decay
    )
    for _ in range(member.train.epochs):
        model.train()
        for inputs, labels in loader:
            loss = loss_fn(model(inputs).squeeze(-1), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return _probabilities(model, x[torch.from_numpy(fold.valid_rows)])


@torch.no_grad()
def _probabilities(model: nn.Module, x: Tensor) -> np.ndarray:
    model.eval()
    positive = torch.sigmoid(model(x).squeeze(-1)).numpy()
    return np.stack([1 - positive, positive], axis=1)


def tracking(n_trials: int, *, repeats: int) -> str:
    """Seconds of `foldwise tune` with trials of one epoch, in new workspaces, alternating."""
    spent: dict[bool, list[float]] = {False: [], True: []}
    for track in [False, True] * repeats:
        spent[track].append(_command(n_trials, track=track))
    without, tracked = min(spent[False]), min(spent[True])
    seconds = f"{without:.1f} s without tracking, {tracked:.1f} s with it"
    return f"{n_trials} trivial trials: {seconds}, {tracked / without:.2f} times as long"


def _command(n_trials: int, *, track: bool) -> float:
    """Seconds of the whole command, its imports and figures included."""
    typed = ["tune", "titanic", "--member", "logistic", "--source", "sample", "--pruner", "none"]
    typed += ["--set", "logistic.train.epochs=1", "--trials", str(n_trials)]
    command = [sys.executable, "-m", "pipelines", *typed, "--track" if track else "--no-track"]
    search = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=folder, env=search)
        return time.perf_counter() - start


def table(rows: Sequence[Measurement], n_trials: int) -> str:
    """One line per study; `times` is its CPU time relative to the quickest."""
    quickest = min(row.cpu_seconds for row in rows)
    n_plain = min(row.timed for row in rows)
    head = f"{'method':29} {'timed':>5} {'pruned':>6} {f's per {n_trials}':>10} {'CPU s':>8}"
    lines = [f"{head} {'times':>6} {f'best of {n_plain}':>11} {'best':>8}"]
    for row in rows:
        lines.append(
            f"{row.method:29} {row.timed:5} {row.pruned:6} {row.seconds:10.1f} "
            f"{row.cpu_seconds:8.1f} {row.cpu_seconds / quickest:6.1f} "
            f"{row.best_of:11.4f} {row.best:8.4f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--plain-trials", type=int, default=100)
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 10, 25])
    parser.add_argument("--pruned-trials", type=int, default=100)
    parser.add_argument("--tracking", action="store_true")
    arguments = parser.parse_args()
    if arguments.tracking:
        print(tracking(arguments.trials, repeats=2))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        bench = make_bench(Path(folder))
        bench.score([{}], lambda *_: False)  # a warm-up
        for prunes, n_timed in ((False, arguments.plain_trials), (True, arguments.pruned_trials)):
            if n_timed:
                rows.append(plain(bench, arguments.trials, n_timed, prunes=prunes))
                print(table(rows, arguments.trials).splitlines()[-1], flush=True)
        for at_once in arguments.at_once:
            rows.append(
                foldwise(bench, arguments.trials, at_once=at_once, n_plain=arguments.plain_trials)
            )
            print(table(rows, arguments.trials).splitlines()[-1], flush=True)
    print("\n" + table(rows, arguments.trials))
    machine = {
        "threads": torch.get_num_threads(),
        "cpu": platform.machine(),
        "torch": torch.__version__,
        "optuna": optuna.__version__,
    }
    written = {
        "machine": machine,
        "trials": arguments.trials,
        "rows": [asdict(row) for row in rows],
    }
    (HERE / "tuning.json").write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
