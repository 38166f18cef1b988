"""Runs a study: proposes, prunes and stores trials; any number of processes may share one.

Trials are stored as they end, so a study can be killed at any moment and resumed.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from models.executor import LOCAL, Executor
from pipelines.configuration.search_space import Search
from pipelines.tuning.batch import Batch, Shared
from pipelines.tuning.heartbeat import Heartbeat, Reaper
from pipelines.tuning.places import COUNTED
from pipelines.tuning.proposals import N_STARTUP, PlacedSampler
from pipelines.tuning.rounds import Rounds
from pipelines.tuning.snapshot import as_study, importance
from pipelines.tuning.storage import Say, open_storage
from pipelines.tuning.study import Study, Values
from pipelines.tuning.trial_tasks import TrialTasks
from pipelines.tuning.trials import Bench
from pipelines.tuning.worker import Worker

Pruner = Literal["median", "hyperband", "wilcoxon", "none"]
LIMIT = "trials"  # the attribute of a study: how many trials it is to have
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 2.0  # while other workers end the last trials


@dataclass(frozen=True)
class StudyOptions:
    """How far a study goes, and where it is stored.

    Attributes:
        n_trials: The total number of counted trials, those of earlier calls included.
        time_limit_s: Seconds after which no more trials are started.
        storage: A URL that Optuna knows; None for a journal file in the study's folder.
        seed: Seed of the proposals.
        at_once: Trials that are proposed together; networks' trials share a stack.
        rounds: In how many rounds the trials are proposed, each after all results of those before;
            None where a trial is proposed as soon as there is room for it.
        join: Whether to leave the number of trials to the other workers, once one has set it.
    """

    n_trials: int = 100
    time_limit_s: float | None = None
    storage: str | None = None
    seed: int = 0
    at_once: int = 1
    rounds: int | None = None
    join: bool = False

    @property
    def round_size(self) -> int | None:
        """Trials of a round."""
        return None if self.rounds is None else math.ceil(self.n_trials / self.rounds)


@dataclass(frozen=True)
class StudyPlan:
    """A study to run.

    Attributes:
        name: Its name in the storage; the same name resumes the same study.
        folder: Where its journal and its workers' files are.
        space: What is searched.
        defaults: The member's present values, which are tried first.
        greater_is_better: The metric's direction.
        pruner: What stops hopeless trials.
        options: How far it goes, and where it is stored.
    """

    name: str
    folder: Path
    space: Search
    defaults: Values
    greater_is_better: bool
    pruner: Pruner = "median"
    options: StudyOptions = StudyOptions()


OnTrial = Callable[[Study], None]


def run_study(
    plan: StudyPlan,
    bench: Bench,
    on_trial: OnTrial | None = None,
    say: Say | None = None,
    executor: Executor = LOCAL,
) -> Study:
    """Run trials until the study has its number or its time is over; the same plan resumes it.

    Any number of processes may run the same plan at once: together they finish that number.

    Args:
        plan: The study.
        bench: Trains the trials.
        on_trial: Called with the study so far at the start, and whenever further trials have ended.
        say: Takes a warning while the storage is waited for.
        executor: Trains the trials. Elsewhere each is trained on its own, as many at once as there
            is room for.

    Raises:
        StorageError: The storage cannot be opened.
        StorageLostError: It went away, and did not come back.
    """
    hear = on_trial or (lambda _: None)
    with _quiet(), Worker(plan.folder) as worker, _opened(plan, say) as storage:
        study = _study(plan, storage)
        with Heartbeat(storage) as heartbeat:
            size, seed = plan.options.round_size, plan.options.seed
            is_alone = size is not None or executor is not LOCAL
            shared = Shared(
                study,
                plan.space,
                plan.defaults,
                seed,
                worker,
                heartbeat,
                tasks=TrialTasks(bench, executor) if is_alone else None,
                rounds=None if size is None else Rounds(size),
            )
            _Run(plan, bench, shared, Reaper(study, storage, plan.folder), hear).run()
        return replace(_snapshot(study, plan, worker), importance=importance(study))


def read_study(plan: StudyPlan) -> Study:
    """The study as it is in its storage now.

    Raises:
        StorageError: The storage cannot be opened.
    """
    with _quiet(), _opened(plan) as storage:
        return _snapshot(_study(plan, storage), plan)


class _Run:
    """This process's share of a study."""

    def __init__(
        self, plan: StudyPlan, bench: Bench, shared: Shared, reaper: Reaper, hear: OnTrial
    ) -> None:
        self._plan, self._bench, self._shared = plan, bench, shared
        self._reaper, self._hear = reaper, hear
        self._n_heard: int | None = None

    def run(self) -> None:
        """Run batches, or wait for other workers, until there are enough trials or no time."""
        limit_s, pause = self._plan.options.time_limit_s, FIRST_PAUSE_S
        self._end = time.monotonic() + (np.inf if limit_s is None else limit_s)
        while (left := self._left()) is not None and time.monotonic() < self._end:
            if left > 0 and self._some(left):
                pause = FIRST_PAUSE_S
            else:
                self._hear_news()
                time.sleep(min(pause, max(0.0, self._end - time.monotonic())))
                pause = min(2 * pause, LONGEST_PAUSE_S)
        self._hear_news()

    def _some(self, left: int) -> bool:
        """Run some of the trials that are left, unless another command's must end first."""
        shared = self._shared
        if shared.rounds is not None:
            return self._round(shared.rounds)
        if shared.tasks is not None:
            executor = shared.tasks.executor
            room = executor.room(shared.tasks.needs)
            executor.each([self._one_by_one] * min(left, room))
        else:
            self._batch(min(self._plan.options.at_once, left), self._limit())
        return True

    def _round(self, rounds: Rounds) -> bool:
        """Run what is free of the first round that is not full, once those before have ended."""
        found = rounds.open(self._shared.study.get_trials(deepcopy=False), self._limit())
        if not found.must_wait:
            self._batch(found.n_free, found.end)
        return not found.must_wait

    def _one_by_one(self) -> None:
        """Run trials until none is left; others do so at the same time."""
        while (self._left() or 0) > 0 and time.monotonic() < self._end:
            self._batch(1, self._limit())

    def _batch(self, n_trials: int, limit: int) -> None:
        self._hear_news()
        Batch(self._shared, self._bench, limit=limit, hear=self._hear_news).run(n_trials)

    def _hear_news(self) -> None:
        """Hand on the study as it is now, unless no trial has ended since it was heard."""
        n_ended = len(self._shared.study.get_trials(deepcopy=False, states=COUNTED))
        if n_ended != self._n_heard:
            self._n_heard = n_ended
            self._hear(_snapshot(self._shared.study, self._plan, self._shared.worker))

    def _left(self) -> int | None:
        """How many trials nobody has begun; None where all have ended."""
        self._reaper.free()
        limit = self._limit()
        trials = self._shared.study.get_trials(deepcopy=False)
        n_running = sum(trial.state == TrialState.RUNNING for trial in trials)
        n_counted = sum(trial.state in COUNTED for trial in trials)
        return None if n_counted >= limit else limit - n_counted - n_running

    def _limit(self) -> int:
        """How many trials the study is to have; who joins it leaves that to the others."""
        study, options = self._shared.study, self._plan.options
        stored = study.user_attrs.get(LIMIT)
        if options.join:
            return options.n_trials if stored is None else int(stored)
        if stored != options.n_trials:
            study.set_user_attr(LIMIT, options.n_trials)
        return options.n_trials


@contextlib.contextmanager
def _opened(plan: StudyPlan, say: Say | None = None) -> Iterator[BaseStorage]:
    storage = open_storage(plan.options.storage, plan.folder, say)
    try:
        yield storage
    finally:
        storage.remove_session()
        if (engine := getattr(storage, "engine", None)) is not None:
            engine.dispose()


def _study(plan: StudyPlan, storage: BaseStorage) -> optuna.Study:
    return optuna.create_study(
        study_name=plan.name,
        storage=storage,
        sampler=PlacedSampler({}, seed=plan.options.seed),
        pruner=_pruner(plan.pruner),
        direction="maximize" if plan.greater_is_better else "minimize",
        load_if_exists=True,
    )


def _snapshot(study: optuna.Study, plan: StudyPlan, worker: Worker | None = None) -> Study:
    name = None if worker is None else worker.name
    return as_study(study, plan.space, greater_is_better=plan.greater_is_better, worker=name)


def _pruner(name: Pruner) -> optuna.pruners.BasePruner:
    """What stops hopeless trials; networks report per cent of their training, other kinds folds."""
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=N_STARTUP, n_warmup_steps=30)
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=10, max_resource=100)
    if name == "wilcoxon":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # Four pairs of folds are the fewest of which the test can say anything.
            return optuna.pruners.WilcoxonPruner(p_threshold=0.1, n_startup_steps=4)
    return optuna.pruners.NopPruner()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Optuna logs every trial on standard error; the progress bar shows what matters."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.filterwarnings("ignore", message="Heartbeat of storage")  # we record it ourselves
        try:
            yield
        finally:
            optuna.logging.set_verbosity(level)
