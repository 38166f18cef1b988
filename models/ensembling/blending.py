"""Weighted blends: greedy weights on out-of-fold predictions, and an honest score of the blend.

Weights of probabilities are chosen by log-loss whatever the competition's metric is: log-loss is
smooth, its standard error can be computed from the rows, and good probabilities give good labels.
Weights of values are chosen by the loss that belongs to the metric.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.ensembling.checks import check_folds, check_members
from models.ensembling.goal import Goal, Mixable

SHARES = np.linspace(0.0, 1.0, 21)  # of the greedy weights, the rest being equal weights
CHUNK = 1 << 18  # numbers processed at a time: what fits in a core's cache


class BlendSettings(BaseModel):
    """How weights are chosen without overfitting the out-of-fold rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_steps: int = Field(60, ge=1, description="members added one after another, with replacement")
    n_bags: int = Field(12, ge=2, description="greedy runs, each on a random draw of rows")
    row_fraction: float = Field(0.5, gt=0, lt=1, description="share of rows that a run sees")
    member_fraction: float = Field(1.0, gt=0, le=1, description="share of members that a run sees")
    min_gain: float = Field(
        1.0, ge=0, description="smallest gain of a longer blend, in standard errors"
    )
    shrink: bool = Field(True, description="shrink towards equal weights")
    seed: int = Field(0, ge=0, description="seed of the draws of rows and members")


@dataclass(frozen=True)
class NestedBlend:
    """A blend in which the target of a row has no influence on the row's own prediction.

    Attributes:
        oof: `(n_rows, n_columns) float64`, the mean over repeats; NaN for rows never held out.
        fold_scores: `(n_repeats * n_folds,) float64`, repeat-major.
        weights: `(n_repeats * n_folds, n_members) float64`, the weights that predict each fold.
    """

    oof: np.ndarray
    fold_scores: np.ndarray
    weights: np.ndarray

    @property
    def mean(self) -> float:
        """Mean score over folds."""
        return float(np.nanmean(self.fold_scores))

    @property
    def spread(self) -> float:
        """Standard deviation of the score over folds."""
        return float(np.nanstd(self.fold_scores))


def blend(predictions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mix members: `(n_members, n_rows, n_columns)` -> `(n_rows, n_columns)`."""
    mixed: np.ndarray = np.tensordot(weights, predictions, axes=1)
    return mixed


def greedy_weights(
    oof: np.ndarray,
    goal: Goal,
    settings: BlendSettings | None = None,
    *,
    members: Sequence[str] | None = None,
) -> np.ndarray:
    """Weights of the members, `(n_members,) float64`, zero or more, sum 1.

    Each of `n_bags` greedy runs sees a share `row_fraction` of the rows. It starts from the best
    members, adds one after another, and replaces the blend it has only by a longer one whose gain
    exceeds `min_gain` standard errors. The mean over runs is then shrunk towards equal weights, by
    the share that does best on the rows that the runs did not see. A member that is no better than
    a constant answer gets no weight.

    Args:
        oof: `(n_members, n_rows, n_columns)` out-of-fold predictions.
        goal: What is predicted.
        settings: The defaults if None.
        members: Names for error messages.

    Raises:
        BlendError: Invalid predictions.

    Source: Caruana et al., "Ensemble Selection from Libraries of Models", ICML 2004.
    """
    settings = settings or BlendSettings()
    check_members(oof, goal, members=members)
    mixable = goal.mixable(oof)
    candidates = _better_than_constant(mixable, goal)
    weights = np.zeros(len(oof))
    weights[candidates] = _bagged(replace(mixable, members=mixable.members[candidates]), settings)
    return weights


def nested(
    oof: np.ndarray,
    goal: Goal,
    fold_of_row: np.ndarray,
    settings: BlendSettings | None = None,
    *,
    members: Sequence[str] | None = None,
) -> NestedBlend:
    """Blend each fold with weights chosen on the other folds' rows, and score it.

    Args:
        oof: `(n_members, n_rows, n_columns)` out-of-fold predictions.
        goal: What is predicted, and the metric that scores each fold.
        fold_of_row: `(n_rows,)` or `(n_repeats, n_rows)`, the fold that holds each row out; -1
            where none does.
        settings: The defaults if None.
        members: Names for error messages.

    Raises:
        BlendError: Invalid predictions, or folds that do not fit them.
    """
    assignment = check_folds(fold_of_row, n_rows=len(goal.target))
    check_members(oof, goal, members=members, rows=np.asarray((assignment >= 0).any(axis=0)))
    by_repeat, scores, weights = [], [], []
    for folds in assignment:
        predicted = np.full(oof.shape[1:], np.nan)
        for fold in np.unique(folds[folds >= 0]):
            others = (folds != fold) & (folds >= 0)
            weights.append(_weights_from(oof, goal, others, settings))
            predicted[folds == fold] = blend(oof[:, folds == fold], weights[-1])
        by_repeat.append(predicted)
        scores.append(goal.decide(predicted, folds[None]).scores)
    return NestedBlend(mean_over_repeats(by_repeat), np.concatenate(scores), np.stack(weights))


def _weights_from(
    oof: np.ndarray, goal: Goal, rows: np.ndarray, settings: BlendSettings | None
) -> np.ndarray:
    """Weights chosen on some rows; equal ones where there are none, as with a single split."""
    if not rows.any():
        return np.full(len(oof), 1 / len(oof))
    return greedy_weights(oof[:, rows], goal.at(rows), settings)


def mean_over_repeats(by_repeat: Sequence[np.ndarray]) -> np.ndarray:
    """Each row's mean over the repeats that held it out; NaN where none did.

    `(n_repeats, n_rows, n_columns)` -> `(n_rows, n_columns)`.
    """
    predicted = np.asarray(by_repeat)
    there = ~np.isnan(predicted).any(axis=2, keepdims=True)
    total = np.where(there, predicted, 0.0).sum(axis=0)
    n_times = there.sum(axis=0)
    mean: np.ndarray = np.where(n_times > 0, total / np.maximum(n_times, 1), np.nan)
    return mean


def _better_than_constant(mixable: Mixable, goal: Goal) -> np.ndarray:
    """Indices of the members that beat a constant answer; the best one if none does."""
    n_rows = len(goal.target)
    constants = [np.tile(c, (n_rows, 1)) for c in goal.baseline()[:, 0]]
    limit = min(_mean_losses(goal.mixable(np.stack(constants))))
    losses = _mean_losses(mixable)
    better = np.flatnonzero(losses < limit)
    return better if better.size else np.array([losses.argmin()])


def _mean_losses(mixable: Mixable) -> np.ndarray:
    """The mean loss of each member alone, `(n_members,)`."""
    return np.array([mixable.mean(mixable.losses(member)) for member in mixable.members])


def _bagged(mixable: Mixable, settings: BlendSettings) -> np.ndarray:
    """The mean of all greedy runs, shrunk: `(n_members,)`."""
    n_members, n_rows, k = mixable.members.shape
    if n_members == 1 or n_rows < 4:
        return np.full(n_members, 1 / n_members)
    seen, allowed = _draw(n_members, n_rows, settings)
    runs = [
        _greedy(mixable, seen[bags], allowed[bags], settings)
        for bags in _chunks(settings.n_bags, n_members * seen.shape[1] * k)
    ]
    weights = np.concatenate(runs)
    share = _trust(mixable, weights, seen) if settings.shrink else 1.0
    shrunk: np.ndarray = share * weights.mean(axis=0) + (1 - share) / n_members
    return shrunk


def _draw(n_members: int, n_rows: int, settings: BlendSettings) -> tuple[np.ndarray, np.ndarray]:
    """The rows `(n_bags, n_seen)` and members `(n_bags, n_members) bool` that each run sees."""
    rng = np.random.default_rng(settings.seed)
    n_seen = min(max(2, round(settings.row_fraction * n_rows)), n_rows - 1)
    n_allowed = max(2, math.ceil(settings.member_fraction * n_members))
    seen = [np.sort(rng.permutation(n_rows)[:n_seen]) for _ in range(settings.n_bags)]
    order = rng.permuted(np.tile(np.arange(n_members), (settings.n_bags, 1)), axis=1)
    return np.stack(seen), order < n_allowed


def _chunks(n_bags: int, numbers_per_bag: int) -> Iterator[slice]:
    """For small tables many runs at a time, to save calls; for large ones one, to fit the cache."""
    size = max(1, CHUNK // numbers_per_bag)
    return (slice(start, start + size) for start in range(0, n_bags, size))


def _greedy(
    mixable: Mixable, seen: np.ndarray, allowed: np.ndarray, settings: BlendSettings
) -> np.ndarray:
    """The greedy search in every bag: rows `(B, n)`, members `(B, M) bool` -> weights `(B, M)`."""
    # (M, B, n, k) -> (B, M, n, k), with the rows side by side, over which losses are summed
    rows = np.ascontiguousarray(mixable.members[:, seen].swapaxes(0, 1))
    bags, at = np.arange(len(rows)), seen[:, None]
    counts = _start(mixable, rows, seen, allowed)
    total = _mixed(counts[:, None], rows)[:, 0]  # (B, n, k), sum over the drawn members
    kept, kept_loss = counts, mixable.losses(total, _size(counts), seen)
    for _ in range(settings.n_steps):
        size = _size(counts) + 1
        longer = mixable.losses(total[:, None] + rows, size[:, None], at)  # (B, M, n)
        choice = np.where(allowed, mixable.mean(longer, at), np.inf).argmin(axis=1)
        counts = counts + np.eye(counts.shape[1])[choice]
        total = total + rows[bags, choice]
        loss = longer[bags, choice]
        better = _gain(kept_loss, loss, settings.min_gain)
        kept = np.where(better[:, None], counts, kept)
        kept_loss = np.where(better[:, None], loss, kept_loss)
    weights: np.ndarray = kept / kept.sum(axis=1, keepdims=True)
    return weights


def _size(counts: np.ndarray) -> np.ndarray:
    """How many members were drawn: `(B, M)` -> `(B, 1, 1)`, to divide `(B, n, k)`."""
    size: np.ndarray = counts.sum(axis=1)[:, None, None]
    return size


def _mixed(counts: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Sums of members: counts `(B, c, M)`, rows `(B, M, n, k)` -> `(B, c, n, k)`."""
    n_bags, n_members, n_rows, k = rows.shape
    flat = counts @ rows.reshape(n_bags, n_members, n_rows * k)
    mixed: np.ndarray = flat.reshape(n_bags, -1, n_rows, k)
    return mixed


def _start(mixable: Mixable, rows: np.ndarray, seen: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Start from the c best members, with the best c: counts `(B, M) float64`."""
    at = seen[:, None]
    losses = np.where(allowed, mixable.mean(mixable.losses(rows, 1.0, at), at), np.inf)
    rank = losses.argsort(axis=1, kind="stable").argsort(axis=1)
    prefixes = rank[:, None, :] <= np.arange(rows.shape[1])[:, None]  # (B, c, M)
    sizes = prefixes.sum(axis=2)[..., None, None]
    mixed = mixable.mean(mixable.losses(_mixed(prefixes, rows), sizes, at), at)  # (B, c)
    possible = np.arange(rows.shape[1]) < allowed.sum(axis=1, keepdims=True)
    best = np.where(possible, mixed, np.inf).argmin(axis=1)
    counts: np.ndarray = prefixes[np.arange(len(rows)), best].astype(np.float64)
    return counts


def _gain(before: np.ndarray, after: np.ndarray, min_gain: float) -> np.ndarray:
    """Whether the loss falls by more than `min_gain` standard errors: two `(B, n)` -> `(B,)`."""
    difference = before - after
    error = difference.std(axis=1) / math.sqrt(before.shape[1])
    better: np.ndarray = difference.mean(axis=1) > np.maximum(min_gain * error, 1e-12)
    return better


def _trust(mixable: Mixable, weights: np.ndarray, seen: np.ndarray) -> float:
    """The share of the runs' weights in the blend, 0 to 1, the rest being equal weights.

    Every row is blended by the runs that did not see it, so overfitting does not count as a gain.
    """
    members = mixable.members
    unseen = np.ones((len(weights), members.shape[1]))
    np.put_along_axis(unseen, seen, 0.0, axis=1)
    rows = np.flatnonzero(unseen.sum(axis=0) > 0)
    row_weights = weights.T @ unseen[:, rows] / unseen[:, rows].sum(axis=0)  # (M, n)
    greedy = (row_weights[..., None] * members[:, rows]).sum(axis=0)
    equal = members[:, rows].mean(axis=0)
    losses = [
        mixable.mean(mixable.losses(share * greedy + (1 - share) * equal, 1.0, rows), rows)
        for share in SHARES
    ]
    return float(SHARES[int(np.argmin(losses))])
