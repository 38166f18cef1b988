"""Trials as units of work: an executor does each on its own, wherever that is."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.executor import STOPPED, Call, Executor, Needs, Shared, Task
from models.training.block_layout import LIBRARIES_BYTES
from pipelines.members.member import Member
from pipelines.members.trials import ReportScore, TrialData
from pipelines.tuning.study import Values
from pipelines.tuning.trials import Bench, with_values

COPIES = 2  # of the largest fold's rows: as they came, and as a trainer takes them


@dataclass(frozen=True)
class TrialTasks:
    """Scores trials by an executor; a trial alone has the same score wherever it is trained.

    Attributes:
        bench: What all trials share.
        executor: Trains them.
    """

    bench: Bench
    executor: Executor

    def scores(
        self, trials: Sequence[Values], report: ReportScore
    ) -> Generator[tuple[int, float | None], None, None]:
        """The number of each trial and its score, as they end; None where it was stopped.

        Args:
            trials: The values of each.
            report: Receives scores as they become known, each once; may stop a trial.

        Raises:
            ConfigurationError: A value that its setting cannot hold.
        """
        bench = self.bench
        members = [with_values(bench.competition, bench.member, values) for values in trials]
        tasks = [Task(_score, self._shared, member, needs=self.needs) for member in members]

        def hear(number: int, told: tuple[int, float]) -> bool:
            return report(number, *told)

        with closing(self.executor.run(tasks, hear, unit="trials")) as results:
            for number, result in results:
                yield number, None if result is STOPPED else result

    @cached_property
    def _shared(self) -> Shared:
        return self.executor.share(self.bench.data)

    @cached_property
    def needs(self) -> Needs:
        """What a trial takes while it is trained."""
        views = self.bench.dataset.views
        largest = max(sum(np.asarray(x).nbytes for x in view.train.values()) for view in views)
        is_on_card = self.bench.device == "cuda" and self.bench.member.splits_advance_together
        return Needs(
            threads=self.bench.member.trial_threads,
            n_bytes=LIBRARIES_BYTES + COPIES * largest,
            cards=int(is_on_card),
        )


def _score(data: TrialData, member: Member, call: Call) -> float | None:
    """Train one trial, wherever this is called."""

    def report(trial: int, step: int, score: float) -> bool:
        del trial
        call.tell((step, score))
        return False

    return member.trial([member], data, report)[0]
