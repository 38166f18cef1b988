"""The submissions that a run with a time limit makes one after the other; the best one counts.

Their cross-validated scores are compared, each of which says what its own CSV is worth: models of
fewer folds have learned from fewer rows, in the score as in the CSV.
"""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.configuration.competition import Competition, SecondLevel
from pipelines.console import Narrator
from pipelines.planning.clock import Clock, TimeUpError
from pipelines.runs import run as runs
from pipelines.runs.run import Begun
from pipelines.stages import publish
from pipelines.stages.pipeline import Pipeline
from pipelines.workspace.layout import RunLayout, Workspace, submission_csv
from pipelines.workspace.summary import Summary

BLEND_SHARE, BLEND_LEAST_S = 0.35, 1.0  # of the seconds of stage 5, what the blend alone takes


@dataclass(frozen=True)
class Made:
    """A submission.

    Attributes:
        competition: What made it.
        summary: Its summary.
        is_asked: Whether it holds all that was asked for, and so replaces any that does not.
    """

    competition: Competition
    summary: Summary
    is_asked: bool = False

    def replaces(self, earlier: Made) -> bool:
        """Whether it is kept rather than an earlier one: unless it is worse beyond the noise."""
        if self.is_asked != earlier.is_asked:
            return self.is_asked
        worse_by = self.summary.cv - earlier.summary.cv
        if self.competition.greater_is_better:
            worse_by = -worse_by
        noise = math.hypot(_error(self.summary), _error(earlier.summary))
        return not worse_by > noise


@dataclass
class Submissions:
    """Runs of one command, each in a folder of its own, which share their stages.

    Attributes:
        begun: What they are run for.
        narrator: Tells what is done.
        best: The one that is kept.
        last: The one that was made last.
        n_made: How many were made.
        spent: By stage, the seconds of all of them.
    """

    begun: Begun
    narrator: Narrator
    best: Made | None = None
    last: Made | None = None
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

    def make(self, competition: Competition, *, is_asked: bool = False) -> dict[str, float]:
        """Make that configuration's submission, and keep it unless an earlier one is better.

        Args:
            competition: What is trained.
            is_asked: Whether it is all that was asked for.

        Returns:
            The seconds of its stages.
        """
        with self.pipeline(competition) as pipeline:
            summary = runs.made(pipeline, self.begun, self.narrator, is_named=False)
            self.last = Made(competition, summary, is_asked)
            self.n_made += 1
            self._keep_better(self.last)
            return dict(pipeline.seconds)

    def make_in_time(
        self, competition: Competition, clock: Clock, *, blend_s: float, is_asked: bool = False
    ) -> dict[str, float]:
        """`make`; of the blend alone where there is no time for the second level.

        Args:
            competition: What is trained.
            clock: Says when time is up.
            blend_s: Seconds that stage 5 is thought to take.
            is_asked: Whether it is all that was asked for.

        Raises:
            TimeUpError: There was no time for the blend either.
        """
        if not competition.second_level.stackers:
            return self.make(competition, is_asked=is_asked)
        try:
            with clock.watched(ahead_s=max(BLEND_LEAST_S, BLEND_SHARE * blend_s)):
                return self.make(competition, is_asked=is_asked)
        except TimeUpError:
            self.narrator.say("plan", "no time for the second level: the members are blended")
        blended = competition.model_copy(update={"second_level": SecondLevel()})
        return self.make(blended)

    def clear(self) -> None:
        """Remove the folders that this command made, but for that of the best submission."""
        self._copy_best()
        kept = None if self.best is None else self.best.summary.run
        for folder in self._new:
            if folder.name != kept:
                shutil.rmtree(folder, ignore_errors=True)

    def _keep_better(self, made: Made) -> None:
        earlier = self.best
        if earlier is None or made.replaces(earlier):
            self.best, worse = made, earlier
        else:
            worse = made
            self._copy_best()
        if worse is not None:
            self._withdraw(worse)

    def _copy_best(self) -> None:
        """Put the best CSV where a person looks for it; a worse one may lie in its place."""
        if self.best is None:
            return
        summary, request = self.best.summary, self.begun.request
        folder = Workspace(request.root).runs(summary.competition) / summary.run
        publish.copies(summary, folder, request.root, request.out)

    def _withdraw(self, worse: Made) -> None:
        """Remove the CSV of a submission that is not kept, if this command made it."""
        assert self.best is not None, "the better one was made"
        run = worse.summary.run
        folder = Workspace(self.begun.request.root).runs(worse.summary.competition) / run
        if run != self.best.summary.run and folder in self._new:
            (self.begun.request.root / submission_csv(worse.summary.competition, run)).unlink(
                missing_ok=True
            )

    def _folders(self) -> Iterator[Path]:
        runs_ = Workspace(self.begun.request.root).runs(self.begun.competition.name)
        return (path.parent for path in runs_.glob(f"*/{RunLayout(runs_).run_file.name}"))


def _error(summary: Summary) -> float:
    """The standard error of its mean score, from what it is on each split."""
    return summary.cv_std / math.sqrt(max(summary.n_splits - 1, 1))
