"""The first submission of a run with a time limit, chosen before anything is measured.

It is a short training of one member on few folds. What the members take is known only roughly, by
their kind and the number of rows, which is enough to find a cheap one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipelines.planning.planner import Choice, Folds, Level

if TYPE_CHECKING:
    from pipelines.members.member import Member
    from pipelines.planning.planner import Candidate

ENCODED_ROW_S = 2e-5  # a row of a part of an encoder, roughly
SMALL_SHARE = 0.1  # of the seconds that there are, which the training may take


def first_choice(
    members: Sequence[Member],
    candidates: Mapping[str, Candidate],
    folds: Sequence[Folds],
    *,
    n_rows: int,
    within_s: float,
) -> Choice | None:
    """The cheapest member on the fewest folds; None where even that may take too long.

    Args:
        members: Those that may be trained.
        candidates: What each of them may be, by name.
        folds: What a first submission may be made of.
        n_rows: Training rows.
        within_s: Seconds that there are for it.
    """
    few = min(folds, key=lambda each: each.n_trained)
    encoded = {m.name: _encoded_s(candidates[m.name], n_rows, few) for m in members}

    def seconds(one: Member, level: Level) -> float:
        return encoded[one.name] + rough_seconds(one, level, few, n_rows)

    one = min(members, key=lambda one: seconds(one, candidates[one.name].levels[0]))
    shortest, *longer = candidates[one.name].levels
    if seconds(one, shortest) > within_s:
        return None
    small = [level for level in longer if seconds(one, level) <= SMALL_SHARE * within_s]
    level = small[-1] if small else shortest
    return Choice(few, {one.name: level}, seconds(one, level))


def rough_seconds(one: Member, level: Level, folds: Folds, n_rows: int) -> float:
    """What a training takes on some machine, within a factor of ten."""
    n_models = folds.n_trained * level.n_seeds
    return n_models * one.of_length(level.length).rough_seconds(round(folds.rows * n_rows))


def _encoded_s(candidate: Candidate, n_rows: int, folds: Folds) -> float:
    return ENCODED_ROW_S * len(candidate.parts) * n_rows * folds.n_trained
