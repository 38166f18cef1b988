"""How good drafted competitions are: `python -m benchmarks.drafted TABLES WORKSPACE [NAME...]`.

TABLES is a folder with a folder or zip for each table, in Kaggle's form (`train.csv`, `test.csv`,
`sample_submission.csv`), and `metrics.json`, the metric of each: `{"nursery": "log_loss"}`. Each
table is drafted by `foldwise new` and run by `foldwise run`, both in WORKSPACE, where what was
measured stays, so that NAMEs may be measured again. The mark to beat is scikit-learn's
HistGradientBoosting with its defaults, on the same folds and with the same decision rules.

Scores are cross-validated: the blend's are nested, so its weights never saw the rows they score.
Seconds are CPU time of all cores, which other programs disturb less than wall clock.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.mark import mark
from foldwise import list_competitions, load, load_competition
from pipelines.workspace.summary import Summary

PAGE = Path(__file__).with_suffix(".md")
RESULTS = "drafted"  # folder in the workspace


@dataclass(frozen=True)
class Result:
    """What was measured on one table; scores are in the metric's own units."""

    name: str
    n_rows: int
    n_columns: int
    metric: str
    greater_is_better: bool
    blend: float
    members: dict[str, float]
    mark: float
    draft_s: float
    run_s: float

    @property
    def line(self) -> str:
        """A line of the page's table."""
        members = ", ".join(f"{name} {score:.4f}" for name, score in self.members.items())
        is_better = (self.blend > self.mark) == self.greater_is_better
        shown = f"**{self.blend:.4f}**" if is_better else f"{self.blend:.4f}"
        return (
            f"| {self.name} | {self.n_rows:,} × {self.n_columns} | {self.metric} | {shown} | "
            f"{members} | {self.mark:.4f} | {self.run_s:.0f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, help="a folder of tables, and metrics.json")
    parser.add_argument("workspace", type=Path, help="where drafts and runs go")
    parser.add_argument("names", nargs="*", help="default: every table of metrics.json")
    arguments = parser.parse_args()
    metrics = json.loads((arguments.tables / "metrics.json").read_text())
    tables = arguments.tables.resolve()
    arguments.workspace.mkdir(parents=True, exist_ok=True)
    os.chdir(arguments.workspace)
    Path(RESULTS).mkdir(exist_ok=True)
    for name in arguments.names or metrics:
        result = measure(name, _source(tables, name), metrics[name])
        Path(RESULTS, f"{name}.json").write_text(json.dumps(asdict(result), indent=1))
        print(result.line, flush=True)
    results = [Result(**json.loads(path.read_text())) for path in sorted(Path(RESULTS).iterdir())]
    PAGE.write_text(page(results))


def _source(tables: Path, name: str) -> Path:
    archive = tables / f"{name}.zip"
    return archive if archive.is_file() else tables / name


def measure(name: str, source: Path, metric: str) -> Result:
    """Draft one table, run the draft, and fit the mark on its folds."""
    called = f"drafted-{name}"
    typed = ["--source", str(source), "--name", called, "--metric", metric, "--force"]
    draft_s = _command("new", name, *typed)
    run_s = _command("run", called, "--source", str(source))
    summary = max(
        (Summary.read(path.parent) for path in Path("runs", called).glob("*/summary.json")),
        key=lambda one: one.run if one else "",
    )
    assert summary is not None, "the run has just ended"
    list_competitions()
    prepared, competition = load(called, source), load_competition(called)
    return Result(
        name,
        n_rows=len(prepared.train),
        n_columns=len(competition.columns),
        metric=metric,
        greater_is_better=summary.greater_is_better,
        blend=summary.cv,
        members={member.name: member.score for member in summary.members},
        mark=mark(competition, prepared),
        draft_s=draft_s,
        run_s=run_s,
    )


def _command(*arguments: str) -> float:
    """Run `foldwise`; the CPU seconds of all its threads and processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "foldwise", *arguments], check=True, stdout=sys.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def page(results: list[Result]) -> str:
    """The whole page."""
    head = [
        "# Drafted competitions\n",
        "Each table was drafted by `foldwise new`, with its metric given, and run as drafted. "
        f"{os.cpu_count()} cores, {platform.machine()}, no GPU. The mark is scikit-learn's "
        "HistGradientBoosting with its defaults on the same folds; a blend in bold beats it. "
        "All scores are cross-validated, the blend's by nested weights; seconds are CPU time.\n",
        "| table | training rows × columns | metric | blend | members | mark | CPU s |",
        "|---|--:|---|--:|---|--:|--:|",
    ]
    return "\n".join([*head, *(result.line for result in results), ""])


if __name__ == "__main__":
    main()
