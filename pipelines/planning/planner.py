"""Chooses folds, members, seeds and the length of each training for a number of seconds.

Nothing here looks at a clock or at data: the same costs and seconds give the same choice. The gain
of a choice is a rule of thumb, since nobody knows it before the training: each further member
closes a part of the gap that the members before it left, a shorter training closes less of it,
and more folds mean more rows to learn from and more models to average.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pipelines.planning.costs import Costs

CLOSED = 0.6  # share of the remaining gap that a fully trained member closes
ONE_SEED = 0.93  # quality of one seed where the file asks for more
FOLD_WEIGHT, FOLD_EXPONENT = 0.8, 0.3  # a learning curve: error ~ rows ** -0.3
REPEAT_WEIGHT = 0.02


@dataclass(frozen=True)
class Folds:
    """How often rows are split.

    Attributes:
        n_folds: Folds per repeat.
        n_repeats: Repeats.
        n_refits: Further trainings on all rows, as with folds by time.
    """

    n_folds: int
    n_repeats: int = 1
    n_refits: int = 0

    @property
    def n_trained(self) -> int:
        """Number of splits that models are trained on."""
        return self.n_folds * self.n_repeats + self.n_refits

    @property
    def rows(self) -> float:
        """The share of the rows that a split trains on."""
        return (self.n_folds - 1) / self.n_folds if self.n_folds > 1 else 1.0

    @property
    def loss(self) -> float:
        """What is lost against endless folds."""
        learning: float = (1 / self.rows) ** FOLD_EXPONENT - 1
        return FOLD_WEIGHT * learning + REPEAT_WEIGHT / self.n_repeats


@dataclass(frozen=True)
class Level:
    """How much of a member's training is done.

    Attributes:
        n_seeds: Replicas of each split.
        length: Epochs or rounds; 1 for models without.
        quality: Of a whole training 1; what a shorter one is worth beside it.
    """

    n_seeds: int
    length: int
    quality: float = 1.0


@dataclass(frozen=True)
class Candidate:
    """A member that may be trained.

    Attributes:
        name: Of the member.
        encoder: The name of its encoder.
        parts: What it reads of the encoder, by the names of the costs: the encoder itself, or
            those of its blocks that can be encoded alone.
        levels: What may be done of its training, in ascending order; the last is the file's.
        is_bound: Whether it must be part of the choice.
    """

    name: str
    encoder: str
    parts: frozenset[str]
    levels: tuple[Level, ...]
    is_bound: bool = False


@dataclass(frozen=True)
class Choices:
    """What a run may be.

    Attributes:
        candidates: The members.
        folds: What may be, the file's own first.
        costs: What the parts cost.
        safety: Costs are multiplied by it.
        done: Members that are trained already; their training costs nothing more.
        encoded: Encoders whose stage is there.
        prepared: The folds for which stage 2 is there; None for none.
        is_reduced: Whether members read less than the competition's file lets them read.
    """

    candidates: tuple[Candidate, ...]
    folds: tuple[Folds, ...]
    costs: Costs
    safety: float = 1.0
    done: Mapping[str, Level] = field(default_factory=dict)
    encoded: frozenset[str] = frozenset()
    prepared: Folds | None = None
    is_reduced: bool = False


@dataclass(frozen=True)
class Choice:
    """What a run is to be.

    Attributes:
        folds: How often rows are split.
        levels: By chosen member.
        seconds: What is predicted for it, with its safety.
    """

    folds: Folds
    levels: Mapping[str, Level]
    seconds: float

    @property
    def gain(self) -> float:
        """How good it is to be expected, on a scale of its own."""
        gap = math.prod(1 - CLOSED * level.quality for level in self.levels.values())
        return 1 - gap - self.folds.loss


def choose(choices: Choices, seconds: float) -> Choice | None:
    """The best choice that ends within the seconds; None where nothing does."""
    found = [_grown(replace(choices, folds=(folds,)), seconds) for folds in choices.folds]
    fitting = [choice for choice in found if choice is not None]
    return max(fitting, key=lambda choice: choice.gain, default=None)


def whole(choices: Choices) -> Choice:
    """Everything that the competition's file asks for, whatever it costs."""
    return cost_of(choices, {c.name: c.levels[-1] for c in choices.candidates})


def is_everything(choices: Choices, choice: Choice) -> bool:
    """Whether it is all that the competition's file asks for."""
    if choices.is_reduced or choice.folds != choices.folds[0]:
        return False
    return choice.levels == {c.name: c.levels[-1] for c in choices.candidates}


def least(choices: Choices) -> Choice:
    """The cheapest choice that gives a submission."""
    bound = {c.name: c.levels[0] for c in choices.candidates if c.is_bound}
    alone = [{c.name: c.levels[0]} for c in choices.candidates]
    tried = [
        cost_of(replace(choices, folds=(folds,)), levels)
        for folds in choices.folds
        for levels in ([bound] if bound else alone)
    ]
    return min(tried, key=lambda choice: choice.seconds)


def member_seconds(choices: Choices, folds: Folds, name: str, level: Level) -> float:
    """What training a member costs, with the reading of its arrays and its safety."""
    if name in choices.done:
        return 0.0
    cost = choices.costs.members[name]
    seconds = cost.seconds(
        n_splits=folds.n_trained, n_seeds=level.n_seeds, length=level.length, rows=folds.rows
    )
    return choices.safety * seconds


def blend_seconds(choices: Choices, folds: Folds, n_members: int) -> float:
    """What stages 5 and 6 cost, with their safety."""
    ensemble = choices.costs.ensemble_s * n_members * folds.n_folds * folds.n_repeats
    return choices.safety * (ensemble + choices.costs.publish_s)


def encode_seconds(choices: Choices, folds: Folds, names: Iterable[str]) -> float:
    """What stages 2 and 3 cost for these members, with their safety."""
    wanted = set(names)
    readers = [c for c in choices.candidates if c.name in wanted]
    parts = {part for c in readers if c.encoder not in choices.encoded for part in c.parts}
    encoded = sum(choices.costs.encoders[part].seconds(folds.n_trained) for part in sorted(parts))
    prepared = 0.0 if folds == choices.prepared else choices.costs.preprocess_s
    return choices.safety * (prepared + encoded)


def cost_of(choices: Choices, levels: Mapping[str, Level]) -> Choice:
    """These levels on the first of the folds, with what they still cost."""
    folds = choices.folds[0]
    trained = sum(member_seconds(choices, folds, name, level) for name, level in levels.items())
    encoded = encode_seconds(choices, folds, levels)
    return Choice(
        folds, dict(levels), encoded + trained + blend_seconds(choices, folds, len(levels))
    )


def _grown(choices: Choices, seconds: float) -> Choice | None:
    """Grown step by step by the most gain per second, as long as it fits."""
    bound = {c.name: c.levels[0] for c in choices.candidates if c.is_bound}
    now = cost_of(choices, bound | dict(choices.done))
    if now.levels and now.seconds > seconds:
        return None
    while True:
        steps = [step for step in _steps(choices, now) if step.seconds <= seconds]
        if not steps:
            return now if now.levels else None
        now = max(steps, key=lambda step: _gain_per_second(now, step))


def _steps(choices: Choices, now: Choice) -> Iterator[Choice]:
    """The choice with one member more, or with one of its members trained for longer."""
    for candidate in choices.candidates:
        if candidate.name in choices.done:
            continue
        at = now.levels.get(candidate.name)
        first = 0 if at is None else candidate.levels.index(at) + 1
        for level in candidate.levels[first:]:
            yield cost_of(choices, {**now.levels, candidate.name: level})


def _gain_per_second(now: Choice, step: Choice) -> tuple[float, float]:
    gain = step.gain - now.gain
    return gain / max(step.seconds - now.seconds, 1e-6), gain
