"""Puts a choice in order: a first submission soon, then one member after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipelines.planning.plan import Plan, Step
from pipelines.planning.planner import (
    Choice,
    Choices,
    Folds,
    Level,
    blend_seconds,
    choose,
    encode_seconds,
    is_everything,
    least,
    member_seconds,
    whole,
)

PUBLISH_SHARE = 0.15  # of what was trained since, that a further submission may cost
QUICK_SHARE = 0.6  # of the seconds to the first submission that it is planned to take
QUICK_GAIN = 0.5  # share of the seconds that it must save


@dataclass(frozen=True)
class Budget:
    """Seconds of a plan.

    Attributes:
        limit_s: The time limit.
        spent_s: What is gone of it.
        left_s: What a plan may use.
        first_by_s: Seconds from now by which there should be a submission.
    """

    limit_s: float
    spent_s: float
    left_s: float
    first_by_s: float


@dataclass(frozen=True)
class Schedule:
    """A plan, and what it was chosen from.

    Attributes:
        plan: In order.
        choice: What the run is to be at the end.
        quick: What is trained before it for a first submission; None where nothing is.
    """

    plan: Plan
    choice: Choice
    quick: Choice | None = None


def schedule(choices: Choices, quick_folds: tuple[Folds, ...], budget: Budget) -> Schedule | None:
    """The best plan for the budget; None where nothing ends in time.

    Args:
        choices: What the run may be.
        quick_folds: What a first submission may be made of.
        budget: The seconds.
    """
    everything = whole(choices)
    fits = everything.seconds <= budget.left_s
    choice = everything if fits else choose(choices, budget.left_s)
    if choice is None:
        return None
    quick = _quick(choices, quick_folds, choice, budget)
    if quick is not None:
        rest = budget.left_s - quick.seconds
        fitting = choice if choice.seconds <= rest else choose(choices, rest)
        choice, quick = (choice, None) if fitting is None else (fitting, quick)
    return Schedule(_plan(choices, choice, quick, budget), choice, quick)


def _quick(
    choices: Choices, folds: tuple[Folds, ...], choice: Choice, budget: Budget
) -> Choice | None:
    """What gives a first submission soon, if that of the choice comes late."""
    first = steps_of(choices, choice, first_by_s=0.0)[0]
    first_s = first.seconds + blend_seconds(choices, choice.folds, 1)
    if first_s <= budget.first_by_s:
        return None
    unbound = tuple(replace(candidate, is_bound=False) for candidate in choices.candidates)
    few = replace(choices, folds=folds, candidates=unbound)
    found = choose(few, QUICK_SHARE * budget.first_by_s) or least(few)
    return found if found.seconds < QUICK_GAIN * first_s else None


def _plan(choices: Choices, choice: Choice, quick: Choice | None, budget: Budget) -> Plan:
    before = [] if quick is None else _quick_steps(choices, quick)
    steps = steps_of(choices, choice, first_by_s=0.0 if quick else budget.first_by_s)
    quick_s = 0.0 if quick is None else quick.seconds
    further = _further_seconds(choices, choice, steps)
    if quick_s + choice.seconds + further > budget.left_s:
        steps, further = _with_few_submissions(steps), 0.0
    return Plan(
        limit_s=budget.limit_s,
        planned_at_s=round(budget.spent_s, 2),
        seconds=round(quick_s + choice.seconds + further, 2),
        steps=(*before, *steps),
        left_out=tuple(c.name for c in choices.candidates if c.name not in choice.levels),
        is_whole=is_everything(choices, choice),
    )


def _quick_steps(choices: Choices, quick: Choice) -> list[Step]:
    steps = steps_of(choices, quick, first_by_s=quick.seconds)
    last = len(steps) - 1
    return [
        one.model_copy(update={"is_quick": True, "publishes": at == last})
        for at, one in enumerate(steps)
    ]


def _further_seconds(choices: Choices, choice: Choice, steps: Sequence[Step]) -> float:
    """What the submissions before the last one cost."""
    numbers = [at + 1 for at, one in enumerate(steps[:-1]) if one.publishes]
    return sum(blend_seconds(choices, choice.folds, n) for n in numbers)


def _with_few_submissions(steps: Sequence[Step]) -> list[Step]:
    """With the first submission and the last one."""
    first = next((at for at, one in enumerate(steps) if one.publishes), 0)
    return [
        one.model_copy(update={"publishes": at in (first, len(steps) - 1)})
        for at, one in enumerate(steps)
    ]


def steps_of(choices: Choices, choice: Choice, *, first_by_s: float) -> list[Step]:
    """The choice's members that are not trained yet, the cheapest first.

    Args:
        choices: What the choice was made from.
        choice: What is to be trained.
        first_by_s: Seconds by which the first submission should be there.
    """
    steps: list[Step] = []
    since, n_done, is_late = 0.0, len(choices.done), choice.seconds > first_by_s
    for name, seconds in _cheapest_first(choices, choice):
        since, n_done = since + seconds, n_done + 1
        further = blend_seconds(choices, choice.folds, n_done)
        is_last = n_done == len(choice.levels)
        is_first = is_late and not choices.done and not steps
        publishes = is_last or is_first or further < PUBLISH_SHARE * since
        level = choice.levels[name]
        steps.append(member_step(choice.folds, name, level, seconds, publishes=publishes))
        since = 0.0 if publishes else since
    return steps


def member_step(
    folds: Folds, name: str, level: Level, seconds: float, *, publishes: bool, quick: bool = False
) -> Step:
    """One member's step."""
    return Step(
        member=name,
        n_folds=folds.n_folds,
        n_repeats=folds.n_repeats,
        n_seeds=level.n_seeds,
        length=level.length,
        seconds=round(seconds, 2),
        publishes=publishes,
        is_quick=quick,
    )


def _cheapest_first(choices: Choices, choice: Choice) -> list[tuple[str, float]]:
    """Members to train with their seconds, in which an encoder counts for its first member."""
    left = [name for name in choice.levels if name not in choices.done]
    ordered, known = [], choices
    while left:
        costs = {name: step_seconds(known, choice, name) for name in left}
        name = min(left, key=lambda name: costs[name])
        ordered.append((name, costs[name]))
        left.remove(name)
        known = with_encoder(known, choice.folds, name)
    return ordered


def with_encoder(choices: Choices, folds: Folds, member: str) -> Choices:
    """The choices once the stages 2 and 3 of a member are there."""
    encoder = next(c.encoder for c in choices.candidates if c.name == member)
    return replace(choices, encoded=choices.encoded | {encoder}, prepared=folds)


def step_seconds(choices: Choices, choice: Choice, name: str) -> float:
    """Seconds of a member's training and, if it is the first to use it, of its encoder.

    The encoder then encodes what all members of the choice read of it.
    """
    encoder_of = {c.name: c.encoder for c in choices.candidates}
    sharing = [other for other in choice.levels if encoder_of[other] == encoder_of[name]]
    encoding = encode_seconds(choices, choice.folds, sharing)
    return encoding + member_seconds(choices, choice.folds, name, choice.levels[name])
