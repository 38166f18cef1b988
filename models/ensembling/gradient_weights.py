"""Weights by the gradient of a loss: log-loss for probabilities, the metric's own for values."""

from __future__ import annotations

import numpy as np

from models.ensembling.goal import Goal
from models.ensembling.search_objectives import RowLoss, row_loss_of

N_ITERATIONS = 60
TOLERANCE = 1e-9
MOST_NEGATIVE = 0.5  # how far below zero a weight may fall, where negative ones are allowed


def gradient_weights(oof: np.ndarray, goal: Goal, *, negative: bool = False) -> np.ndarray:
    """The weights with the least loss, `(n_members,) float64` with sum 1.

    The search is L-BFGS over the exponents of a softmax, or, with negative weights, over their
    differences from equal weights.

    Args:
        oof: `(n_members, n_rows, n_columns)` out-of-fold predictions.
        goal: What is predicted.
        negative: Whether weights may be negative.
    """
    from scipy.optimize import minimize

    n_members = len(oof)
    if n_members == 1:
        return np.ones(1)
    losses = row_loss_of(oof, goal)

    def of(place: np.ndarray) -> tuple[float, np.ndarray]:
        weights = _weights(place, negative=negative)
        loss, by_weight = _loss(losses, weights)
        if negative:
            return loss, by_weight - by_weight.mean()
        return loss, weights * (by_weight - weights @ by_weight)

    found = minimize(
        of,
        np.zeros(n_members),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-MOST_NEGATIVE, 1.0)] * n_members if negative else None,
        options={"maxiter": N_ITERATIONS, "ftol": TOLERANCE},
    )
    return _weights(found.x, negative=negative)


def _weights(place: np.ndarray, *, negative: bool) -> np.ndarray:
    """Weights with sum 1 from the place of the search; zeros are equal weights."""
    if negative:
        return np.asarray(1 / len(place) + place - place.mean())
    powers = np.exp(place - place.max())
    return np.asarray(powers / powers.sum())


def _loss(losses: RowLoss, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean loss, and its derivative by each weight."""
    n_members, n_rows, _ = losses.members.shape
    flat = losses.members.reshape(n_members, -1)
    mixed = (weights.astype(np.float32) @ flat).reshape(n_rows, -1).astype(np.float64)
    rows = np.arange(n_rows)
    slope = losses.slope(mixed, rows)
    weight = losses.mixable.weight
    total = n_rows if weight is None else float(weight.sum())
    by_weight = -(flat @ slope.astype(np.float32).ravel()).astype(np.float64) / total
    n_columns = losses.members.shape[2] if losses.mixable.answers is None else 1
    return -losses.score(mixed, rows), by_weight / n_columns
