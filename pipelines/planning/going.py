"""A plan while it is carried out: it shrinks where the work is slower than was thought."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pipelines.planning.plan import Step
from pipelines.planning.planner import (
    Candidate,
    Choice,
    Choices,
    Level,
    blend_seconds,
    choose,
    cost_of,
    member_seconds,
)
from pipelines.planning.schedule import step_seconds, steps_of, with_encoder

SAFETY, SAFETY_LATER = 1.3, 1.15  # costs are multiplied by it; later the pace is known
LEAST_SAFETY, MOST_SAFETY = 0.8, 8.0
TOO_SHORT_S = 0.5  # work that says nothing of the pace
DOUBTED_S = 10.0  # work of so many seconds moves the pace half-way
LEAST_GAIN = 0.003  # of another plan


@dataclass
class Going:
    """What is left of a plan; knows no clock, but is given the seconds.

    Attributes:
        choices: With what is done.
        choice: What the run is to be at the end.
        readers: The members whose arrays are encoded.
        changes: What changed since the plan was made, for a person to read.
    """

    choices: Choices
    choice: Choice
    readers: frozenset[str] = frozenset()
    changes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.readers = frozenset(self.choice.levels)
        candidates = tuple(
            replace(candidate, is_bound=False)
            for candidate in self.choices.candidates
            if self._can_read(candidate)
        )
        self.choices = replace(
            self.choices, folds=(self.choice.folds,), candidates=candidates, done={}
        )

    @property
    def done(self) -> dict[str, Level]:
        """The members that are trained."""
        return dict(self.choices.done)

    def next(self, left_s: float, first_by_s: float) -> Step | None:
        """The next member to train; None where nothing more fits.

        Args:
            left_s: Seconds that are left.
            first_by_s: Seconds by which there should be a submission; endless if there is one.
        """
        self._fit_into(left_s)
        steps = steps_of(self.choices, self.choice, first_by_s=first_by_s)
        return steps[0] if steps else None

    def expected(self, step: Step) -> tuple[float, float]:
        """Seconds that a member and its encoder take, and the member alone; without safety."""
        plain = replace(self.choices, safety=1.0, prepared=self.choice.folds)
        alone = member_seconds(plain, self.choice.folds, step.member, step.level)
        return step_seconds(plain, self.choice, step.member), alone

    def learn(self, step: Step, seconds: float | None) -> None:
        """Note that a member is trained.

        Args:
            step: Which one.
            seconds: What it took with its encoder; None where an earlier run had made it.
        """
        if seconds is not None:
            self.learn_pace(self.expected(step)[0], seconds)
        known = with_encoder(self.choices, self.choice.folds, step.member)
        level = self.choice.levels[step.member]
        self.choices = replace(known, done={**known.done, step.member: level})

    def learn_pace(self, expected_s: float, seconds: float) -> None:
        """Note what other work of the plan took: a first submission on folds of its own.

        Args:
            expected_s: Seconds that it was planned to take, without safety.
            seconds: Those that it took.
        """
        if max(seconds, expected_s) > TOO_SHORT_S:
            ratio = seconds / max(expected_s, 1e-6)
            self._set_pace(ratio, evidence_s=max(seconds, expected_s))

    def blend_seconds(self) -> float:
        """What the stages 5 and 6 of the trained members take, with safety."""
        return blend_seconds(self.choices, self.choice.folds, len(self.choices.done))

    def learn_blend(self, n_members: int, seconds: float) -> None:
        """Note what stage 5 took; for one of several members that says little of all of them."""
        folds = self.choice.folds
        each = seconds / (n_members * folds.n_folds * folds.n_repeats)
        if n_members < len(self.choice.levels):
            each = max(each, self.choices.costs.ensemble_s)
        costs = replace(self.choices.costs, ensemble_s=each)
        self.choices = replace(self.choices, costs=costs)

    def _set_pace(self, ratio: float, *, evidence_s: float) -> None:
        """Believe a pace as far as work of so many seconds can show it."""
        believed = evidence_s / (evidence_s + DOUBTED_S)
        old, new = self.choices.safety, SAFETY_LATER * max(ratio, 1e-3)
        safety = old ** (1 - believed) * new**believed
        safety = min(max(safety, LEAST_SAFETY), MOST_SAFETY)
        self.choices = replace(self.choices, safety=safety)

    def _fit_into(self, left_s: float) -> None:
        now = cost_of(self.choices, self.choice.levels)
        fits, other = now.seconds <= left_s, choose(self.choices, left_s)
        if not fits and other is None:
            other = cost_of(self.choices, self.choices.done)
        if other is None or (fits and other.gain <= now.gain + LEAST_GAIN):
            self.choice = now
            return
        self._note(now, other)
        self.choice = other

    def _note(self, before: Choice, after: Choice) -> None:
        for name in sorted({*before.levels, *after.levels}):
            old, new = before.levels.get(name), after.levels.get(name)
            if old == new:
                continue
            text = "left out" if new is None else _change(new, old)
            self.changes.append(f"{name} {text}")

    def _can_read(self, candidate: Candidate) -> bool:
        """Whether what it reads is encoded with the plan's members, or by itself."""
        sharing = [
            other
            for other in self.choices.candidates
            if other.name in self.readers and other.encoder == candidate.encoder
        ]
        read = {part for other in sharing for part in other.parts}
        return not sharing or candidate.parts <= read


def _change(new: Level, old: Level | None) -> str:
    """The change of a member's training."""
    before = "" if old is None else f" instead of {_level(old)}"
    return f"{_level(new)}{before}"


def _level(level: Level) -> str:
    return f"{level.length} × {level.n_seeds} seeds" if level.n_seeds > 1 else f"{level.length}"
