"""From gathered members to a blend: every method scored nested, and one of them chosen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from features.folds import Folds
from models.ensembling.goal import Goal
from models.ensembling.methods import EqualWeights, Method, methods_for, with_levels
from models.ensembling.nested_methods import (
    Choice,
    NestedMethod,
    best_alone,
    choose_nested,
    evaluate,
)
from pipelines.blending.request import BlendRequestError
from pipelines.stages.ensemble import Blend, EnsembleSettings, check_defined, with_overlap
from pipelines.stages.train_test_overlap import Tables, find_overlap

if TYPE_CHECKING:
    from pipelines.blending.request import How
    from pipelines.console import Narrator

AUTO = "auto"
FEW_FOR_MODELS = 60  # members up to which `auto` tries models of many inputs
COSTLY = ("lightgbm", "mlp")


@dataclass(frozen=True)
class Members:
    """The members as arrays.

    Attributes:
        names: In their order.
        oof: `(n_members, n_rows, n_columns)`.
        test: `(n_members, n_test, n_columns)`.
    """

    names: tuple[str, ...]
    oof: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """The blend, and all that was measured on the way.

    Attributes:
        blend: As stage 5 of a run gives it.
        choice: The chosen method, and by which each fold is predicted.
        candidates: All methods, the simplest first.
    """

    blend: Blend
    choice: Choice
    candidates: tuple[NestedMethod, ...]


def chosen_methods(goal: Goal, how: How, n_members: int) -> list[Method]:
    """The methods that a person named, else those that suit the task, the simplest first.

    Raises:
        BlendRequestError: A name is unknown, or the method does not suit the task or metric.
    """
    known = methods_for(goal, negative=how.negative)
    names = [name.strip() for name in how.method.split(",") if name.strip()]
    if names == [AUTO]:
        too_many = n_members > FEW_FOR_MODELS
        names = [name for name in known if not (too_many and name in COSTLY)]
    every = (AUTO, "equal", "ranks", "gradient", "hill", "ridge", "logistic", "lightgbm", "mlp")
    for name in names:
        if name not in every:
            raise BlendRequestError(
                f"--method {name}: found no such method; one of {', '.join(every)}"
            )
        if name not in known:
            kind, metric = goal.task.kind, goal.metric.name
            raise BlendRequestError(
                f"--method {name} does not suit {kind} scored by {metric}; known here: "
                f"{', '.join(known)}"
            )
    listed = [method for name in known if name in names for method in known[name]]
    if how.levels > 1 and listed:
        listed += with_levels(listed, how.levels)
    return listed or [EqualWeights()]


def blend_members(
    members: Members,
    settings: EnsembleSettings,
    goal: Goal,
    folds: Folds,
    how: How,
    narrator: Narrator,
) -> Outcome:
    """Score every method nested, choose one, and predict the test rows.

    Args:
        members: At least one.
        settings: The competition's.
        goal: Target and metric.
        folds: On which weights are fitted and scored.
        how: Which methods.
        narrator: Shows how far each method is.

    Raises:
        BlendRequestError: A method is unknown or does not suit.
    """
    assignment = folds.assignment
    member_scores = _scores(members.oof, goal, assignment)
    candidates = _candidates(members, goal, folds, member_scores, how, narrator)
    choice = choose_nested(candidates, goal.metric, assignment)
    blend = _blend(members, settings, goal, folds, choice, candidates, member_scores)
    check_defined(blend, goal.metric)
    return Outcome(blend, choice, tuple(candidates))


def _candidates(
    members: Members,
    goal: Goal,
    folds: Folds,
    member_scores: np.ndarray,
    how: How,
    narrator: Narrator,
) -> list[NestedMethod]:
    """The best member alone, and every method."""
    has_others = folds.n_folds > 1
    candidates = []
    if has_others:
        candidates.append(best_alone(member_scores, members.oof, goal, folds.assignment))
    methods: Sequence[Method] = chosen_methods(goal, how, len(members.names))
    if len(members.names) == 1 and has_others:
        return candidates
    for method in methods if has_others else (EqualWeights(),):
        start = time.perf_counter()
        with narrator.stage(method.name) as line:
            candidates.append(evaluate(method, members.oof, goal, folds.assignment, line.advance))
            line.end(status="made", seconds=time.perf_counter() - start)
    return candidates


def _scores(oof: np.ndarray, goal: Goal, assignment: np.ndarray) -> np.ndarray:
    """Each member's scores on the folds, `(n_members, n_splits)`."""
    from joblib import cpu_count

    def one(member: np.ndarray) -> np.ndarray:
        return goal.decide(member, assignment).scores

    with ThreadPoolExecutor(int(cpu_count()), thread_name_prefix="score") as pool:
        return np.stack(list(pool.map(one, oof)))


def _blend(
    members: Members,
    settings: EnsembleSettings,
    goal: Goal,
    folds: Folds,
    choice: Choice,
    candidates: Sequence[NestedMethod],
    member_scores: np.ndarray,
) -> Blend:
    """What stage 5 keeps; a method without weights of members has zeros."""
    weights = choice.method.of_all.weights
    extra = [replace(goal, metric=metric) for metric in settings.extra_metrics]
    by_metric = [_scores(members.oof, one, folds.assignment) for one in extra]
    extra_scores = [one.decide(choice.oof, folds.assignment).scores for one in extra]
    n_extra, n_splits = len(extra), folds.n_splits
    return Blend(
        members=members.names,
        candidates=tuple(candidate.name for candidate in candidates),
        chosen=choice.method.name,
        weights=np.zeros(len(members.names)) if weights is None else weights,
        oof=choice.oof,
        test=choice.method.of_all.predict(members.test),
        scores=choice.scores,
        member_scores=member_scores,
        candidate_scores=np.stack([candidate.scores for candidate in candidates]),
        extra_scores=np.array(extra_scores).reshape(n_extra, n_splits),
        member_extra_scores=np.array(by_metric)
        .reshape(n_extra, len(members.names), n_splits)
        .swapaxes(0, 1),
        plain_scores=choice.scores,
        decision=choice.method.decision,
    )


def with_known_rows(
    outcome: Outcome,
    settings: EnsembleSettings,
    goal: Goal,
    folds: Folds,
    members: Members,
    tables: Tables,
) -> Outcome:
    """Test rows that take a training row's label, where the competition has such rows."""
    if settings.overlap is None or folds.n_repeats > 1:
        return outcome
    rows = find_overlap(settings.overlap, tables, goal.target, folds)
    of_candidates = list(outcome.candidates)
    blend = with_overlap(outcome.blend, rows, oof=members.oof, candidates=of_candidates)
    return replace(outcome, blend=blend)
