"""Hill climbing: weights found step by step on the competition's own metric.

Source: Caruana et al., "Ensemble Selection from Libraries of Models", ICML 2004: members are added
with replacement, in several bags, and the climb ends where rows outside the bag no longer gain.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.ensembling.goal import Goal
from models.ensembling.search_objectives import Objective, objective_of

FIRST_STEP = 0.1  # of the blend that goes to a member when members are compared
STEPS = (0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)  # that are tried for the member that won
SMALLEST_GAIN = 1e-9
FEW_MEMBERS = 16  # up to here every step is scored exactly
PATIENCE = 8  # steps without a gain on the rows outside the bag


class ClimbSettings(BaseModel):
    """How far and how often is climbed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_steps: int = Field(40, ge=1, description="steps of a climb, at most")
    n_bags: int = Field(4, ge=1, description="climbs, each on a random draw of rows")
    row_fraction: float = Field(0.5, gt=0, lt=1, description="share of rows that a climb sees")
    most_rows: int = Field(25_000, ge=2, description="rows that a climb sees, at most")
    n_tried: int = Field(8, ge=1, description="most promising members scored exactly in each step")
    negative: bool = Field(False, description="whether weights may be negative")
    seed: int = Field(0, ge=0, description="seed of the draws of rows")


def climb(oof: np.ndarray, goal: Goal, settings: ClimbSettings | None = None) -> np.ndarray:
    """Weights of the members, `(n_members,) float64` with sum 1, the mean over all climbs.

    Args:
        oof: `(n_members, n_rows, n_columns)` out-of-fold predictions.
        goal: What is predicted, and the metric that is climbed.
        settings: The defaults if None.
    """
    settings = settings or ClimbSettings()
    if len(oof) == 1:
        return np.ones(1)
    objective = objective_of(oof, goal)

    def one(bag: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        return _climb(objective, *bag, settings)

    from joblib import cpu_count

    with ThreadPoolExecutor(int(cpu_count()), thread_name_prefix="climb") as pool:
        found = list(pool.map(one, _bags(oof.shape[1], settings)))  # in their order: same bytes
    mean: np.ndarray = np.mean(found, axis=0)
    return mean


def _bags(n_rows: int, settings: ClimbSettings) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The rows that each climb sees, and the others; both sorted."""
    rng = np.random.default_rng(settings.seed)
    n_seen = min(max(1, round(settings.row_fraction * n_rows)), n_rows - 1, settings.most_rows)
    for _ in range(settings.n_bags):
        order = rng.permutation(n_rows)
        yield np.sort(order[:n_seen]), np.sort(order[n_seen : n_seen + settings.most_rows])


@dataclass(frozen=True)
class _Blend:
    """A mixture on the way: weights, its predictions of both parts, and its score on the seen."""

    weights: np.ndarray
    seen: np.ndarray
    left: np.ndarray
    score: float


def _climb(
    objective: Objective, seen: np.ndarray, left: np.ndarray, settings: ClimbSettings
) -> np.ndarray:
    """One climb on the rows `seen`; the weights that do best on the rows `left`."""
    members = objective.members[:, seen]  # (M, n, k)
    now = _best_alone(objective, members, seen, left)
    best, best_score, n_worse = now, objective.score(now.left, left), 0
    for _ in range(settings.n_steps):
        step = _best_step(objective, members, now, seen, settings)
        if step is None:
            break
        now = _moved(objective, members, now, step, left)
        score = objective.score(now.left, left)
        if score > best_score or not np.isfinite(best_score):
            best, best_score, n_worse = now, score, 0
        else:
            n_worse += 1
        if n_worse == PATIENCE:
            break
    return best.weights


def _best_alone(
    objective: Objective, members: np.ndarray, seen: np.ndarray, left: np.ndarray
) -> _Blend:
    scores = np.array([objective.score(member, seen) for member in members])
    at = int(np.nan_to_num(scores, nan=-np.inf).argmax())
    weights = np.eye(len(members))[at]
    return _Blend(weights, members[at], objective.members[at][left], float(scores[at]))


@dataclass(frozen=True)
class _Step:
    """A share of the blend that goes to a member, and the score after it."""

    member: int
    share: float
    score: float


def _best_step(
    objective: Objective,
    members: np.ndarray,
    now: _Blend,
    seen: np.ndarray,
    settings: ClimbSettings,
) -> _Step | None:
    """The step with the best score; None where none is a gain."""
    tried = [
        _tried(objective, members, now, seen, member, share)
        for member, share in _promising(objective, members, now, seen, settings)
    ]
    first = max(tried, key=lambda step: step.score)
    sign = 1 if first.share > 0 else -1
    sizes = [size * sign for size in STEPS if size != FIRST_STEP]
    others = [_tried(objective, members, now, seen, first.member, size) for size in sizes]
    best = max([first, *others], key=lambda step: step.score)
    return best if best.score > now.score + SMALLEST_GAIN else None


def _promising(
    objective: Objective,
    members: np.ndarray,
    now: _Blend,
    seen: np.ndarray,
    settings: ClimbSettings,
) -> Iterator[tuple[int, float]]:
    """Members with the largest gains by the slope, and the share that is tried of each."""
    n_members = len(members)
    if n_members <= FEW_MEMBERS:
        ranked = np.arange(n_members)
        up = down = ranked
    else:
        slope = objective.slope(now.seen, seen).astype(np.float32).ravel()
        gains = members.reshape(n_members, -1) @ slope
        ranked = np.argsort(-gains, kind="stable")
        up, down = ranked[: settings.n_tried], ranked[::-1][: settings.n_tried]
    yield from ((int(member), FIRST_STEP) for member in up)
    if settings.negative:
        yield from ((int(member), -FIRST_STEP) for member in down)


def _tried(
    objective: Objective,
    members: np.ndarray,
    now: _Blend,
    seen: np.ndarray,
    member: int,
    share: float,
) -> _Step:
    score = objective.score(_mixed(now.seen, members[member], share), seen)
    return _Step(member, share, float(np.nan_to_num(score, nan=-np.inf)))


def _mixed(blend: np.ndarray, member: np.ndarray, share: float) -> np.ndarray:
    mixed: np.ndarray = np.float32(1 - share) * blend + np.float32(share) * member
    return mixed


def _moved(
    objective: Objective, members: np.ndarray, now: _Blend, step: _Step, left: np.ndarray
) -> _Blend:
    chosen = np.eye(len(members))[step.member]
    return replace(
        now,
        weights=(1 - step.share) * now.weights + step.share * chosen,
        seen=_mixed(now.seen, members[step.member], step.share),
        left=_mixed(now.left, objective.members[step.member][left], step.share),
        score=step.score,
    )
