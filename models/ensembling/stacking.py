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

from models.ensembling.blending import BlendSettings, mean_over_repeats, nested
from models.ensembling.calibration import nested_temperature, scale, temperature
from models.ensembling.checks import check_folds, check_members
from models.ensembling.combiners import (
    Combiner,
    MeanOf,
    Stacked,
    Tempered,
    Weighted,
    stacker_inputs,
)
from models.ensembling.goal import Goal
from models.estimators.fold_models import FoldModelSettings
from models.fold_data import FoldData
from models.target import Target

SEEDS = (0,)  # a stacker has one model per fold


@dataclass(frozen=True)
class EnsembleInputs:
    """What candidates are computed from.

    Attributes:
        oof: `(n_members, n_rows, n_columns)` out-of-fold predictions.
        test: `(n_members, n_test, n_columns)`.
        goal: What is predicted, and the metric that scores each fold.
        fold_of_row: `(n_rows,)` or `(n_repeats, n_rows)`, the fold that holds each row out; -1
            where none does.
        context: Context features of training and test rows, each `(n, d)`, as honest as `oof`.
    """

    oof: np.ndarray
    test: np.ndarray
    goal: Goal
    fold_of_row: np.ndarray
    context: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def has_other_folds(self) -> bool:
        """Whether each fold can be predicted by what others taught: there are two or more."""
        folds = np.atleast_2d(self.fold_of_row)
        return all(len(np.unique(of_repeat[of_repeat >= 0])) > 1 for of_repeat in folds)

    def fold_scores(self, oof: np.ndarray) -> np.ndarray:
        """The metric of a prediction `(n_rows, n_columns)` on each fold: `(n_repeats * n_folds,)`.

        Repeat-major.
        """
        return self.goal.decide(oof, np.atleast_2d(self.fold_of_row)).scores


@dataclass(frozen=True)
class Candidate:
    """One possible prediction of the whole ensemble.

    Attributes:
        name: Shown in reports.
        oof: `(n_rows, n_columns)`; the target of a row has no influence on its own prediction;
            NaN for rows never held out.
        test: `(n_test, n_columns)`.
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
        """Mean score over the folds where the metric is defined."""
        return float(np.nanmean(self.scores))


def make_candidates(
    first: Candidate, stackers: Mapping[str, FoldModelSettings], inputs: EnsembleInputs
) -> list[Candidate]:
    """All candidates, `first` first.

    With stackers also theirs, the mean of `first` and the stackers, and, for classes, each of these
    calibrated by a temperature. A single split has no other fold to train a stacker on.
    """
    if not stackers or not inputs.has_other_folds:
        return [first]
    candidates = [first, *(stack(name, settings, inputs) for name, settings in stackers.items())]
    candidates.append(mean_of(candidates, inputs))
    if not inputs.goal.task.chooses_class:
        return candidates
    return candidates + [tempered(candidate, inputs) for candidate in candidates]


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
    honest = nested(inputs.oof, inputs.goal, inputs.fold_of_row, settings)
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
    oof, goal = inputs.oof, inputs.goal
    assignment = check_folds(inputs.fold_of_row, n_rows=len(goal.target))
    check_members(oof, goal, rows=np.asarray((assignment >= 0).any(axis=0)))
    of_train, of_test = inputs.context or (None, None)
    folds = stacker_folds(stacker_inputs(oof, of_train, goal.task), assignment)
    tests = [stacker_inputs(inputs.test, of_test, goal.task)] * len(folds)
    target = Target(goal.target, goal.task, goal.weight)
    fitted = settings.fit_folds(folds, tests, target, seeds=SEEDS)
    by_repeat = np.full((len(assignment), *oof.shape[1:]), np.nan)
    for index, (data, valid) in enumerate(zip(folds, fitted.valid_predictions, strict=True)):
        by_repeat[index * len(assignment) // len(folds)][data.valid_rows] = valid
    scores = [
        goal.decide(predicted, folds_of[None]).scores
        for predicted, folds_of in zip(by_repeat, assignment, strict=True)
    ]
    combiner = Stacked(name, len(folds), fitted.models, goal.task)
    mean = mean_over_repeats(list(by_repeat))
    return Candidate(name, mean, fitted.test_predictions, np.concatenate(scores), combiner)


def stacker_folds(inputs: Mapping[str, np.ndarray], assignment: np.ndarray) -> list[FoldData]:
    """The training data of the stacker in each fold, repeat-major.

    Args:
        inputs: Of all training rows, from `stacker_inputs`.
        assignment: `(n_repeats, n_rows)`, the fold that holds each row out.
    """
    return [
        FoldData(
            inputs,
            np.flatnonzero((held_out_by != fold) & (held_out_by >= 0)),
            np.flatnonzero(held_out_by == fold),
        )
        for held_out_by in assignment
        for fold in np.unique(held_out_by[held_out_by >= 0])
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
    oof = nested_temperature(candidate.oof, inputs.goal, inputs.fold_of_row).oof
    held_out = ~np.isnan(candidate.oof).any(axis=1)
    of_all = temperature(candidate.oof[held_out], inputs.goal.at(held_out))
    combiner = Tempered(candidate.combiner, of_all)
    name, test = f"{candidate.name}, tempered", scale(candidate.test, of_all)
    return Candidate(name, oof, test, inputs.fold_scores(oof), combiner)
