"""Drafts against AutoGluon on rows that both never saw: `python -m benchmarks.against_autogluon`.

    python -m benchmarks.against_autogluon TABLES WORKSPACE AUTOGLUON SECONDS [NAME...]

TABLES is a folder with a folder for each table, in Kaggle's form (`train.csv`, `test.csv`,
`sample_submission.csv`; ids are called `id`), with the labels of its test rows beside it
(`solution.csv`, of `id` and the target), and `metrics.json`. Neither tool is shown the labels. Each
table is drafted by `foldwise new` and run as drafted; AutoGluon, by the Python AUTOGLUON in whose
environment it is, fits its best_quality presets for SECONDS of wall clock on all cores. CPU seconds
are of all processes. What was measured stays in WORKSPACE, so that NAMEs may be measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    cohen_kappa_score,
    log_loss,
    mean_absolute_error,
    roc_auc_score,
    root_mean_squared_error,
)

from pipelines.workspace.summary import Summary

PAGE = Path(__file__).with_suffix(".md")
RESULTS = "against_autogluon"  # folder in the workspace
N_DRAWS = 200
THEIR_METRICS = {
    "auc": "roc_auc",
    "qwk": "quadratic_kappa",
    "rmse": "root_mean_squared_error",
    "mae": "mean_absolute_error",
}
AUTOGLUON = """
import sys
import pandas as pd
from autogluon.tabular import TabularPredictor
folder, target, metric, seconds, out = sys.argv[1:]
train, test = pd.read_csv(f"{folder}/train.csv"), pd.read_csv(f"{folder}/test.csv")
predictor = TabularPredictor(label=target, eval_metric=metric, path=f"{out}/models")
train, test = train.drop(columns="id"), test.drop(columns="id")
predictor.fit(train, presets="best_quality", time_limit=float(seconds), num_gpus=0)
is_probability = metric in ("roc_auc", "log_loss")
predict = predictor.predict_proba if is_probability else predictor.predict
predict(test).to_csv(f"{out}/predicted.csv", index=False)
print(predictor.leaderboard(silent=True).head(3).to_string(), file=sys.stderr)
"""


@dataclass(frozen=True)
class Result:
    """What was measured on one table; scores are of the held-back rows, in the metric's units.

    `noise` is the standard error of the gain: what it is on the held-back rows drawn again.
    """

    name: str
    shape: tuple[int, int]
    metric: str
    greater_is_better: bool
    ours: float
    theirs: float
    noise: float
    cv: float
    our_cpu_s: float
    their_cpu_s: float

    @property
    def gain(self) -> float:
        """By what share the error is less than AutoGluon's; where more is better of 1 - score."""
        return gain_of(self.ours, self.theirs, greater_is_better=self.greater_is_better)

    @property
    def line(self) -> str:
        """A line of the page's table."""
        rows, columns = self.shape
        ours = f"**{self.ours:.4f}**" if self.gain > 0 else f"{self.ours:.4f}"
        return (
            f"| {self.name} | {rows:,} × {columns} | {self.metric} | {ours} | {self.theirs:.4f} | "
            f"{self.gain:+.1%} ± {self.noise:.1%} | {self.cv:.4f} | {self.our_cpu_s:.0f} | "
            f"{self.their_cpu_s:.0f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("autogluon", help="its Python")
    parser.add_argument("seconds", type=float, help="of wall clock, for AutoGluon")
    parser.add_argument("names", nargs="*", help="default: every table of metrics.json")
    asked = parser.parse_args()
    metrics = json.loads((asked.tables / "metrics.json").read_text())
    tables = asked.tables.resolve()
    (asked.workspace / RESULTS).mkdir(parents=True, exist_ok=True)
    os.chdir(asked.workspace)
    for name in asked.names or metrics:
        result = measure(tables / name, metrics[name], asked.autogluon, asked.seconds)
        Path(RESULTS, f"{name}.json").write_text(json.dumps(asdict(result), indent=1))
        print(result.line, flush=True)
    paths = sorted(Path(RESULTS).glob("*.json"))
    PAGE.write_text(page([Result(**json.loads(path.read_text())) for path in paths], asked.seconds))


def measure(table: Path, metric: str, autogluon: str, seconds: float) -> Result:
    """Both on one table, one after the other."""
    solution = pd.read_csv(table / "solution.csv").set_index("id").squeeze()
    shown = Path("shown", table.name)  # the files without the solution
    shutil.rmtree(shown, ignore_errors=True)
    shutil.copytree(table, shown, ignore=shutil.ignore_patterns("solution.csv"))
    summary, our_s = _ours(shown, metric)
    answers = pd.read_csv(summary.submission).set_index("id").loc[solution.index]
    theirs, their_s = _theirs(shown, str(solution.name), metric, autogluon, seconds)
    theirs = theirs.set_index(solution.index)
    train = pd.read_csv(shown / "train.csv")
    return Result(
        table.name,
        shape=(len(train), train.shape[1] - 2),
        metric=metric,
        greater_is_better=summary.greater_is_better,
        ours=score(metric, solution, answers),
        theirs=score(metric, solution, theirs),
        noise=noise_of(metric, solution, answers, theirs, summary.greater_is_better),
        cv=summary.cv,
        our_cpu_s=our_s,
        their_cpu_s=their_s,
    )


def _ours(shown: Path, metric: str) -> tuple[Summary, float]:
    foldwise, name = [sys.executable, "-m", "foldwise"], f"drafted-{shown.name}"
    typed = ["--source", str(shown), "--name", name, "--metric", metric, "--force"]
    shutil.rmtree(Path("runs", name), ignore_errors=True)
    seconds = _timed([*foldwise, "new", shown.name, *typed])
    seconds += _timed([*foldwise, "run", name, "--source", str(shown), "--no-track"])
    (made,) = Path("runs", name).glob("*/summary.json")
    summary = Summary.read(made.parent)
    assert summary is not None, "the run has just ended"
    return summary, seconds


def _theirs(
    shown: Path, target: str, metric: str, autogluon: str, seconds: float
) -> tuple[pd.DataFrame, float]:
    out = Path("autogluon", shown.name)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    named = THEIR_METRICS.get(metric, metric)
    words = [str(shown), target, named, str(seconds), str(out)]
    taken = _timed([autogluon, "-c", AUTOGLUON, *words])
    return pd.read_csv(out / "predicted.csv"), taken


def _timed(command: list[str]) -> float:
    """Run a command; the CPU seconds of all its threads and processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=sys.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def gain_of(ours: float, theirs: float, *, greater_is_better: bool) -> float:
    """By what share our error is less than theirs; where more is better of 1 - score."""
    ours, theirs = ((1 - s) if greater_is_better else s for s in (ours, theirs))
    return 1 - ours / theirs


def noise_of(
    metric: str,
    solution: pd.Series,
    ours: pd.DataFrame,
    theirs: pd.DataFrame,
    greater_is_better: bool,  # noqa: FBT001
) -> float:
    """The standard error of the gain, by drawing the held-back rows again, for both the same."""
    rng, gains = np.random.default_rng(0), []
    for _ in range(N_DRAWS):
        rows = rng.integers(0, len(solution), len(solution))
        drawn = solution.iloc[rows]
        if drawn.nunique() < min(2, solution.nunique()):
            continue
        both = (score(metric, drawn, answers.iloc[rows]) for answers in (ours, theirs))
        gains.append(gain_of(*both, greater_is_better=greater_is_better))
    return float(np.std(gains))


def score(metric: str, solution: pd.Series, answers: pd.DataFrame) -> float:
    """Of the answers to the test rows: one column, or one for each class, named like it."""
    first, last = answers.iloc[:, 0], answers.iloc[:, -1]
    if metric == "log_loss":
        classes = sorted(solution.unique(), key=str)
        columns = [next(c for c in answers if str(c).endswith(str(k))) for k in classes]
        return float(log_loss(solution, answers[columns].to_numpy(np.float64), labels=classes))
    if metric == "auc":
        return float(roc_auc_score(solution, last))
    if metric == "qwk":
        return float(cohen_kappa_score(solution, first, weights="quadratic"))
    known = {
        "accuracy": accuracy_score,
        "rmse": root_mean_squared_error,
        "mae": mean_absolute_error,
    }
    return float(known[metric](solution, first))


def page(results: list[Result], seconds: float) -> str:
    """The whole page."""
    n_won = sum(result.gain > 0 for result in results)
    head = [
        "# Drafts against AutoGluon\n",
        f"{os.cpu_count()} cores, {_processor()}, no GPU. A quarter of each table was held back "
        f"from both. AutoGluon: best_quality, {seconds:.0f} s of wall clock. Foldwise: as drafted "
        "by `foldwise new`, its metric given. Gain: by what share the error is smaller than "
        "AutoGluon's, where more is better of 1 - score, with its standard error over the "
        "held-back rows. In bold: better than AutoGluon, which is "
        f"so on {n_won} of {len(results)}.\n",
        "| table | training rows × columns | metric | Foldwise | AutoGluon | gain | our cv | "
        "CPU s | AutoGluon's |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    return "\n".join([*head, *(result.line for result in results), ""])


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    named = (line.partition(": ")[2] for line in lines if line.startswith("model name"))
    flags = next((line for line in lines if line.startswith("flags")), "")
    suffix = " with AVX-512" if "avx512f" in flags else ""
    return next(named, platform.machine()) + suffix


if __name__ == "__main__":
    main()
