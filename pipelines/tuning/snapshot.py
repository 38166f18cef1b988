"""An Optuna study as plain data."""

from __future__ import annotations

from typing import get_args

import optuna
from optuna.trial import FrozenTrial, TrialState

from pipelines.configuration.search_space import Search
from pipelines.tuning.places import COUNTED, place_of
from pipelines.tuning.proposals import N_STARTUP, decoded
from pipelines.tuning.study import State, Study, Trial

STATES: dict[TrialState, State] = dict(
    zip((*COUNTED, TrialState.FAIL), get_args(State), strict=True)
)
WORKER = "worker"  # the attribute of a trial that names who runs it
GIVEN_BACK = "given back"  # of a trial that was one too many, so that nobody ran it


def as_study(
    study: optuna.Study, space: Search, *, greater_is_better: bool, worker: str | None = None
) -> Study:
    """The study as it is in its storage now; `worker` tells which trials are `ours`."""
    trials = study.get_trials(deepcopy=False)
    counted = [trial for trial in trials if trial.state in COUNTED]
    failed = [t for t in trials if t.state == TrialState.FAIL and GIVEN_BACK not in t.user_attrs]
    ours = [trial for trial in counted if worker and trial.user_attrs.get(WORKER) == worker]
    return Study(
        name=study.study_name,
        greater_is_better=greater_is_better,
        trials=tuple(_trial(trial, space, place_of(trial, trials)) for trial in counted),
        ours=tuple(trial.number for trial in ours),
        failed=tuple(_trial(trial, space) for trial in failed),
    )


def _trial(trial: FrozenTrial, space: Search, place: int | None = None) -> Trial:
    curve = tuple(sorted(trial.intermediate_values.items()))
    duration = trial.duration
    started, score = trial.datetime_start, curve[-1][1] if curve else None
    return Trial(
        number=trial.number,
        state=STATES[trial.state],
        score=trial.value if trial.state == TrialState.COMPLETE else score,
        values=decoded(trial.params, space),
        curve=curve,
        seconds=0.0 if duration is None else duration.total_seconds(),
        start_ms=None if started is None else int(started.timestamp() * 1000),
        place=place,
    )


def importance(study: optuna.Study) -> dict[str, float]:
    """Shares by key, the largest first; none while too few trials can be compared.

    Source: Watanabe, Bansal and Hutter, "PED-ANOVA", IJCAI, 2023.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < N_STARTUP or len({trial.value for trial in complete}) < 2:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
