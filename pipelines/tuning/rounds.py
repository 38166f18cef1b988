"""Trials in rounds: each learns from the rounds before alone, so no timing changes a study."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import optuna
from optuna.trial import FrozenTrial

from pipelines.tuning.places import COUNTED, PLACE, is_living


@dataclass(frozen=True)
class Open:
    """A round that is not full.

    Attributes:
        end: The place behind its last one.
        n_free: How many places nobody has taken.
        must_wait: Whether a trial of an earlier round still runs, as another command's may.
    """

    end: int
    n_free: int
    must_wait: bool


@dataclass(frozen=True)
class Rounds:
    """Which trials a trial may learn from, by its place.

    Attributes:
        size: Trials of a round.
    """

    size: int
    _known: dict[int, optuna.Study] = field(default_factory=dict)

    def open(self, trials: Sequence[FrozenTrial], limit: int) -> Open:
        """The first round that is not full.

        Args:
            trials: All of the study.
            limit: How many the study is to have.
        """
        living = [trial for trial in trials if is_living(trial)]
        taken = {trial.user_attrs.get(PLACE): trial.state.is_finished() for trial in living}
        first = next(place for place in range(limit + 1) if place not in taken)
        start = self._start(first)
        end = min(limit, start + self.size)
        n_free = sum(place not in taken for place in range(first, end))
        return Open(end, n_free, must_wait=not all(taken[place] for place in range(start)))

    def before(self, place: int, study: optuna.Study) -> optuna.Study:
        """The trials of the rounds before, numbered by their places, as a study of their own."""
        start = self._start(place)
        if start not in self._known:
            self._known[start] = _study_of(study, range(start))
        return self._known[start]

    def should_prune(self, study: optuna.Study, number: int) -> bool:
        """Whether the trial is hopeless beside those of the rounds before."""
        trials = study.get_trials(deepcopy=False)
        found = next(trial for trial in trials if trial.number == number)
        place = int(found.user_attrs[PLACE])
        return study.pruner.prune(self.before(place, study), placed(found, place))

    def _start(self, place: int) -> int:
        """The first place of that place's round."""
        return place // self.size * self.size


def placed(trial: FrozenTrial, place: int) -> FrozenTrial:
    """The trial with its place as its number, which is free in every earlier round."""
    trial = copy.copy(trial)
    trial.number = place
    return trial


def _study_of(study: optuna.Study, places: range) -> optuna.Study:
    made = optuna.create_study(
        study_name=study.study_name,
        storage=optuna.storages.InMemoryStorage(),
        direction=study.direction,
    )
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state in COUNTED]
    by_place = {trial.user_attrs.get(PLACE): trial for trial in trials}
    made.add_trials([by_place[place] for place in places if place in by_place])
    return made
