"""Choose between candidates: the best member alone, the best of all, and how much better it is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from models.ensembling.blending import mean_over_repeats
from models.ensembling.combiners import Weighted
from models.ensembling.stacking import Candidate, EnsembleInputs
from models.metrics import Metric

BEST_MEMBER = "best member"


def best_member(inputs: EnsembleInputs) -> Candidate:
    """The member with the best score, chosen for each fold on the other folds alone.

    So it is as honest as a nested blend: the member that happens to be best on a fold is not the
    one that predicts it.

    Args:
        inputs: Two members or more, and two folds or more.
    """
    goal, assignment = inputs.goal, np.atleast_2d(inputs.fold_of_row)
    n_repeats, n_folds = len(assignment), int(assignment.max()) + 1
    by_member = np.stack([inputs.fold_scores(member) for member in inputs.oof])
    scores = by_member.reshape(len(inputs.oof), n_repeats, n_folds)
    by_repeat, nested = [], []
    for repeat, folds in enumerate(assignment):
        predicted = np.full(inputs.oof.shape[1:], np.nan)
        for fold in range(n_folds):
            at = _best(np.delete(scores[:, repeat], fold, axis=1), goal.metric)
            predicted[folds == fold] = inputs.oof[at, folds == fold]
            nested.append(scores[at, repeat, fold])
        by_repeat.append(predicted)
    weights = np.eye(len(inputs.oof))[_best(by_member, goal.metric)]
    combiner = Weighted(weights)
    oof = mean_over_repeats(by_repeat)
    return Candidate(BEST_MEMBER, oof, combiner.predict(inputs.test), np.array(nested), combiner)


def _best(scores: np.ndarray, metric: Metric) -> int:
    """The member with the best mean over splits: `(n_members, n_splits)`; of equals, the first."""
    means = np.nanmean(scores, axis=1) if np.isfinite(scores).any() else np.zeros(len(scores))
    signed = means if metric.greater_is_better else -means
    return int(np.nan_to_num(signed, nan=-np.inf).argmax())


def best_of(candidates: Sequence[Candidate], metric: Metric) -> Candidate:
    """The candidate with the best mean score; of equals, the first."""
    best = candidates[0]
    for candidate in candidates[1:]:
        best = candidate if metric.is_better(candidate.mean, best.mean) else best
    return best


def choose(candidates: Sequence[Candidate], metric: Metric, n_folds: int) -> Candidate:
    """The candidate that predicts the test rows.

    It is the one with the best mean score, but the best member alone must be better than the others
    by more than a standard error: a mean of several models is the safer one where they are level.

    Args:
        candidates: At least one.
        metric: The competition's.
        n_folds: Folds per repeat.
    """
    combined = best_of([one for one in candidates if one.name != BEST_MEMBER], metric)
    for alone in (one for one in candidates if one.name == BEST_MEMBER):
        sign = 1 if metric.greater_is_better else -1
        gains = sign * (alone.scores - combined.scores)
        known = gains[np.isfinite(gains)]
        if len(known) and known.mean() > (standard_error(gains, n_folds) or 0.0):
            return alone
    return combined


def standard_error(differences: np.ndarray, n_folds: int) -> float | None:
    """Of the mean difference between two models over the splits of repeated cross-validation.

    The training sets of two splits share rows, so the variance of the mean is larger than that of
    independent differences.

    Args:
        differences: `(n_splits,)`; NaN where the metric is undefined.
        n_folds: Folds per repeat.

    Returns:
        None with fewer than two splits.

    Source: Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003.
    """
    known = differences[np.isfinite(differences)]
    if len(known) < 2 or n_folds < 2:
        return None
    return float(known.std(ddof=1) * math.sqrt(1 / len(known) + 1 / (n_folds - 1)))
