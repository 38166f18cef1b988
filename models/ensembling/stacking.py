"""Stacked generalisation: models trained on the members' out-of-fold predictions.

A stacker is an ordinary model whose inputs are the members' log-probabilities. It is trained in
the same folds, so its prediction of a row never saw the row's fold, and its score is comparable
with that of a nested blend.

Source: Wolpert, "Stacked Generalization", Neural Networks, 1992.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.data import FoldData
from models.ensembling.blending import BlendSettings, check_folds, check_members, nested
from models.ensembling.calibration import nested_temperature, scale, temperature
from models.ensembling.combiners import (
    Combiner,
    MeanOf,
    Stacked,
    Tempered,
    Weighted,
    stacker_inputs,
)
from models.estimators.fold_models import FoldModelSettings
from models.metrics import Metric

SEEDS = (0,)  # a stacker has one model per fold


@dataclass(frozen=True)
class EnsembleInputs:
    """What candidates are computed from.

    Attributes:
        oof: `(n_members, n_rows, n_classes)` out-of-fold probabilities.
        test: `(n_members, n_test, n_classes)`.
        target: `(n_rows,) int64` class index.
        fold_of_row: `(n_rows,)` or `(n_repeats, n_rows)`, the fold that holds each row out.
        metric: Scores each fold.
        context: Context features of training and test rows, each `(n, d)`, as honest as `oof`.
    """

    oof: np.ndarray
    test: np.ndarray
    target: np.ndarray
    fold_of_row: np.ndarray
    metric: Metric
    context: tuple[np.ndarray, np.ndarray] | None = None

    def fold_scores(self, oof: np.ndarray) -> np.ndarray:
        """The metric of a prediction `(n_rows, n_classes)` on each fold: `(n_repeats * n_folds,)`.

        Repeat-major.
        """
        scores = [
            self.metric.function(self.target[held_out_by == fold], oof[held_out_by == fold])
            for held_out_by in np.atleast_2d(self.fold_of_row)
            for fold in np.unique(held_out_by)
        ]
        return np.array(scores)


@dataclass(frozen=True)
class Candidate:
    """One possible prediction of the whole ensemble.

    Attributes:
        name: Shown in reports.
        oof: `(n_rows, n_classes)`; the label of a row has no influence on its own prediction.
        test: `(n_test, n_classes)`.
        scores: `(n_repeats * n_folds,)` the metric on each fold, repeat-major.
        combiner: Computes `test` from the members' test predictions, and predicts new rows.
    """

    name: str
    oof: np.ndarray
    test: np.ndarray
    scores: np.ndarray
    combiner: Combiner

    @property
    def mean(self) -> float:
        """Mean score over folds."""
        return float(self.scores.mean())


def make_candidates(
    first: Candidate, stackers: Mapping[str, FoldModelSettings], inputs: EnsembleInputs
) -> list[Candidate]:
    """All candidates, `first` first.

    With stackers also theirs, the mean of `first` and the stackers, and each of these calibrated
    by a temperature.
    """
    if not stackers:
        return [first]
    candidates = [first, *(stack(name, settings, inputs) for name, settings in stackers.items())]
    candidates.append(mean_of(candidates, inputs))
    return candidates + [tempered(candidate, inputs) for candidate in candidates]


def best_of(candidates: Sequence[Candidate], metric: Metric) -> Candidate:
    """The candidate with the best mean score; of equals, the first."""
    best = candidates[0]
    for candidate in candidates[1:]:
        best = candidate if metric.is_better(candidate.mean, best.mean) else best
    return best


def weighted_mean(
    name: str, combiner: Weighted, inputs: EnsembleInputs, settings: BlendSettings | None = None
) -> Candidate:
    """The weighted blend; each fold is predicted and scored with weights of the other folds.

    Args:
        name: The candidate's.
        combiner: With the weights that were chosen on all rows.
        inputs: The members' predictions.
        settings: How weights are chosen; the defaults if None.

    Raises:
        BlendError: Invalid probabilities, or folds that do not fit them.
    """
    honest = nested(inputs.oof, inputs.target, inputs.fold_of_row, settings, metric=inputs.metric)
    test = combiner.predict(inputs.test)
    return Candidate(name, honest.oof, test, honest.fold_scores, combiner)


def stack(name: str, settings: FoldModelSettings, inputs: EnsembleInputs) -> Candidate:
    """Train a stacker in every fold.

    Args:
        name: The stacker's.
        settings: Which model, and how.
        inputs: The members' predictions.

    Raises:
        BlendError: Invalid probabilities, or folds that do not fit them.
    """
    oof, target = inputs.oof, inputs.target
    check_members(oof, target)
    assignment = check_folds(inputs.fold_of_row, n_rows=len(target))
    of_train, of_test = inputs.context or (None, None)
    folds = stacker_folds(stacker_inputs(oof, of_train), assignment)
    tests = [stacker_inputs(inputs.test, of_test)] * len(folds)
    fitted = settings.fit_folds(folds, tests, target, n_classes=oof.shape[2], seeds=SEEDS)
    total, scores = np.zeros(oof.shape[1:]), []
    for data, valid in zip(folds, fitted.valid_probabilities, strict=True):
        total[data.valid_rows] += valid
        scores.append(inputs.metric.function(target[data.valid_rows], valid))
    combiner = Stacked(name, len(folds), fitted.models)
    mean = total / len(assignment)
    return Candidate(name, mean, fitted.test_probabilities, np.array(scores), combiner)


def stacker_folds(inputs: Mapping[str, np.ndarray], assignment: np.ndarray) -> list[FoldData]:
    """The training data of the stacker in each fold, repeat-major.

    Args:
        inputs: Of all training rows, from `stacker_inputs`.
        assignment: `(n_repeats, n_rows)`, the fold that holds each row out.
    """
    return [
        FoldData(inputs, np.flatnonzero(held_out_by != f), np.flatnonzero(held_out_by == f))
        for held_out_by in assignment
        for f in np.unique(held_out_by)
    ]


def mean_of(candidates: Sequence[Candidate], inputs: EnsembleInputs) -> Candidate:
    """The mean of several candidates, as a candidate."""
    name = " + ".join(candidate.name for candidate in candidates)
    oof = np.mean([candidate.oof for candidate in candidates], axis=0)
    test = np.mean([candidate.test for candidate in candidates], axis=0)
    combiner = MeanOf(tuple(candidate.combiner for candidate in candidates))
    return Candidate(name, oof, test, inputs.fold_scores(oof), combiner)


def tempered(candidate: Candidate, inputs: EnsembleInputs) -> Candidate:
    """The candidate, calibrated by the temperature that suits its out-of-fold rows.

    Each fold is scaled by the temperature of the other folds' rows, the test rows by that of all
    rows.
    """
    oof = nested_temperature(candidate.oof, inputs.target, inputs.fold_of_row).oof
    of_all = temperature(candidate.oof, inputs.target)
    combiner = Tempered(candidate.combiner, of_all)
    name, test = f"{candidate.name}, tempered", scale(candidate.test, of_all)
    return Candidate(name, oof, test, inputs.fold_scores(oof), combiner)
