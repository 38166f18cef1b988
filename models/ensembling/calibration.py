"""Temperature scaling: one number that corrects over- or under-confident probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.ensembling.blending import mean_over_repeats
from models.ensembling.checks import check_folds, check_members
from models.ensembling.goal import SMALLEST_PROBABILITY, Goal

LARGEST_TEMPERATURE = 10.0
N_ITERATIONS = 50
FLAT = 1e-10  # slope of the mean log-loss at which the search ends


@dataclass(frozen=True)
class NestedTemperature:
    """Probabilities scaled by temperatures that the row's own label did not influence.

    Attributes:
        oof: `(n_rows, n_classes) float64`, the mean over repeats; NaN for rows never held out.
        temperatures: `(n_repeats * n_folds,) float64`, repeat-major, each chosen on the other
            folds.
    """

    oof: np.ndarray
    temperatures: np.ndarray


def temperature(oof: np.ndarray, goal: Goal) -> float:
    """The temperature with the lowest log-loss, 0.1 to 10; above 1 makes the model less confident.

    Log-loss is convex in the inverse temperature: Newton's steps, within a bracket that shrinks
    around the minimum.

    Args:
        oof: `(n_rows, n_classes)` out-of-fold probabilities.
        goal: The rows' classes.

    Raises:
        BlendError: Invalid probabilities.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    check_members(oof[None], goal, members=["probabilities"])
    logits = _logits(oof)
    of_true = logits[np.arange(len(goal.target)), goal.target].mean()
    low, high, inverse = 1 / LARGEST_TEMPERATURE, LARGEST_TEMPERATURE, 1.0
    for _ in range(N_ITERATIONS):
        slope, curvature = _derivatives(logits, of_true, inverse)
        if abs(slope) < FLAT:
            break
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        step = inverse - slope / curvature if curvature > 0 else np.inf
        inverse = step if low < step < high else (low + high) / 2
    return float(1 / inverse)


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities `(n_rows, n_classes)` at that temperature, in the same shape."""
    return _softmax(_logits(probabilities) / temperature)


def nested_temperature(oof: np.ndarray, goal: Goal, fold_of_row: np.ndarray) -> NestedTemperature:
    """Scale each fold by the temperature of the other folds' rows.

    Args:
        oof: `(n_rows, n_classes)` out-of-fold probabilities.
        goal: The rows' classes.
        fold_of_row: `(n_rows,)` or `(n_repeats, n_rows)`, the fold that holds each row out; -1
            where none does.

    Raises:
        BlendError: Invalid probabilities, or folds that do not fit them.
    """
    assignment = check_folds(fold_of_row, n_rows=len(goal.target))
    by_repeat, temperatures = [], []
    for folds in assignment:
        scaled = np.full(oof.shape, np.nan)
        for fold in np.unique(folds[folds >= 0]):
            others = (folds != fold) & (folds >= 0)
            of_others = temperature(oof[others], goal.at(others)) if others.any() else 1.0
            temperatures.append(of_others)
            scaled[folds == fold] = scale(oof[folds == fold], of_others)
        by_repeat.append(scaled)
    return NestedTemperature(mean_over_repeats(by_repeat), np.array(temperatures))


def _logits(probabilities: np.ndarray) -> np.ndarray:
    """Log-probabilities; their softmax gives the probabilities back."""
    return np.log(np.clip(probabilities.astype(np.float64), SMALLEST_PROBABILITY, None))


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _derivatives(logits: np.ndarray, of_true: float, inverse: float) -> tuple[float, float]:
    """First and second derivative of the mean log-loss by the inverse temperature.

    The first is the mean logit under the predicted probabilities minus the true class's logit, the
    second is the variance of the logits.
    """
    probabilities = _softmax(logits * inverse)
    mean = (probabilities * logits).sum(axis=1)
    square = (probabilities * logits**2).sum(axis=1)
    return float(mean.mean() - of_true), float((square - mean**2).mean())
