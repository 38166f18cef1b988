"""An Optuna study as plain data."""

from __future__ import annotations

import optuna
from optuna.trial import FrozenTrial, TrialState

from pipelines.configuration.search_space import Search
from pipelines.tuning.proposals import N_STARTUP, decoded
from pipelines.tuning.study import Study, Trial

COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)
WORKER = "worker"  # the attribute of a trial that names who runs it
GIVEN_BACK = "given back"  # of a trial that was one too many, so that nobody ran it


def as_study(
    study: optuna.Study, space: Search, *, greater_is_better: bool, worker: str | None = None
) -> Study:
    """The study as it is in its storage now; `worker` tells which trials are `ours`."""
    trials = study.get_trials(deepcopy=False)
    counted = [trial for trial in trials if trial.state in COUNTED]
    failed = [trial for trial in trials if trial.state == TrialState.FAIL]
    ours = [trial for trial in counted if worker and trial.user_attrs.get(WORKER) == worker]
    return Study(
        name=study.study_name,
        greater_is_better=greater_is_better,
        trials=tuple(_trial(trial, space) for trial in counted),
        ours=tuple(trial.number for trial in ours),
        n_failed=sum(GIVEN_BACK not in trial.user_attrs for trial in failed),
    )


def _trial(trial: FrozenTrial, space: Search) -> Trial:
    curve = tuple(sorted(trial.intermediate_values.items()))
    duration = trial.duration
    is_complete = trial.state == TrialState.COMPLETE
    return Trial(
        number=trial.number,
        state="complete" if is_complete else "pruned",
        score=trial.value if is_complete else (curve[-1][1] if curve else None),
        values=decoded(trial.params, space),
        curve=curve,
        seconds=0.0 if duration is None else duration.total_seconds(),
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
