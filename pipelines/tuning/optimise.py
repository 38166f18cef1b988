"""Runs a study: proposes, prunes and stores trials; the only file that imports optuna.

Trials are stored as they end, so a study can be killed at any moment and resumed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages.journal import BaseJournalBackend, JournalStorage
from optuna.trial import FrozenTrial, TrialState

from pipelines.configuration.search_space import Choice, Real, Search, Value, Whole
from pipelines.tuning.journal import JournalFile
from pipelines.tuning.study import State, Study, Trial, Values
from pipelines.tuning.trials import Bench
from pipelines.tuning.worker import Worker, forget_dead, is_dead

Pruner = Literal["median", "hyperband", "wilcoxon", "none"]
N_STARTUP = 10  # random trials before the sampler learns from them
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)
STATES: dict[TrialState, State] = dict(
    zip((*COUNTED, TrialState.FAIL), get_args(State), strict=True)
)
WORKER = "worker"
UNCLAIMED = timedelta(seconds=10)  # from the start of a trial until its worker has signed it
JOURNAL = "journal.log"


class StorageError(RuntimeError):
    """The study's storage cannot be opened."""

    exit_code = 2


@dataclass(frozen=True)
class StudyOptions:
    """How far a study goes, and where it is stored.

    Attributes:
        n_trials: The total number of counted trials, those of earlier calls included.
        timeout_s: Seconds after which no more trials are started.
        storage: A URL that Optuna knows; None for a journal file in the study's folder.
        seed: Seed of the proposals.
        at_once: Trials that are proposed together; networks' trials share a stack.
    """

    n_trials: int = 100
    timeout_s: float | None = None
    storage: str | None = None
    seed: int = 0
    at_once: int = 1


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


def run_study(plan: StudyPlan, bench: Bench, on_trial: OnTrial | None = None) -> Study:
    """Run trials until the study has its number or its time is over; the same plan resumes it.

    Args:
        plan: The study.
        bench: Trains the trials.
        on_trial: Called with the study so far at the start and after each batch of trials.

    Raises:
        StorageError: The storage cannot be opened.
    """
    options = plan.options
    end = time.monotonic() + (np.inf if options.timeout_s is None else options.timeout_s)
    with _quiet(), Worker(plan.folder) as worker:
        study = _open(plan)
        _fail_orphans(study, plan.folder)
        _enqueue_defaults(study, plan)
        while (left := options.n_trials - len(_counted(study))) > 0 and time.monotonic() < end:
            if on_trial is not None:
                on_trial(_as_study(study, plan, worker))
            _Batch(study, plan, bench, worker).run(min(options.at_once, left))
        result = replace(_as_study(study, plan, worker), importance=_importance(study))
    if on_trial is not None:
        on_trial(result)
    return result


def read_study(plan: StudyPlan) -> Study:
    """The study as it is in its storage now.

    Raises:
        StorageError: The storage cannot be opened.
    """
    with _quiet():
        return _as_study(_open(plan), plan)


class _Batch:
    """Trials that are proposed together; those that do not end are marked failed."""

    def __init__(self, study: optuna.Study, plan: StudyPlan, bench: Bench, worker: Worker) -> None:
        self._study, self._plan, self._bench, self._worker = study, plan, bench, worker
        self._trials: list[optuna.Trial] = []
        self._running: set[int] = set()

    def run(self, n_trials: int) -> None:
        """Propose and train trials, and store their results."""
        try:
            self._propose(n_trials)
            values = [_values(t.params, self._plan.space) for t in self._trials]
            scores = self._bench.score(values, self._report)
            for at in sorted(self._running):
                self._end(at, scores[at])
        finally:
            # Ctrl-C, a full disk: such trials say nothing about their values.
            for at in sorted(self._running):
                self._study.tell(self._trials[at], state=TrialState.FAIL)

    def _propose(self, n_trials: int) -> None:
        distributions = {key: _distribution(searched) for key, searched in self._plan.space.items()}
        fixed: Mapping[str, Any] = {}
        seed = self._plan.options.seed
        for at in range(n_trials):
            self._study.sampler = PlacedSampler(distributions, seed=seed, fixed=fixed)
            trial = self._study.ask(distributions)
            self._trials.append(trial)
            self._running.add(at)
            trial.set_user_attr(WORKER, self._worker.name)
            # Trials of one structure can be trained in one stack.
            free = self._bench.replica_keys
            fixed = {key: value for key, value in trial.params.items() if free and key not in free}

    def _report(self, trial: int, step: int, score: float) -> bool:
        """Store the score; whether the trial is hopeless. A stopped trial is stored at once."""
        if not np.isfinite(score):
            self._end(trial, None)
            return True
        self._trials[trial].report(score, step)
        # A trial at its last step gets a score, hopeless or not.
        is_hopeless = step < self._bench.last_step and self._trials[trial].should_prune()
        if is_hopeless:
            self._end(trial, None)
        return is_hopeless

    def _end(self, at: int, score: float | None) -> None:
        if score is None or not np.isfinite(score):
            self._study.tell(self._trials[at], state=TrialState.PRUNED)
        else:
            self._study.tell(self._trials[at], score)
        self._running.discard(at)


class PlacedSampler(BaseSampler):
    """Multivariate TPE whose draws depend on the seed and the trial's place alone.

    A trial's place is its number less the failed trials before it. A study that was killed is
    therefore resumed with the trials that it would have had; workers on one study, whose trials
    have different numbers, draw differently from the same seed.
    """

    def __init__(
        self, space: Mapping[str, BaseDistribution], *, seed: int, fixed: Mapping[str, Any]
    ) -> None:
        self._space, self._seed, self._fixed = space, seed, fixed
        self._tpe = TPESampler(multivariate=True)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Seed the draws of this trial."""
        failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        place = trial.number - sum(t.number < trial.number for t in failed)
        drawn = np.random.SeedSequence((self._seed, place)).generate_state(1)
        self._tpe = TPESampler(
            n_startup_trials=N_STARTUP, multivariate=True, constant_liar=True, seed=int(drawn[0])
        )

    def infer_relative_search_space(
        self,
        study: optuna.Study,  # noqa: ARG002
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """The declared space, without what is fixed; nothing has to be inferred."""
        free = {key: searched for key, searched in self._space.items() if key not in self._fixed}
        return {key: searched for key, searched in free.items() if not searched.single()}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """All free parameters at once."""
        return self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """One parameter: fixed, or at random while there are too few trials to learn from."""
        if param_name in self._fixed:
            return self._fixed[param_name]
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)


def _distribution(searched: Real | Whole | Choice) -> BaseDistribution:
    if isinstance(searched, Real):
        return FloatDistribution(searched.low, searched.high, log=searched.log)
    if isinstance(searched, Whole):
        return IntDistribution(searched.low, searched.high, step=searched.step, log=searched.log)
    return CategoricalDistribution([_text(value) for value in searched.values])


def _text(value: Value) -> str:
    """A choice as Optuna stores it: it takes no tuples."""
    return json.dumps(value)


def _values(parameters: Mapping[str, Any], space: Search) -> dict[str, Value]:
    """Optuna's parameters as a member's values."""
    return {
        key: _choice(value) if isinstance(space[key], Choice) else value
        for key, value in parameters.items()
    }


def _choice(text: str) -> Value:
    value = json.loads(text)
    return tuple(value) if isinstance(value, list) else value


def _open(plan: StudyPlan) -> optuna.Study:
    return optuna.create_study(
        study_name=plan.name,
        storage=_storage(plan),
        sampler=PlacedSampler({}, seed=plan.options.seed, fixed={}),
        pruner=_pruner(plan.pruner),
        direction="maximize" if plan.greater_is_better else "minimize",
        load_if_exists=True,
    )


class _Journal(JournalFile, BaseJournalBackend):
    """Our journal file as a journal backend of Optuna's."""


def _storage(plan: StudyPlan) -> BaseStorage:
    if plan.options.storage is None:
        return JournalStorage(_Journal(plan.folder / JOURNAL))
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return RDBStorage(plan.options.storage)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise StorageError(
            f"the storage {_without_password(plan.options.storage)} cannot be opened: {reason}; "
            "type for example --storage sqlite:///studies.db, or leave --storage out for a "
            "journal file"
        ) from error


def _without_password(address: str) -> str:
    scheme, _, rest = address.partition("://")
    return f"{scheme}://***@{rest.rpartition('@')[2]}" if "@" in rest else address


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


def _counted(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=COUNTED)


def _fail_orphans(study: optuna.Study, folder: Path) -> None:
    """Mark trials failed whose process is dead."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        name = trial.user_attrs.get(WORKER)
        if _is_old(trial) if name is None else is_dead(folder, name):
            study.tell(trial.number, state=TrialState.FAIL)
    forget_dead(folder)


def _is_old(trial: FrozenTrial) -> bool:
    """Whether an unclaimed trial was started so long ago that no worker is about to claim it."""
    started = trial.datetime_start
    return started is None or datetime.now() - started > UNCLAIMED


def _enqueue_defaults(study: optuna.Study, plan: StudyPlan) -> None:
    """Make the member's present values the first trial, if they are in the space."""
    started = study.get_trials(deepcopy=False, states=(*COUNTED, TrialState.WAITING))
    inside = plan.defaults and all(plan.space[k].holds(v) for k, v in plan.defaults.items())
    if started or not inside:
        return
    encoded = {
        key: _text(value) if isinstance(plan.space[key], Choice) else value
        for key, value in plan.defaults.items()
    }
    study.enqueue_trial(encoded, skip_if_exists=True)


def _as_study(study: optuna.Study, plan: StudyPlan, worker: Worker | None = None) -> Study:
    """The study as plain data."""
    counted = _counted(study)
    failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    ours = () if worker is None else (t for t in counted if t.user_attrs[WORKER] == worker.name)
    return Study(
        name=plan.name,
        greater_is_better=plan.greater_is_better,
        trials=tuple(_trial(trial, plan.space) for trial in counted),
        ours=tuple(trial.number for trial in ours),
        failed=tuple(_trial(trial, plan.space) for trial in failed),
    )


def _trial(trial: FrozenTrial, space: Search) -> Trial:
    curve = tuple(sorted(trial.intermediate_values.items()))
    duration = trial.duration
    started, score = trial.datetime_start, curve[-1][1] if curve else None
    return Trial(
        number=trial.number,
        state=STATES[trial.state],
        score=trial.value if trial.state == TrialState.COMPLETE else score,
        values=_values(trial.params, space),
        curve=curve,
        seconds=0.0 if duration is None else duration.total_seconds(),
        start_ms=None if started is None else int(started.timestamp() * 1000),
    )


def _importance(study: optuna.Study) -> dict[str, float]:
    """Shares by key, the largest first; none while too few trials can be compared.

    Source: Watanabe, Bansal and Hutter, "PED-ANOVA", IJCAI, 2023.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < N_STARTUP or len({trial.value for trial in complete}) < 2:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Optuna logs every trial on standard error; the progress bar shows what matters."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
