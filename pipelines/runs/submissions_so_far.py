"""The submissions that a run with a time limit makes one after the other; the last one counts."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.configuration.competition import Competition
from pipelines.console import Narrator
from pipelines.runs import run as runs
from pipelines.runs.run import Begun
from pipelines.stages.pipeline import Pipeline
from pipelines.workspace.layout import RunLayout, Workspace, submission_csv
from pipelines.workspace.summary import Summary


@dataclass(frozen=True)
class Best:
    """The last submission that was made.

    Attributes:
        competition: What made it.
        summary: Its summary.
    """

    competition: Competition
    summary: Summary


@dataclass
class Submissions:
    """Runs of one command, each in a folder of its own, which share their stages.

    Attributes:
        begun: What they are run for.
        narrator: Tells what is done.
        best: The last one that was made.
        n_made: How many were made.
        spent: By stage, the seconds of all of them.
    """

    begun: Begun
    narrator: Narrator
    best: Best | None = None
    n_made: int = 0
    spent: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._new: set[Path] = set()

    @contextlib.contextmanager
    def pipeline(self, competition: Competition) -> Iterator[Pipeline]:
        """The stages of that configuration; their seconds are added to what was spent."""
        before = set(self._folders())
        with runs.opened(self.begun, competition, self.narrator) as pipeline:
            self._new |= {pipeline.contents.layout.folder} - before
            try:
                yield pipeline
            finally:
                for name, seconds in pipeline.seconds.items():
                    self.spent[name] = self.spent.get(name, 0.0) + seconds

    def make(self, competition: Competition) -> float:
        """Make that configuration's submission; returns the seconds of its stage 5."""
        with self.pipeline(competition) as pipeline:
            summary = runs.made(pipeline, self.begun, self.narrator, is_named=False)
            earlier, self.best = self.best, Best(competition, summary)
            self.n_made += 1
            if earlier is not None:
                self._withdraw(earlier)
            return pipeline.seconds.get("ensemble", 0.0)

    def clear(self) -> None:
        """Remove the folders that this command made, but for that of the last submission."""
        kept = None if self.best is None else self.best.summary.run
        for folder in self._new:
            if folder.name != kept:
                shutil.rmtree(folder, ignore_errors=True)

    def _withdraw(self, earlier: Best) -> None:
        """Remove the CSV of a submission that a better one replaced, if this command made it."""
        assert self.best is not None, "the better one was made"
        run = earlier.summary.run
        folder = Workspace(self.begun.request.root).runs(earlier.summary.competition) / run
        if run != self.best.summary.run and folder in self._new:
            (self.begun.request.root / submission_csv(earlier.summary.competition, run)).unlink(
                missing_ok=True
            )

    def _folders(self) -> Iterator[Path]:
        runs_ = Workspace(self.begun.request.root).runs(self.begun.competition.name)
        return (path.parent for path in runs_.glob(f"*/{RunLayout(runs_).run_file.name}"))
