"""Runs a study: proposes trials, prunes them, keeps them; the only file that imports optuna.

Trials are kept as they end, so that a study can be killed at any moment and goes on where it was.
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
from typing import Any, Literal

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
from pipelines.tuning.study import Study, Trial, Values
from pipelines.tuning.trials import Bench
from pipelines.tuning.worker import Worker, forget_dead, is_dead

Pruner = Literal["median", "hyperband", "wilcoxon", "none"]
N_STARTUP = 10  # random trials before the sampler learns from them
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)
WORKER = "worker"
UNOWNED = timedelta(seconds=10)  # between a trial's first moment and its worker's name
JOURNAL = "journal.log"


class StorageError(RuntimeError):
    """The study's storage cannot be opened."""

    exit_code = 2


@dataclass(frozen=True)
class StudyPlan:
    """How a study is to be run.

    Attributes:
        name: of the study in its storage; the same name goes on with the same study.
        folder: where its journal and its workers' files lie.
        storage: an address that Optuna knows; None for a journal file in the folder.
        space: what is searched.
        defaults: the member's present values, which are tried first.
        greater_is_better: which way the metric points.
        pruner: what stops hopeless trials.
        seed: of the proposals.
        n_trials: counted trials that the study is to have in the end.
        timeout_s: seconds after which no more trials are begun.
        at_once: trials that are proposed together.
    """

    name: str
    folder: Path
    space: Search
    defaults: Values
    greater_is_better: bool
    pruner: Pruner = "median"
    storage: str | None = None
    seed: int = 0
    n_trials: int = 100
    timeout_s: float | None = None
    at_once: int = 1


OnTrial = Callable[[Study], None]


def run_study(plan: StudyPlan, bench: Bench, on_trial: OnTrial | None = None) -> Study:
    """Try until the study has its trials or its time is over; the same plan goes on with it.

    Args:
        plan: how.
        bench: trains the trials.
        on_trial: called with the study so far after each batch of trials, and at the start.

    Raises:
        StorageError: the storage cannot be opened.
    """
    end = time.monotonic() + (np.inf if plan.timeout_s is None else plan.timeout_s)
    with _quiet(), Worker(plan.folder) as worker:
        study = _open(plan)
        _fail_orphans(study, plan.folder)
        _enqueue_defaults(study, plan)
        while (left := plan.n_trials - len(_counted(study))) > 0 and time.monotonic() < end:
            if on_trial is not None:
                on_trial(_told(study, plan, worker))
            _Batch(study, plan, bench, worker).run(min(plan.at_once, left))
        told = _told(study, plan, worker)
        result = replace(told, importance=_importance(study))
    if on_trial is not None:
        on_trial(result)
    return result


def read_study(plan: StudyPlan) -> Study:
    """The study as it is in its storage now.

    Raises:
        StorageError: the storage cannot be opened.
    """
    with _quiet():
        return _told(_open(plan), plan)


class _Batch:
    """Some trials that are proposed together; what does not end is marked failed."""

    def __init__(self, study: optuna.Study, plan: StudyPlan, bench: Bench, worker: Worker) -> None:
        self._study, self._plan, self._bench, self._worker = study, plan, bench, worker
        self._trials: list[optuna.Trial] = []
        self._running: set[int] = set()

    def run(self, n_trials: int) -> None:
        """Propose, train, and keep what came of it."""
        try:
            self._propose(n_trials)
            values = [_values(t.params, self._plan.space) for t in self._trials]
            scores = self._bench.score(values, self._tell)
            for at in sorted(self._running):
                self._end(at, scores[at])
        finally:
            # Ctrl-C, a full disk: these trials say nothing about their values.
            for at in sorted(self._running):
                self._study.tell(self._trials[at], state=TrialState.FAIL)

    def _propose(self, n_trials: int) -> None:
        distributions = {key: _distribution(own) for key, own in self._plan.space.items()}
        fixed: Mapping[str, Any] = {}
        for at in range(n_trials):
            self._study.sampler = PlacedSampler(distributions, seed=self._plan.seed, fixed=fixed)
            trial = self._study.ask(distributions)
            self._trials.append(trial)
            self._running.add(at)
            trial.set_user_attr(WORKER, self._worker.name)
            # Trials of one structure can be trained in one stack.
            own = self._bench.own
            fixed = {key: value for key, value in trial.params.items() if own and key not in own}

    def _tell(self, trial: int, step: int, score: float) -> bool:
        """Keep the score; whether the trial is hopeless. A stopped trial is kept at once."""
        if not np.isfinite(score):
            self._end(trial, None)
            return True
        self._trials[trial].report(score, step)
        # A trial that is done has a score, hopeless or not.
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
    """Multivariate TPE whose draws follow from the seed and the trial's place alone.

    A trial's place is its number less the failed trials before it. A study that was killed
    therefore goes on with the trials that it would have had; workers on one study, whose trials
    have numbers of their own, draw differently from the same seed.
    """

    def __init__(
        self, space: Mapping[str, BaseDistribution], *, seed: int, fixed: Mapping[str, Any]
    ) -> None:
        self._space, self._seed, self._fixed = space, seed, fixed
        self._tpe = TPESampler(multivariate=True)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Begin the draws of this trial."""
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
        free = {key: own for key, own in self._space.items() if key not in self._fixed}
        return {key: own for key, own in free.items() if not own.single()}

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


def _distribution(own: Real | Whole | Choice) -> BaseDistribution:
    if isinstance(own, Real):
        return FloatDistribution(own.low, own.high, log=own.log)
    if isinstance(own, Whole):
        return IntDistribution(own.low, own.high, step=own.step, log=own.log)
    return CategoricalDistribution([_text(value) for value in own.values])


def _text(value: Value) -> str:
    """A choice as Optuna keeps it: it takes no tuples."""
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
        sampler=PlacedSampler({}, seed=plan.seed, fixed={}),
        pruner=_pruner(plan.pruner),
        direction="maximize" if plan.greater_is_better else "minimize",
        load_if_exists=True,
    )


class _Journal(JournalFile, BaseJournalBackend):
    """Our journal file as one of Optuna's kinds of journal."""


def _storage(plan: StudyPlan) -> BaseStorage:
    if plan.storage is None:
        return JournalStorage(_Journal(plan.folder / JOURNAL))
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return RDBStorage(plan.storage)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise StorageError(
            f"the storage {_without_password(plan.storage)} cannot be opened: {reason}; type for "
            "example --storage sqlite:///studies.db, or leave --storage out for a journal file"
        ) from error


def _without_password(address: str) -> str:
    scheme, _, rest = address.partition("://")
    return f"{scheme}://***@{rest.rpartition('@')[2]}" if "@" in rest else address


def _pruner(name: Pruner) -> optuna.pruners.BasePruner:
    """What stops hopeless trials; networks report per cent of their training, others folds."""
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
    """Mark the trials failed whose process is dead."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        name = trial.user_attrs.get(WORKER)
        if _is_old(trial) if name is None else is_dead(folder, name):
            study.tell(trial.number, state=TrialState.FAIL)
    forget_dead(folder)


def _is_old(trial: FrozenTrial) -> bool:
    """Whether a trial that nobody owns was begun so long ago that nobody is about to own it."""
    begun = trial.datetime_start
    return begun is None or datetime.now() - begun > UNOWNED


def _enqueue_defaults(study: optuna.Study, plan: StudyPlan) -> None:
    """Let the first trial be the member's present values, if they are in the space."""
    begun = study.get_trials(deepcopy=False, states=(*COUNTED, TrialState.WAITING))
    inside = plan.defaults and all(plan.space[k].holds(v) for k, v in plan.defaults.items())
    if begun or not inside:
        return
    encoded = {
        key: _text(value) if isinstance(plan.space[key], Choice) else value
        for key, value in plan.defaults.items()
    }
    study.enqueue_trial(encoded, skip_if_exists=True)


def _told(study: optuna.Study, plan: StudyPlan, worker: Worker | None = None) -> Study:
    """The study as plain data."""
    counted = _counted(study)
    failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    own = () if worker is None else (t for t in counted if t.user_attrs[WORKER] == worker.name)
    return Study(
        name=plan.name,
        greater_is_better=plan.greater_is_better,
        trials=tuple(_trial(trial, plan.space) for trial in counted),
        ours=tuple(trial.number for trial in own),
        n_failed=len(failed),
    )


def _trial(trial: FrozenTrial, space: Search) -> Trial:
    curve = tuple(sorted(trial.intermediate_values.items()))
    duration = trial.duration
    is_complete = trial.state == TrialState.COMPLETE
    return Trial(
        number=trial.number,
        state="complete" if is_complete else "pruned",
        score=trial.value if is_complete else (curve[-1][1] if curve else None),
        values=_values(trial.params, space),
        curve=curve,
        seconds=0.0 if duration is None else duration.total_seconds(),
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
    """Optuna tells every trial on standard error; the progress bar tells what matters."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
