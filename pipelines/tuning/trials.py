"""Scores trials on the tuning folds: a member with the values of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from models.data import FoldData
from pipelines.configuration.assignments import assign, choose_members
from pipelines.configuration.competition import Competition
from pipelines.members.data import FoldedDataset
from pipelines.members.member import Member, members_of
from pipelines.members.predictions import Problem
from pipelines.members.trials import ReportScore, TrialData
from pipelines.tuning.study import Values


@dataclass(frozen=True)
class Bench:
    """What all trials of a study share.

    Attributes:
        competition: With the tuning folds.
        member: With the values that are not searched.
        dataset: The encoded tuning folds.
        n_seeds: Replicas per fold and trial.
        device: `cpu` or `cuda`.
    """

    competition: Competition
    member: Member
    dataset: FoldedDataset
    n_seeds: int
    device: str

    @property
    def last_step(self) -> int:
        """The step at which a trial is complete: 100 per cent, or the last fold."""
        return self.member.last_step(len(self.dataset.views))

    @cached_property
    def replica_keys(self) -> tuple[str, ...]:
        """The searched keys in which trials may differ that are trained together."""
        return self.member.replica_keys(Problem.of(self.competition), self.dataset)

    @property
    def folds(self) -> list[FoldData]:
        """The tuning folds, as the trainers take them."""
        return self.data.folds

    @cached_property
    def data(self) -> TrialData:
        """What all trials are trained on."""
        return TrialData(
            problem=Problem.of(self.competition),
            dataset=self.dataset,
            n_seeds=self.n_seeds,
            device=self.device,
            replica_keys=self.replica_keys,
        )

    def score(self, trials: Sequence[Values], report: ReportScore) -> list[float | None]:
        """The score of each trial, the mean over folds; None where it was stopped or diverged.

        Networks: the mean over single replicas. Other members: the mean of each fold's seeds.

        Args:
            trials: The values of each.
            report: Receives scores as they become known; may stop a trial.

        Raises:
            ConfigurationError: A value that its setting cannot hold.
        """
        variants = [with_values(self.competition, self.member, values) for values in trials]
        return self.member.trial(variants, self.data, report)


def with_values(competition: Competition, member: Member, values: Values) -> Member:
    """The member with these values in place of its present ones.

    Raises:
        ConfigurationError: A key that is no setting, or a value that its setting cannot hold.
    """
    alone = competition.model_copy(update={"members": (member,)})
    keyed = {f"{member.name}.{key}": value for key, value in values.items()}
    return members_of(assign(alone, keyed))[0]


def member_named(competition: Competition, name: str) -> Member:
    """The member of that name.

    Raises:
        ConfigurationError: There is none.
    """
    return members_of(choose_members(competition, [name]))[0]
