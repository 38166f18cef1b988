"""Trains the trials of a study on the tuning folds, and tells their scores while it does.

All folds of a network advance together, so what is told after an epoch is a cross-validated score.
Trials that differ only in numbers which a replica may have of its own are trained in one stack.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from models.estimators.sklearn_models import EstimatorReplica, fit_estimators
from models.estimators.trees import TreesReplica, fit_trees
from models.metrics import METRICS
from models.training.fit import EpochReport, FoldData, Training, start
from models.vectorised.dropout import takes_own_rates
from pipelines.configuration.assignments import assign, choose_members
from pipelines.configuration.competition import (
    Competition,
    EstimatorMember,
    Member,
    NetworkMember,
    TreesMember,
)
from pipelines.members.data import FoldedDataset
from pipelines.stages.train import fold_data, loss_of, network_builder
from pipelines.tuning.study import Values

DROPOUT = "model.dropout"
OWN = ("train.lr", "train.weight_decay", DROPOUT)  # what a replica may have of its own


class Tell(Protocol):
    """Hears the score of a trial so far; answers whether the trial is to be stopped."""

    def __call__(self, trial: int, step: int, score: float) -> bool: ...  # noqa: D102


@dataclass(frozen=True)
class Bench:
    """What all trials of a study share.

    Attributes:
        competition: with the folds that are tuned on.
        member: with the values that are not searched.
        dataset: those folds, encoded.
        n_seeds: replicas per fold and trial.
        device: `cpu` or `cuda`.
    """

    competition: Competition
    member: Member
    dataset: FoldedDataset
    n_seeds: int
    device: str

    @property
    def last_step(self) -> int:
        """The step at which a trial is done: 100 per cent, or the last fold."""
        return 100 if isinstance(self.member, NetworkMember) else len(self.dataset.views) - 1

    @cached_property
    def own(self) -> tuple[str, ...]:
        """The searched keys in which trials of one stack may differ."""
        if not isinstance(self.member, NetworkMember):
            return ()
        found = [key for key in self.member.search if key in OWN]
        if DROPOUT in found and not self._takes_own_rates():
            found.remove(DROPOUT)
        return tuple(found)

    def _takes_own_rates(self) -> bool:
        """Whether the network's replicas can have unlike rates of dropout."""
        dropping = with_values(self.competition, self.member, {DROPOUT: 0.5})
        assert isinstance(dropping, NetworkMember), "only networks are asked"
        return takes_own_rates(network_builder(self.competition, dropping, self.dataset)())

    def score(self, trials: Sequence[Values], tell: Tell) -> list[float | None]:
        """The score of each trial, the mean over folds; None where it was stopped or diverged.

        Networks: the mean over single replicas. Other members: the mean of each fold's seeds.
        """
        members = [with_values(self.competition, self.member, values) for values in trials]
        if not isinstance(self.member, NetworkMember):
            return [self._one(m, trial, tell) for trial, m in enumerate(members)]
        scores: list[float | None] = [None] * len(trials)
        for group in _alike(members, self.own):
            stack = _Stack(self, [members[trial] for trial in group], group, tell)
            for trial, score in zip(group, stack.train(), strict=True):
                scores[trial] = score
        return scores

    @property
    def folds(self) -> list[FoldData]:
        """The tuning folds, as the trainers take them."""
        return [fold_data(view) for view in self.dataset.views]

    def _one(self, member: Member, trial: int, tell: Tell) -> float | None:
        """Boosters or estimators of one trial, fold by fold."""
        folds = _FoldScores(self, trial, tell)
        # Nobody asks for test rows, but the trainers predict some: one is enough.
        tests = [{k: rows[:1] for k, rows in view.test.items()} for view in self.dataset.views]
        common: dict[str, Any] = {
            "n_classes": len(self.competition.classes),
            "seeds": range(self.n_seeds),
            "on_fold": folds.hear,
        }
        try:
            if isinstance(member, TreesMember):
                fit_trees(self.folds, tests, self.dataset.target, member.trees, **common)
            elif isinstance(member, EstimatorMember):
                fit_estimators(self.folds, tests, self.dataset.target, member.estimator, **common)
        except _PrunedError:
            return None
        return folds.mean


def with_values(competition: Competition, member: Member, values: Values) -> Member:
    """The member with these values in place of its own.

    Raises:
        ConfigurationError: a key that is no setting, or a value that its setting cannot hold.
    """
    alone = competition.model_copy(update={"members": (member,)})
    assigned = assign(alone, {f"{member.name}.{key}": value for key, value in values.items()})
    return assigned.members[0]


def member_named(competition: Competition, name: str) -> Member:
    """The member of that name.

    Raises:
        ConfigurationError: there is none.
    """
    return choose_members(competition, [name]).members[0]


def _alike(members: Sequence[Member], own: Sequence[str]) -> list[list[int]]:
    """Positions of the members that can share a stack, in the order of their first ones."""
    groups: dict[str, list[int]] = {}
    for position, member in enumerate(members):
        settings = member.model_dump(mode="json")
        for key in own:
            part, name = key.split(".")
            # A network without dropout has no place for a rate.
            settings[part][name] = key == DROPOUT and settings[part][name] > 0
        groups.setdefault(json.dumps(settings, sort_keys=True), []).append(position)
    return list(groups.values())


class _Stack:
    """Several trials of one structure: replicas trial by trial, fold by fold, seed by seed."""

    def __init__(
        self, bench: Bench, members: Sequence[Member], trials: Sequence[int], tell: Tell
    ) -> None:
        networks = [member for member in members if isinstance(member, NetworkMember)]
        self._trials, self._tell = trials, tell
        self._n_each = len(bench.dataset.views) * bench.n_seeds
        self._epochs = networks[0].train.epochs
        self._training = self._started(bench, networks)
        self._scores: list[float | None] = [None] * len(trials)
        self._going = set(range(len(trials)))

    def _started(self, bench: Bench, networks: Sequence[NetworkMember]) -> Training:
        competition = bench.competition
        return start(
            network_builder(competition, networks[0], bench.dataset),
            bench.folds * len(networks),
            bench.dataset.target,
            networks[0].train,
            loss=loss_of(competition),
            metric=METRICS[competition.metric],
            seeds=range(bench.n_seeds),
            lr=[network.train.lr for network in networks for _ in range(self._n_each)],
            weight_decay=[n.train.weight_decay for n in networks for _ in range(self._n_each)],
            dropout=self._rates(bench, networks),
            device=bench.device,
        )

    def _rates(self, bench: Bench, networks: Sequence[NetworkMember]) -> list[float] | None:
        """Each replica's rate of dropout; None where the trials have the network's own."""
        rates = [float(getattr(network.model, "dropout", 0.0)) for network in networks]
        if DROPOUT not in bench.own or not all(rates):
            return None
        return [rate for rate in rates for _ in range(self._n_each)]

    def train(self) -> list[float | None]:
        """All epochs; the trials' last scores."""
        while not self._training.is_finished:
            report = self._training.run_epoch()
            if report is not None:
                self._hear(report)
        return [score if at in self._going else None for at, score in enumerate(self._scores)]

    def _hear(self, report: EpochReport) -> None:
        """Tell each trial's mean over folds; stop those that are no longer wanted."""
        means = report.best_score.reshape(len(self._trials), self._n_each).mean(axis=1)
        step = round(100 * report.epoch / self._epochs)
        stopped = set()
        for at in sorted(self._going):
            self._scores[at] = float(means[at])
            if self._has_fault(at) or self._tell(self._trials[at], step, float(means[at])):
                stopped.add(at)
        self._going -= stopped
        self._training.drop({replica for at in stopped for replica in self._replicas(at)})

    def _has_fault(self, at: int) -> bool:
        faults = self._training.progress.faults
        return any(faults[replica] is not None for replica in self._replicas(at))

    def _replicas(self, at: int) -> range:
        """The numbers of one trial's replicas."""
        return range(at * self._n_each, (at + 1) * self._n_each)


class _PrunedError(Exception):
    """Ends the boosters of a trial that is no longer wanted."""


class _FoldScores:
    """The scores of one trial's folds, told as each of them is done."""

    def __init__(self, bench: Bench, trial: int, tell: Tell) -> None:
        self._bench, self._trial, self._tell = bench, trial, tell
        self._metric = METRICS[bench.competition.metric].function
        self._scores: list[list[float]] = [[] for _ in bench.dataset.views]

    def hear(self, replica: TreesReplica | EstimatorReplica) -> None:
        """Take one replica; its fold's score is told when all seeds of the fold are there.

        Raises:
            _PrunedError: the trial is to be stopped.
        """
        rows = self._bench.dataset.views[replica.fold].split.valid_rows
        target = self._bench.dataset.target[rows]
        own = self._scores[replica.fold]
        own.append(float(self._metric(target, replica.valid_probabilities)))
        is_whole = len(own) == self._bench.n_seeds
        if is_whole and self._tell(self._trial, replica.fold, float(np.mean(own))):
            raise _PrunedError

    @property
    def mean(self) -> float:
        """The mean over folds."""
        return float(np.mean([np.mean(own) for own in self._scores]))
