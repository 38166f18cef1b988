"""Trials that are proposed and trained together by one worker."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from pipelines.configuration.search_space import Search
from pipelines.tuning.heartbeat import Heartbeat
from pipelines.tuning.places import is_living, take
from pipelines.tuning.proposals import PlacedSampler, decoded, distributions, encoded, suggest
from pipelines.tuning.rounds import Rounds
from pipelines.tuning.snapshot import GIVEN_BACK, WORKER
from pipelines.tuning.storage import StorageLostError
from pipelines.tuning.study import Values
from pipelines.tuning.trial_tasks import TrialTasks
from pipelines.tuning.trials import Bench
from pipelines.tuning.worker import Worker


@dataclass(frozen=True)
class Shared:
    """What all batches of one process share.

    Attributes:
        study: In its storage.
        space: What is searched.
        defaults: The member's present values, which take the first place.
        seed: Of the proposals.
        worker: This process.
        heartbeat: Of its running trials.
        tasks: Trains each trial on its own; None where those of a batch may share a stack.
        rounds: What trials learn from; None where that is every trial that there is.
    """

    study: optuna.Study
    space: Search
    defaults: Values
    seed: int
    worker: Worker
    heartbeat: Heartbeat
    tasks: TrialTasks | None = None
    rounds: Rounds | None = None


class Batch:
    """Trials that are proposed together; those that do not end are marked failed."""

    def __init__(
        self, shared: Shared, bench: Bench, *, limit: int, hear: Callable[[], None]
    ) -> None:
        """Prepare a batch.

        Args:
            shared: What it shares with the others.
            bench: Trains its trials, unless they are trained each on its own.
            limit: How many trials there may be, with those of others.
            hear: Called after each trial that has ended.
        """
        self._shared, self._bench, self._limit, self._hear = shared, bench, limit, hear
        self._trials: list[optuna.Trial] = []
        self._running: set[int] = set()

    def run(self, n_trials: int) -> None:
        """Propose and train trials, and store their results."""
        try:
            self._propose(n_trials)
            values = [decoded(trial.params, self._shared.space) for trial in self._trials]
            for at, score in self._scores(values):
                if at in self._running:
                    self._end(at, score)
                self._hear()
        except StorageLostError:
            self._running.clear()  # without a heartbeat others free them
            raise
        finally:
            # Ctrl-C, a full disk: such trials say nothing about their values.
            with contextlib.suppress(StorageLostError):
                for at in sorted(self._running):
                    self._tell(at, state=TrialState.FAIL)

    def _scores(self, values: Sequence[Values]) -> Iterator[tuple[int, float | None]]:
        """The number and the score of each trial."""
        if not values:
            return iter(())
        if self._shared.tasks is not None:
            return self._shared.tasks.scores(values, self._report)
        return enumerate(self._bench.score(values, self._report))

    def _propose(self, n_trials: int) -> None:
        fixed: Mapping[str, Any] = {}
        last = -1
        for _ in range(n_trials):
            try:
                place = self._asked_and_placed(fixed, after=last)
            except UpdateFinishedTrialError:  # another worker freed it while this one was paused
                self._forget(len(self._trials) - 1)
                self._trials.pop()
                return
            if place is None:
                return
            last = place
            # Trials of one structure can be trained in one stack.
            free = () if self._shared.tasks else self._bench.replica_keys
            params = self._trials[-1].params
            fixed = {key: value for key, value in params.items() if free and key not in free}

    def _asked_and_placed(self, fixed: Mapping[str, Any], *, after: int) -> int | None:
        """The place of a further trial, with its values; None where it was one too many."""
        trial = self._asked()
        place = None if self._is_beyond(trial) else self._taken(trial, after=after)
        if place is None:
            self._give_back()
        else:
            self._suggest(trial, place, fixed)
        return place

    def _taken(self, trial: optuna.Trial, *, after: int) -> int | None:
        return take(trial, self._read, after=after, below=self._limit)

    def _asked(self) -> optuna.Trial:
        trial = self._shared.study.ask()
        self._running.add(len(self._trials))
        self._trials.append(trial)
        self._shared.heartbeat.add(trial)
        trial.set_user_attr(WORKER, self._shared.worker.name)
        return trial

    def _suggest(self, trial: optuna.Trial, place: int, fixed: Mapping[str, Any]) -> None:
        shared = self._shared
        shared.study.sampler = PlacedSampler(
            distributions(shared.space),
            seed=shared.seed,
            place=place,
            fixed=fixed if place else encoded(shared.defaults, shared.space),
            learned=None if shared.rounds is None else shared.rounds.before(place, shared.study),
        )
        suggest(trial, shared.space)

    def _read(self) -> list[FrozenTrial]:
        return self._shared.study.get_trials(deepcopy=False)

    def _is_beyond(self, trial: optuna.Trial) -> bool:
        """Whether those before it are enough, if all of them end well."""
        before = (other for other in self._read() if other.number < trial.number)
        return sum(map(is_living, before)) >= self._limit

    def _give_back(self) -> None:
        """The last trial is one too many, or not alone in its place: nobody counts it."""
        self._trials[-1].set_user_attr(GIVEN_BACK, value=True)
        self._tell(len(self._trials) - 1, state=TrialState.FAIL)
        self._trials.pop()

    def _report(self, trial: int, step: int, score: float) -> bool:
        """Store the score; whether the trial is hopeless. A stopped trial is stored at once."""
        if not np.isfinite(score):
            self._end(trial, None)
            return True
        try:
            self._trials[trial].report(score, step)
        except UpdateFinishedTrialError:
            self._forget(trial)  # another worker freed it while this process was paused
            return True
        # A trial at its last step gets a score, hopeless or not.
        is_hopeless = step < self._bench.last_step and self._should_prune(self._trials[trial])
        if is_hopeless:
            self._end(trial, None)
        return is_hopeless

    def _should_prune(self, trial: optuna.Trial) -> bool:
        shared = self._shared
        if shared.rounds is None:
            return trial.should_prune()
        return shared.rounds.should_prune(shared.study, trial.number)

    def _end(self, at: int, score: float | None) -> None:
        if score is None or not np.isfinite(score):
            self._tell(at, state=TrialState.PRUNED)
        else:
            self._tell(at, score)

    def _tell(self, at: int, score: float | None = None, state: TrialState | None = None) -> None:
        """Store how a trial ended, unless it was freed meanwhile."""
        with contextlib.suppress(UpdateFinishedTrialError):
            self._shared.study.tell(self._trials[at], score, state=state, skip_if_finished=True)
        self._forget(at)

    def _forget(self, at: int) -> None:
        self._shared.heartbeat.remove(self._trials[at])
        self._running.discard(at)
