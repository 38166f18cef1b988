"""Proposes a trial's values; the draws depend on the seed and the trial's place alone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from pipelines.configuration.search_space import Choice, Real, Search, Value, Whole
from pipelines.tuning.study import Values

N_STARTUP = 10  # random trials before the sampler learns from them


class PlacedSampler(BaseSampler):
    """Multivariate TPE whose draws depend on the seed and the trial's place alone.

    A study that was killed is therefore resumed with the trials that it would have had; workers on
    one study, whose trials have different places, draw differently from the same seed.

    Args:
        space: What is searched.
        seed: Of the draws.
        place: The trial's.
        fixed: Parameters that are not drawn.
        learned: The trials to learn from; None for all of the study.
    """

    def __init__(
        self,
        space: Mapping[str, BaseDistribution],
        *,
        seed: int,
        place: int = 0,
        fixed: Mapping[str, Any] | None = None,
        learned: optuna.Study | None = None,
    ) -> None:
        self._space, self._fixed, self._learned = space, fixed or {}, learned
        drawn = np.random.SeedSequence((seed, place)).generate_state(1)
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
        with self._seen(study, trial) as seen:
            return self._tpe.sample_relative(*seen, search_space)

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
        with self._seen(study, trial) as seen:
            return self._tpe.sample_independent(*seen, param_name, param_distribution)

    @contextlib.contextmanager
    def _seen(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> Iterator[tuple[optuna.Study, FrozenTrial]]:
        """What the draw may look at: the study, or the trials to learn from and a new one."""
        if self._learned is None:
            yield study, trial
            return
        asked = self._learned.ask()
        try:
            yield self._learned, self._learned.get_trials(deepcopy=False)[asked.number]
        finally:
            self._learned.tell(asked, state=TrialState.FAIL)  # so that no draw learns from it


def distributions(space: Search) -> dict[str, BaseDistribution]:
    """The search space in Optuna's words."""
    return {key: _distribution(searched) for key, searched in space.items()}


def _distribution(searched: Real | Whole | Choice) -> BaseDistribution:
    if isinstance(searched, Real):
        return FloatDistribution(searched.low, searched.high, log=searched.log)
    if isinstance(searched, Whole):
        return IntDistribution(searched.low, searched.high, step=searched.step, log=searched.log)
    return CategoricalDistribution([_text(value) for value in searched.values])


def suggest(trial: optuna.Trial, space: Search) -> None:
    """Draw a value for each parameter; those drawn are `trial.params`."""
    for key, searched in space.items():
        if isinstance(searched, Real):
            trial.suggest_float(key, searched.low, searched.high, log=searched.log)
        elif isinstance(searched, Whole):
            trial.suggest_int(
                key, searched.low, searched.high, step=searched.step, log=searched.log
            )
        else:
            trial.suggest_categorical(key, [_text(value) for value in searched.values])


def encoded(values: Values, space: Search) -> dict[str, Any]:
    """A member's values as Optuna's parameters; none where one is outside the space."""
    if not all(space[key].holds(value) for key, value in values.items()):
        return {}
    return {
        key: _text(value) if isinstance(space[key], Choice) else value
        for key, value in values.items()
    }


def decoded(parameters: Mapping[str, Any], space: Search) -> dict[str, Value]:
    """Optuna's parameters as a member's values."""
    return {
        key: _choice(value) if isinstance(space[key], Choice) else value
        for key, value in parameters.items()
    }


def _text(value: Value) -> str:
    """A choice as Optuna stores it: it takes no tuples."""
    return json.dumps(value)


def _choice(text: str) -> Value:
    value = json.loads(text)
    return tuple(value) if isinstance(value, list) else value
