"""Weighted blends: greedy weights on out-of-fold predictions, and an honest score of the blend.

Weights are chosen by log-loss whatever the competition's metric is: log-loss is smooth, its
standard error can be computed from the rows, and good probabilities give good labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from models.metrics import Metric

SMALLEST_PROBABILITY = 1e-15
SUM_TOLERANCE = 1e-3
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


class BlendError(ValueError):
    """Members that cannot be blended; the message lists every fault."""

    exit_code = 3


@dataclass(frozen=True)
class NestedBlend:
    """A blend in which the label of a row has no influence on the row's own prediction.

    Attributes:
        oof: `(n_rows, n_classes) float64`, the mean over repeats.
        fold_scores: `(n_repeats * n_folds,) float64`, repeat-major.
        weights: `(n_repeats * n_folds, n_members) float64`, the weights that predict each fold.
    """

    oof: np.ndarray
    fold_scores: np.ndarray
    weights: np.ndarray

    @property
    def mean(self) -> float:
        """Mean score over folds."""
        return float(self.fold_scores.mean())

    @property
    def spread(self) -> float:
        """Standard deviation of the score over folds."""
        return float(self.fold_scores.std())


def blend(probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mix members: `(n_members, n_rows, n_classes)` -> `(n_rows, n_classes)`."""
    mixed: np.ndarray = np.tensordot(weights, probabilities, axes=1)
    return mixed


def greedy_weights(
    oof: np.ndarray,
    target: np.ndarray,
    settings: BlendSettings | None = None,
    *,
    members: Sequence[str] | None = None,
) -> np.ndarray:
    """Weights of the members, `(n_members,) float64`, zero or more, sum 1.

    Each of `n_bags` greedy runs sees a share `row_fraction` of the rows. It starts from the best
    members, adds one after another, and replaces the blend it has only by a longer one whose gain
    exceeds `min_gain` standard errors. The mean over runs is then shrunk towards equal weights, by
    the share that does best on the rows that the runs did not see. A member that is no better than
    always predicting the class frequencies gets no weight.

    Args:
        oof: `(n_members, n_rows, n_classes)` out-of-fold probabilities.
        target: `(n_rows,) int64` class index.
        settings: The defaults if None.
        members: Names for error messages.

    Raises:
        BlendError: Invalid probabilities.

    Source: Caruana et al., "Ensemble Selection from Libraries of Models", ICML 2004.
    """
    settings = settings or BlendSettings()
    check_members(oof, target, members=members)
    of_true = _of_true_class(oof, target)
    candidates = _better_than_chance(of_true, target)
    weights = np.zeros(len(oof))
    weights[candidates] = _bagged(of_true[candidates], settings)
    return weights


def nested(
    oof: np.ndarray,
    target: np.ndarray,
    fold_of_row: np.ndarray,
    settings: BlendSettings | None = None,
    *,
    metric: Metric,
    members: Sequence[str] | None = None,
) -> NestedBlend:
    """Blend each fold with weights chosen on the other folds' rows, and score it.

    Args:
        oof: `(n_members, n_rows, n_classes)` out-of-fold probabilities.
        target: `(n_rows,) int64` class index.
        fold_of_row: `(n_rows,)` or `(n_repeats, n_rows)`, the fold that holds each row out.
        settings: The defaults if None.
        metric: Scores each fold.
        members: Names for error messages.

    Raises:
        BlendError: Invalid probabilities, or folds that do not fit them.
    """
    check_members(oof, target, members=members)
    assignment = check_folds(fold_of_row, n_rows=len(target))
    total, scores, weights = np.zeros(oof.shape[1:]), [], []
    for folds in assignment:
        for fold in np.unique(folds):
            held_out = folds == fold
            others = ~held_out
            weights.append(greedy_weights(oof[:, others], target[others], settings))
            mixed = blend(oof[:, held_out], weights[-1])
            scores.append(metric.function(target[held_out], mixed))
            total[held_out] += mixed
    return NestedBlend(total / len(assignment), np.array(scores), np.stack(weights))


def _of_true_class(oof: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`(n_members, n_rows) float64`, all that log-loss depends on, since blending is linear."""
    chosen = oof[:, np.arange(len(target)), target].astype(np.float64)
    return np.clip(chosen, SMALLEST_PROBABILITY, 1.0)


def _better_than_chance(of_true: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Indices of the members that beat the class frequencies; the best one if none does."""
    shares = np.bincount(target) / len(target)
    chance = -np.log(shares[target]).mean()
    losses = -np.log(of_true).mean(axis=1)
    better = np.flatnonzero(losses < chance)
    return better if better.size else np.array([losses.argmin()])


def _bagged(of_true: np.ndarray, settings: BlendSettings) -> np.ndarray:
    """The mean of all greedy runs, shrunk: `(n_members, n_rows)` -> `(n_members,)`."""
    n_members, n_rows = of_true.shape
    if n_members == 1 or n_rows < 4:
        return np.full(n_members, 1 / n_members)
    seen, allowed = _draw(n_members, n_rows, settings)
    runs = [
        _greedy(of_true[:, seen[bags]].swapaxes(0, 1), allowed[bags], settings)
        for bags in _chunks(settings.n_bags, n_members * seen.shape[1])
    ]
    weights = np.concatenate(runs)
    share = _trust(of_true, weights, seen) if settings.shrink else 1.0
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


def _greedy(of_true: np.ndarray, allowed: np.ndarray, settings: BlendSettings) -> np.ndarray:
    """The greedy search in every bag: `(B, M, n), (B, M) bool` -> weights `(B, M)`."""
    bags = np.arange(len(of_true))
    counts = _start(of_true, allowed)
    total = (counts[:, None, :] @ of_true)[:, 0]  # (B, n), sum over the drawn members
    kept, kept_loss = counts, -np.log(total / counts.sum(axis=1, keepdims=True))
    for _ in range(settings.n_steps):
        size = counts.sum(axis=1) + 1
        logs = np.log(total[:, None] + of_true).sum(axis=2)  # (B, M)
        choice = np.where(allowed, logs, -np.inf).argmax(axis=1)
        counts = counts + np.eye(counts.shape[1])[choice]
        total = total + of_true[bags, choice]
        loss = np.log(size)[:, None] - np.log(total)  # (B, n)
        better = _gain(kept_loss, loss, settings.min_gain)
        kept = np.where(better[:, None], counts, kept)
        kept_loss = np.where(better[:, None], loss, kept_loss)
    weights: np.ndarray = kept / kept.sum(axis=1, keepdims=True)
    return weights


def _start(of_true: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Start from the k best members, with the best k: counts `(B, M) float64`."""
    losses = np.where(allowed, -np.log(of_true).mean(axis=2), np.inf)
    rank = losses.argsort(axis=1, kind="stable").argsort(axis=1)
    prefixes = rank[:, None, :] <= np.arange(of_true.shape[1])[:, None]  # (B, k, M)
    sizes = prefixes.sum(axis=2, keepdims=True)
    mixed = -np.log(prefixes @ of_true / sizes).mean(axis=2)  # (B, k)
    possible = np.arange(of_true.shape[1]) < allowed.sum(axis=1, keepdims=True)
    best = np.where(possible, mixed, np.inf).argmin(axis=1)
    counts: np.ndarray = prefixes[np.arange(len(of_true)), best].astype(np.float64)
    return counts


def _gain(before: np.ndarray, after: np.ndarray, min_gain: float) -> np.ndarray:
    """Whether the loss falls by more than `min_gain` standard errors: two `(B, n)` -> `(B,)`."""
    difference = before - after
    error = difference.std(axis=1) / math.sqrt(before.shape[1])
    better: np.ndarray = difference.mean(axis=1) > np.maximum(min_gain * error, 1e-12)
    return better


def _trust(of_true: np.ndarray, weights: np.ndarray, seen: np.ndarray) -> float:
    """The share of the runs' weights in the blend, 0 to 1, the rest being equal weights.

    Every row is blended by the runs that did not see it, so overfitting does not count as a gain.
    """
    unseen = np.ones((len(weights), of_true.shape[1]))
    np.put_along_axis(unseen, seen, 0.0, axis=1)
    rows = unseen.sum(axis=0) > 0
    row_weights = weights.T @ unseen[:, rows] / unseen[:, rows].sum(axis=0)  # (M, n)
    greedy = (row_weights * of_true[:, rows]).sum(axis=0)
    equal = of_true[:, rows].mean(axis=0)
    gains = [np.log(share * greedy + (1 - share) * equal).mean() for share in SHARES]
    return float(SHARES[int(np.argmax(gains))])


def check_members(
    oof: np.ndarray, target: np.ndarray, *, members: Sequence[str] | None = None
) -> None:
    """Check that each member gives every row a probability for each class.

    Raises:
        BlendError: The predictions' shape is wrong, or a member is invalid; each one is named.
    """
    if oof.ndim != 3 or not len(oof) or oof.shape[1] != len(target):
        raise BlendError(
            f"out-of-fold predictions have shape {oof.shape}, "
            f"expected (n_members, {len(target)}, n_classes) to match the target"
        )
    names = members or [f"member {i}" for i in range(len(oof))]
    faults = [f"{name}: {text}" for name, p in zip(names, oof, strict=True) for text in _faults(p)]
    if faults:
        raise BlendError(
            f"cannot blend these members: {'; '.join(faults)}; leave them out with --members"
        )


def _faults(probabilities: np.ndarray) -> Iterator[str]:
    """What is wrong with one member's `(n_rows, n_classes)`; a row counts for its first fault."""
    finite = np.isfinite(probabilities).all(axis=1)
    inside = ((probabilities >= 0) & (probabilities <= 1 + SUM_TOLERANCE)).all(axis=1)
    whole = abs(probabilities.sum(axis=1) - 1) <= SUM_TOLERANCE
    checks = {
        "are not finite": ~finite,
        "are not from 0 to 1": finite & ~inside,
        "do not sum to 1": finite & inside & ~whole,
    }
    for text, wrong in checks.items():
        if wrong.any():
            yield f"{wrong.sum()} rows of probabilities {text}, the first is row {wrong.argmax()}"


def check_folds(fold_of_row: np.ndarray, *, n_rows: int) -> np.ndarray:
    """The assignment as `(n_repeats, n_rows)`.

    Raises:
        BlendError: The number of rows differs, a row is never held out, or there is one fold only.
    """
    assignment = np.atleast_2d(fold_of_row)
    if assignment.shape[1] != n_rows:
        raise BlendError(f"folds are for {assignment.shape[1]} rows, predictions for {n_rows}")
    if (assignment < 0).any() or any(len(np.unique(folds)) < 2 for folds in assignment):
        raise BlendError("a blend needs at least two folds, and every row in one of them")
    return assignment
