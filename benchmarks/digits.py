"""What each network for digits gets alone: `python -m benchmarks.digits [SOURCE] [--members A,B]`.

Trains one member after the other through the whole pipeline, on the offline sample or on a SOURCE
as `foldwise run` takes it, prints a table and writes it to `digits.md` beside this file. Scores are
of rows held out from training. Seconds are of training and predicting all folds: by the clock, and
of all cores together.
"""

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from models.shapes import InputShape
from pipelines import run as runs
from pipelines.competition import NetworkMember
from pipelines.competitions.digit_recognizer import COMPETITION
from pipelines.configuration import configure
from pipelines.console import Narrator
from pipelines.run import Request

PAGE = Path(__file__).with_suffix(".md")
MNIST = InputShape(image=(1, 28, 28))
NAMES = tuple(member.name for member in (*COMPETITION.members, *COMPETITION.spare))


@dataclass(frozen=True)
class Line:
    """One network: its size, its scores, what it took."""

    name: str
    n_weights: int
    epochs: int
    cv: float
    cv_std: float
    local_score: float | None
    seconds: float
    core_seconds: float

    def __str__(self) -> str:
        local = "" if self.local_score is None else f"{self.local_score:.4f}"
        cv = f"{self.cv:.4f} ± {self.cv_std:.4f}"
        seconds = f"{self.seconds:.0f} | {self.core_seconds:.0f}"
        return f"| {self.name} | {self.n_weights:,} | {self.epochs} | {cv} | {local} | {seconds} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", default="sample", help="as `foldwise run` takes it")
    parser.add_argument("--members", default=",".join(NAMES), help="only these")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        request = Request(source=asked.source, track=False, root=Path(root))
        _run(request, NAMES[0], "train.epochs=1")  # reads and encodes for all that follow
        lines = [measure(request, name) for name in asked.members.split(",")]
    page = write_page(asked.source, lines)
    print(page)
    PAGE.write_text(page)


def measure(request: Request, name: str) -> Line:
    """Train and score one member alone."""
    before = time.process_time()
    summary = _run(request, name)
    (member,) = configure(COMPETITION, members=(name,)).members
    assert isinstance(member, NetworkMember), "all of this competition's members are networks"
    weights = member.model.build(MNIST, len(COMPETITION.classes)).parameters()
    return Line(
        name=name,
        n_weights=sum(weight.numel() for weight in weights),
        epochs=member.train.epochs,
        cv=summary.cv,
        cv_std=summary.cv_std,
        local_score=summary.local_score,
        seconds=summary.stage_seconds[f"train-{name}"],
        core_seconds=time.process_time() - before,
    )


def _run(request: Request, name: str, *sets: str) -> runs.Summary:
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
