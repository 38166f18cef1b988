"""What a person left open of a competition: the choices of a planner, and what a choice runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from pipelines.configuration.assignments import assign, full_keys, settings_of
from pipelines.configuration.competition import Competition
from pipelines.configuration.encoders import encoder_identities, encoder_parts, with_read_blocks
from pipelines.members.member import Member, members_of
from pipelines.planning.costs import Costs
from pipelines.planning.first import first_choice
from pipelines.planning.planner import ONE_SEED, Candidate, Choice, Choices, Folds, Level

if TYPE_CHECKING:
    from pipelines.planning.clock import TimeLimit

SHARES = (1 / 8, 1 / 4, 1 / 2, 3 / 4, 1.0)  # of a member's own length
QUALITY_EXPONENT = 0.3  # of the share: half of a training is worth four fifths
FEWER_FOLDS = (10, 5, 3, 2)
DEAR_SHARE = 0.01  # of the limit, that a block of an encoder may take
WORTH_EXPONENT = 0.1  # of the seconds of a member's whole training
LEAN_QUALITY = 0.8  # of a member that does without
QUICK_FOLDS = (3, 2)
N_FOLDS, N_REPEATS, N_SEEDS = "folds.n_folds", "folds.n_repeats", "n_seeds"


@dataclass(frozen=True)
class Options:
    """A competition, and which of its settings the plan must leave as they are.

    Attributes:
        competition: As it would run without a limit.
        limit: What the person asked for.
        n_refits: Further trainings on all rows, as with folds by time.
        n_folds: Folds that the rows have in fact, where a column gives them.
        without: Blocks of encoders that members could read, but do not.
        reduced: The members that so read less.
    """

    competition: Competition
    limit: TimeLimit
    n_folds: int
    n_refits: int = 0
    without: tuple[str, ...] = ()
    reduced: frozenset[str] = frozenset()

    def choices(self, costs: Costs, safety: float) -> Choices:
        """What the run may be."""
        encoders = encoder_identities(self.competition)
        parts, worth = encoder_parts(self.competition), self._worth(costs)
        candidates = tuple(
            Candidate(
                name=member.name,
                encoder=encoders[member.name].name,
                parts=frozenset(parts[member.name]),
                levels=self._levels(member, worth[member.name]),
                is_bound=self.limit.binds_members,
            )
            for member in members_of(self.competition)
        )
        reduced = bool(self.reduced)
        return Choices(candidates, self.folds, costs, safety, is_reduced=reduced)

    def lean(self, costs: Costs) -> Options | None:
        """The same without those blocks of encoders that take long; None where none does."""
        dear = {part.partition("/")[2] for part in self._dear(costs)}
        members = [self._without(member, dear) for member in members_of(self.competition)]
        reduced = frozenset(
            new.name
            for old, new in zip(self.competition.members, members, strict=True)
            if new is not old
        )
        if not reduced:
            return None
        competition = self.competition.model_copy(update={"members": tuple(members)})
        return replace(self, competition=competition, without=tuple(sorted(dear)), reduced=reduced)

    def _dear(self, costs: Costs) -> list[str]:
        """Parts that take more than a share of the limit on the fewest folds alone."""
        fewest, limit_s = self.quick_folds[-1], self.limit.limit_s
        return [
            name
            for name, cost in costs.encoders.items()
            if "/" in name and cost.seconds(fewest.n_trained) > DEAR_SHARE * limit_s
        ]

    def _without(self, member: Member, blocks: set[str]) -> Member:
        """The member without these blocks, if it then still has each of its inputs."""
        inputs = {
            key: tuple(n for n in names if n not in blocks) for key, names in member.inputs.items()
        }
        is_bound = f"{member.name}.inputs" in self._bound
        if is_bound or inputs == member.inputs or not all(inputs.values()):
            return member
        return member.model_copy(update={"inputs": inputs})

    @cached_property
    def folds(self) -> tuple[Folds, ...]:
        """What the folds may be, the file's own first."""
        plan = self.competition.folds
        own = Folds(self.n_folds, plan.n_repeats, self.n_refits)
        if plan.column is not None or plan.time is not None or plan.test_share is not None:
            return (own,)
        repeats = [plan.n_repeats, *([] if N_REPEATS in self._bound else [1])]
        fewer = [] if N_FOLDS in self._bound else [k for k in FEWER_FOLDS if k < plan.n_folds]
        others = [Folds(k, repeats[-1]) for k in (plan.n_folds, *fewer)]
        return tuple(dict.fromkeys((own, *others)))

    @property
    def quick_folds(self) -> tuple[Folds, ...]:
        """The fewest of them, for a first submission."""
        few = tuple(folds for folds in self.folds if folds.n_folds in QUICK_FOLDS)
        return few or self.folds[-1:]

    def first(self, n_rows: int, within_s: float) -> Choice | None:
        """A first submission of a cheap member, before costs are known; None where none is cheap.

        Args:
            n_rows: Training rows.
            within_s: Seconds that there are for it.
        """
        candidates = {each.name: each for each in self.choices(Costs(0.0), 1.0).candidates}
        return first_choice(
            members_of(self.competition),
            candidates,
            self.quick_folds,
            n_rows=n_rows,
            within_s=within_s,
        )

    def run_of(
        self, folds: Folds, levels: Mapping[str, Level], readers: Collection[str]
    ) -> Competition:
        """The competition that trains these members so, in the order of its file.

        Args:
            folds: How often rows are split.
            levels: By member, how much of its training is done.
            readers: Members whose arrays are encoded, even if they are trained later or never.
        """
        plan = self.competition.folds
        if folds != self.folds[0]:
            plan = plan.model_copy(update={"n_folds": folds.n_folds, "n_repeats": folds.n_repeats})
        members = tuple(
            _at_level(member, levels[member.name])
            for member in self._reading(readers)
            if member.name in levels
        )
        changed = self.competition.model_copy(update={"folds": plan, "members": members})
        return self._with_bound(changed)

    def _reading(self, readers: Collection[str]) -> tuple[Member, ...]:
        """All members, with encoders that give what the readers read, and no more."""
        competition = self.competition
        chosen = tuple(m for m in competition.members if m.name in readers)
        reading = competition.model_copy(update={"members": with_read_blocks(chosen)})
        changed = {member.name: member for member in members_of(reading)}
        return tuple(changed.get(member.name, member) for member in members_of(competition))

    def _with_bound(self, competition: Competition) -> Competition:
        """With every bound setting as the person set it."""
        before, now = settings_of(self.competition), settings_of(competition)
        lost = {k: before[k] for k in self._bound if k in now and now[k] != before[k]}
        return assign(competition, lost)

    @cached_property
    def _bound(self) -> frozenset[str]:
        return full_keys(self.competition, self.limit.bound)

    def _worth(self, costs: Costs) -> dict[str, float]:
        """By member, the quality of its whole training.

        Whoever wrote the file lets those members take long that are worth it.
        """
        members = members_of(self.competition)
        seconds = {m.name: _seconds_of_a_split(m, costs) for m in members}
        longest = max(seconds.values())
        lean = dict.fromkeys(self.reduced, LEAN_QUALITY)
        return {
            name: lean.get(name, 1.0) * (each / longest) ** WORTH_EXPONENT
            for name, each in seconds.items()
        }

    def _levels(self, member: Member, best: float) -> tuple[Level, ...]:
        """What may be done of a member's training, in ascending order."""
        whole, n_seeds = member.length, n_seeds_of(member)
        is_fixed = member.length_key is None or f"{member.name}.{member.length_key}" in self._bound
        lengths = [whole] if is_fixed else _lengths(whole)
        if f"{member.name}.{N_SEEDS}" in self._bound or n_seeds == 1:
            return tuple(Level(n_seeds, n, best * _quality(n, whole)) for n in lengths)
        shorter = [Level(1, n, best * ONE_SEED * _quality(n, whole)) for n in lengths]
        return (*shorter, Level(n_seeds, whole, best))


def _seconds_of_a_split(member: Member, costs: Costs) -> float:
    cost = costs.members.get(member.name)
    if cost is None:
        return 1.0
    return cost.seconds(n_splits=1, n_seeds=n_seeds_of(member), length=member.length) or 1e-9


def n_seeds_of(member: Member) -> int:
    """Replicas of each split; 1 for a kind that knows no seeds."""
    return int(getattr(member, N_SEEDS, 1))


def _lengths(whole: int) -> Sequence[int]:
    return sorted({max(1, round(share * whole)) for share in SHARES})


def _quality(length: int, whole: int) -> float:
    return float((length / whole) ** QUALITY_EXPONENT)


def _at_level(member: Member, level: Level) -> Member:
    """The member with so many seeds, and a training planned to be so long."""
    shorter = member if level.length == member.length else member.of_length(level.length)
    if level.n_seeds == n_seeds_of(member):
        return shorter
    return shorter.model_copy(update={N_SEEDS: level.n_seeds})
