"""The second level: models that are trained on what the members say of rows held out from them.

A stacker is an ordinary model whose inputs are the members' out-of-fold log-probabilities. It is
trained in the same folds: what it says of a row comes from a model that saw neither the row nor
its fold, so that its score can be held against that of a nested blend.

Source: Wolpert, "Stacked Generalization", Neural Networks, 1992.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.data import FoldData
from models.ensembling.blending import check_folds, check_members
from models.ensembling.calibration import nested_temperature, scale, temperature
from models.ensembling.combiners import MeanOf, Models, Recipe, Stacked, Tempered, stacker_inputs
from models.estimators.persistence import Estimators
from models.estimators.sklearn_models import EstimatorSettings, fit_estimators, fit_one
from models.estimators.trees import TreesSettings, fit_trees
from models.metrics import Metric

StackerSettings = TreesSettings | EstimatorSettings
Kin = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Way:
    """One way to make a single prediction of all members'.

    Attributes:
        oof: `(n_rows, n_classes)`, no row having had a say in its own prediction.
        test: `(n_test, n_classes)`.
        scores: `(n_repeats * n_folds,)` the metric on each fold, repeat-major.
        recipe: makes `test` of what the members say of the test rows, and the like of new rows.
    """

    name: str
    oof: np.ndarray
    test: np.ndarray
    scores: np.ndarray
    recipe: Recipe

    @property
    def mean(self) -> float:
        """Mean score over folds."""
        return float(self.scores.mean())


def all_ways(
    first: Way,
    oof: np.ndarray,
    test: np.ndarray,
    target: np.ndarray,
    fold_of_row: np.ndarray,
    stackers: Mapping[str, StackerSettings],
    *,
    metric: Metric,
    kin: Kin | None = None,
) -> list[Way]:
    """The first way; with stackers also theirs, the mean of all, and each at its temperature."""
    if not stackers:
        return [first]
    ways = [first]
    for name, settings in stackers.items():
        ways.append(stack(name, oof, test, target, fold_of_row, settings, metric=metric, kin=kin))
    ways.append(mean_of(ways, target, fold_of_row, metric=metric))
    return ways + [tempered(way, target, fold_of_row, metric=metric) for way in ways]


def best_of(ways: Sequence[Way], metric: Metric) -> Way:
    """The way with the best mean score; the earlier one where two are equal."""
    best = ways[0]
    for way in ways[1:]:
        best = way if metric.is_better(way.mean, best.mean) else best
    return best


def stack(
    name: str,
    oof: np.ndarray,
    test: np.ndarray,
    target: np.ndarray,
    fold_of_row: np.ndarray,
    settings: StackerSettings,
    *,
    metric: Metric,
    kin: Kin | None = None,
) -> Way:
    """Train a stacker in every fold.

    Args:
        name: of the way.
        oof: `(n_members, n_rows, n_classes)` out-of-fold probabilities.
        test: `(n_members, n_test, n_classes)`.
        target: `(n_rows,) int64` class index.
        fold_of_row: `(n_rows,)` or `(n_repeats, n_rows)`, the fold that holds each row out.
        settings: which model, and how.
        metric: scores each fold.
        kin: further inputs of training and test rows, `(n, d)`, as honest as `oof`.

    Raises:
        BlendError: probabilities that are none, or folds that do not fit them.
    """
    check_members(oof, target)
    assignment = check_folds(fold_of_row, n_rows=len(target))
    of_train, of_test = kin or (None, None)
    folds = stacker_folds(stacker_inputs(oof, of_train), assignment)
    tests = stacker_inputs(test, of_test)
    valid, made, models = _fit(folds, tests, target, settings, n_classes=oof.shape[2])
    total, scores = np.zeros(oof.shape[1:]), []
    for data, own in zip(folds, valid, strict=True):
        total[data.valid_rows] += own
        scores.append(metric.function(target[data.valid_rows], own))
    recipe = Stacked(name, len(folds), models)
    return Way(name, total / len(assignment), made, np.array(scores), recipe)


def stacker_folds(inputs: Mapping[str, np.ndarray], assignment: np.ndarray) -> list[FoldData]:
    """What the stacker of each fold is trained on, repeat-major.

    Args:
        inputs: of all training rows, from `stacker_inputs`.
        assignment: `(n_repeats, n_rows)`, the fold that holds each row out.
    """
    return [
        FoldData(inputs, np.flatnonzero(held_out_by != f), np.flatnonzero(held_out_by == f))
        for held_out_by in assignment
        for f in np.unique(held_out_by)
    ]


def stacker_trainer(
    settings: EstimatorSettings, folds: Sequence[FoldData], target: np.ndarray
) -> Callable[[int, int], Any]:
    """Gives a fold's stacker, trained on that fold's rows."""
    return lambda fold, seed: fit_one(settings, seed, folds[fold], target)


def _fit(
    folds: Sequence[FoldData],
    test: Mapping[str, np.ndarray],
    target: np.ndarray,
    settings: StackerSettings,
    *,
    n_classes: int,
) -> tuple[list[np.ndarray], np.ndarray, Models]:
    """Each fold's stacker on its held-out rows, all of them on the test rows, and they."""
    tests, seeds = [test] * len(folds), (0,)
    if isinstance(settings, TreesSettings):
        trees = fit_trees(folds, tests, target, settings, n_classes=n_classes, seeds=seeds)
        valid = [r.valid_probabilities for r in trees.replicas]
        return valid, trees.test_probabilities, trees.boosters
    other = fit_estimators(folds, tests, target, settings, n_classes=n_classes, seeds=seeds)
    kept = Estimators.of(settings, other.replicas, stacker_trainer(settings, folds, target))
    return [r.valid_probabilities for r in other.replicas], other.test_probabilities, kept


def mean_of(
    ways: Sequence[Way], target: np.ndarray, fold_of_row: np.ndarray, *, metric: Metric
) -> Way:
    """The mean of several ways, a way of its own."""
    name = " + ".join(way.name for way in ways)
    oof, test = (np.mean([getattr(w, part) for w in ways], axis=0) for part in ("oof", "test"))
    recipe = MeanOf(tuple(way.recipe for way in ways))
    return Way(name, oof, test, fold_scores(oof, target, fold_of_row, metric=metric), recipe)


def tempered(way: Way, target: np.ndarray, fold_of_row: np.ndarray, *, metric: Metric) -> Way:
    """The way's probabilities, made as sure as its out-of-fold rows say that they should be.

    Each fold has the temperature of the other folds' rows, the test rows that of all rows.
    """
    oof = nested_temperature(way.oof, target, fold_of_row).oof
    of_all = temperature(way.oof, target)
    scores = fold_scores(oof, target, fold_of_row, metric=metric)
    recipe = Tempered(way.recipe, of_all)
    return Way(f"{way.name}, tempered", oof, scale(way.test, of_all), scores, recipe)


def fold_scores(
    oof: np.ndarray, target: np.ndarray, fold_of_row: np.ndarray, *, metric: Metric
) -> np.ndarray:
    """The metric on each fold's rows, `(n_repeats * n_folds,)`."""
    return np.array(
        [
            metric.function(target[held_out_by == fold], oof[held_out_by == fold])
            for held_out_by in np.atleast_2d(fold_of_row)
            for fold in np.unique(held_out_by)
        ]
    )
