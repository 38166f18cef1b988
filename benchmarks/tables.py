"""Competitions of tables beside HistGradientBoosting: `python -m benchmarks.tables FOLDER`.

Runs each competition below on `FOLDER/NAME.zip`, Kaggle's archive, and writes `tables.md` next to
this file. All scores are cross-validated: the blend's are nested, and the mark is fitted on the
same folds.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path

from rich.console import Console

import foldwise
from benchmarks.mark import mark
from pipelines.competitions import FURTHER_FOLDERS, load_competition
from pipelines.console import Narrator
from pipelines.runs.request import RunRequest
from pipelines.runs.run import run

HERE = Path(__file__).parent
NAMES = ("house-prices", "adult-income", "bike-days", "wine-quality")
HEAD = """# Competitions of tables

`python -m benchmarks.tables FOLDER`, {machine}, {cores} cores, no GPU. Scores are cross-validated;
the mark is scikit-learn's HistGradientBoosting with its defaults on the same folds. Seconds are
those of the whole run, report included.

| competition | metric | blend | best member | mark | seconds |
|---|---|--:|--:|--:|--:|
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where Kaggle's archives are")
    archives = parser.parse_args().folder.resolve()
    os.environ[FURTHER_FOLDERS] = str(HERE.parent / "examples" / "competitions")
    with tempfile.TemporaryDirectory() as workspace:
        os.chdir(workspace)
        lines = [line(name, archives / f"{name}.zip") for name in NAMES]
    head = HEAD.format(machine=platform.processor() or platform.machine(), cores=os.cpu_count())
    (HERE / "tables.md").write_text(head + "".join(lines))


def line(name: str, archive: Path) -> str:
    """Run one competition and its mark."""
    competition = load_competition(name)
    start = time.perf_counter()
    request = RunRequest(source=str(archive), device="cpu", track=False)
    summary = run(competition, request, Narrator(Console(quiet=True)))
    seconds = time.perf_counter() - start
    best = (max if summary.greater_is_better else min)(m.score for m in summary.members)
    other = mark(competition, foldwise.load(name, source=str(archive)))
    made = (
        f"| {name} | {summary.metric} | **{summary.cv:.4f}** ± {summary.cv_std:.4f} | {best:.4f} | "
        f"{other:.4f} | {seconds:.0f} |\n"
    )
    print(made, end="", flush=True)
    return made


if __name__ == "__main__":
    main()
