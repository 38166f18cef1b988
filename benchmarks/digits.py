"""The score of each digit network alone: `python -m benchmarks.digits [SOURCE] [--members A,B]`.

Trains one member after the other through the whole pipeline, on the offline sample or any SOURCE of
`foldwise run`, prints a table and writes it to `digits.md` next to this file. With
`--run runs/digit-recognizer/RUN`, members of that finished run are not trained again. Scores are
out-of-fold. Seconds are for training and predicting all folds: wall clock, and CPU time of all
cores, which other programs disturb less.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from models.data import InputShape
from pipelines.competitions.digit_recognizer import COMPETITION
from pipelines.configuration.assignments import configure
from pipelines.console import Narrator
from pipelines.members.network import NetworkMember
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest
from pipelines.workspace.summary import MemberLine, Summary

PAGE = Path(__file__).with_suffix(".md")
MNIST = InputShape(image=(1, 28, 28))
NAMES = tuple(member.name for member in (*COMPETITION.members, *COMPETITION.optional_members))


@dataclass(frozen=True)
class Line:
    """One network: its size, scores and time."""

    name: str
    n_weights: int
    epochs: int
    cv: float
    cv_std: float
    local_score: float | None
    seconds: float
    core_seconds: float | None

    def __str__(self) -> str:
        local = "" if self.local_score is None else f"{self.local_score:.4f}"
        cv = f"{self.cv:.4f} ± {self.cv_std:.4f}"
        cores = "" if self.core_seconds is None else f"{self.core_seconds:.0f}"
        seconds = f"{self.seconds:.0f} | {cores}"
        return f"| {self.name} | {self.n_weights:,} | {self.epochs} | {cv} | {local} | {seconds} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "source", nargs="?", default="sample", help="as for `foldwise run --source`"
    )
    parser.add_argument("--members", default=",".join(NAMES), help="only these")
    parser.add_argument("--run", type=Path, help="a finished run's folder")
    arguments = parser.parse_args()
    finished = {} if arguments.run is None else read_run(arguments.run)
    with tempfile.TemporaryDirectory() as root:
        request = RunRequest(source=arguments.source, track=False, root=Path(root))
        _run(request, NAMES[0], "train.epochs=1")  # reads and encodes the data for all of them
        names = arguments.members.split(",")
        lines = [finished[name] if name in finished else measure(request, name) for name in names]
    page = write_page(arguments.source, lines)
    print(page)
    PAGE.write_text(page)


def measure(request: RunRequest, name: str) -> Line:
    """Train and score one member alone."""
    before = time.process_time()
    summary = _run(request, name)
    return _line(summary, summary.members[0], core_seconds=time.process_time() - before)


def read_run(folder: Path) -> dict[str, Line]:
    """The members of a finished run, by name."""
    summary = Summary.read(folder)
    if summary is None:
        raise SystemExit(f"{folder} holds no finished run; type: foldwise runs digit-recognizer")
    return {member.name: _line(summary, member, core_seconds=None) for member in summary.members}


def _line(summary: Summary, scored: MemberLine, *, core_seconds: float | None) -> Line:
    (member,) = configure(COMPETITION, members=(scored.name,)).members
    assert isinstance(member, NetworkMember), "all of this competition's members are networks"
    weights = member.model.build(MNIST, len(COMPETITION.classes)).parameters()
    return Line(
        name=scored.name,
        n_weights=sum(weight.numel() for weight in weights),
        epochs=member.train.epochs,
        cv=scored.score,
        cv_std=scored.std,
        local_score=summary.local_score if len(summary.members) == 1 else None,
        seconds=summary.stage_seconds[f"train-{scored.name}"],
        core_seconds=core_seconds,
    )


def _run(request: RunRequest, name: str, *sets: str) -> Summary:
    competition = configure(COMPETITION, members=(name,), sets=sets)
    return runs.run(competition, request, Narrator(Console(stderr=True)))


def write_page(source: str, lines: list[Line]) -> str:
    """The table as Markdown."""
    name = Path(source).name
    return "\n".join(
        [
            "# Digit Recognizer: each network alone\n",
            f"{name}, {COMPETITION.folds.n_folds} folds, {os.cpu_count()} CPU cores.\n",
            "| network | weights | epochs | accuracy, held-out rows | held back | seconds |"
            " seconds of cores |",
            "|---|--:|--:|--:|--:|--:|--:|",
            *map(str, lines),
            "",
        ]
    )


if __name__ == "__main__":
    main()
