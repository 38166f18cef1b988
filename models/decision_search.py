"""Searches for the numbers of a decision rule; each candidate is judged by its confusion matrix."""

from __future__ import annotations

import numpy as np

from models.confusion import Score, confusion

N_CUTS = 200  # thresholds that are tried: quantiles of the predictions
N_PASSES = 3
STEPS = np.exp(np.linspace(-1.2, 1.2, 13))  # factors of a class that are tried in the first pass
SMALLEST_SHARE = 1e-3  # of a class, where its inverse is the start


def search_threshold(
    score: Score, target: np.ndarray, probability: np.ndarray, weight: np.ndarray | None
) -> float:
    """The probability from which on the second class is the best answer.

    Of equally good thresholds the middle of the widest run is taken, since new rows lie between.

    Args:
        score: Of confusion matrices `(..., 2, 2)`; greater is better.
        target: `(n,) int64` of 0 and 1.
        probability: `(n,)` of 1.
        weight: `(n,)` or None.
    """
    cuts = _cuts(probability)
    weights = np.ones(len(target)) if weight is None else weight
    place = np.searchsorted(cuts, probability, side="right")  # cuts at or below the probability
    counts = np.zeros((2, len(cuts) + 1))
    np.add.at(counts, (target, place), weights)
    below = counts.cumsum(axis=1)[:, :-1]  # (2, n_cuts): rows that the cut leaves in class 0
    matrices = np.stack([below, counts.sum(axis=1, keepdims=True) - below], axis=-1)
    scores = score(np.moveaxis(matrices, 1, 0))
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    runs = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
    widest = max(runs, key=lambda run: cuts[run[-1]] - cuts[run[0]])
    return float((cuts[widest[0]] + cuts[widest[-1]]) / 2)


def search_factors(
    score: Score, target: np.ndarray, probabilities: np.ndarray, weight: np.ndarray | None
) -> np.ndarray:
    """Factors of the classes' probabilities, `(n_classes,)`, by coordinate search.

    It starts from factors of 1 or from the inverse shares of the classes, whichever is better.

    Args:
        score: Of confusion matrices; greater is better.
        target: `(n,) int64` class index.
        probabilities: `(n, n_classes)`.
        weight: `(n,)` or None.
    """
    n_classes = probabilities.shape[1]

    def value(factors: np.ndarray) -> float:
        labels = (probabilities * factors).argmax(axis=1)
        return float(score(confusion(target, labels, n_classes, weight)))

    shares = np.bincount(target, weights=weight, minlength=n_classes) / len(target)
    starts = [np.ones(n_classes), 1 / np.maximum(shares, SMALLEST_SHARE)]
    best = max(starts, key=value)
    best_value = value(best)
    for number in range(N_PASSES):
        for at in range(n_classes):
            for step in STEPS ** (1 / 2**number):
                tried = best.copy()
                tried[at] *= step
                if (found := value(tried)) > best_value:
                    best, best_value = tried, found
    factors: np.ndarray = best / best.max()
    return factors


def search_borders(
    score: Score,
    target: np.ndarray,
    position: np.ndarray,
    n_classes: int,
    weight: np.ndarray | None,
) -> np.ndarray:
    """Borders between neighbouring labels, `(n_classes - 1,)` ascending, by coordinate search.

    It starts from rounding or from the borders that give each label its share, whichever is better.

    Args:
        score: Of confusion matrices; greater is better.
        target: `(n,) int64` position of the label.
        position: `(n,)` predicted position.
        n_classes: Labels.
        weight: `(n,)` or None.
    """
    edges = _cuts(position)
    weights = np.ones(len(target)) if weight is None else weight
    place = np.searchsorted(edges, position, side="right")
    counts = np.zeros((n_classes, len(edges) + 1))
    np.add.at(counts, (target, place), weights)
    below = np.concatenate([np.zeros((n_classes, 1)), counts.cumsum(axis=1)], axis=1)

    def value(at: np.ndarray) -> float:
        ends = np.concatenate([[0], at + 1, [len(edges) + 1]])
        return float(score(below[:, ends[1:]] - below[:, ends[:-1]]))

    at = max(_starts(edges, counts, n_classes), key=value)
    best = value(at)
    for _ in range(N_PASSES):
        for border in range(n_classes - 1):
            low = at[border - 1] if border else 0
            high = at[border + 1] if border < n_classes - 2 else len(edges) - 1
            for candidate in range(low, high + 1):
                tried = at.copy()
                tried[border] = candidate
                if (found := value(tried)) > best + 1e-12:
                    at, best = tried, found
    borders: np.ndarray = edges[at]
    return borders


def _starts(edges: np.ndarray, counts: np.ndarray, n_classes: int) -> list[np.ndarray]:
    """Rounding, and the borders that give each label as many rows as it has."""
    halves = np.arange(n_classes - 1) + 0.5
    rounding = np.clip(np.searchsorted(edges, halves), 0, len(edges) - 1)
    wanted = counts.sum(axis=1).cumsum()[:-1]
    up_to = counts.sum(axis=0).cumsum()
    shares = np.clip(np.searchsorted(up_to, wanted), 0, len(edges) - 1)
    return [rounding, shares]


def _cuts(values: np.ndarray) -> np.ndarray:
    """Numbers between the distinct values, at most `N_CUTS` of them, ascending."""
    distinct = np.unique(values)
    if len(distinct) == 1:
        return distinct.astype(np.float64)
    middles: np.ndarray = (distinct[1:] + distinct[:-1]) / 2
    if len(middles) <= N_CUTS:
        return middles
    return np.unique(np.quantile(values, np.linspace(0, 1, N_CUTS + 2)[1:-1]))
