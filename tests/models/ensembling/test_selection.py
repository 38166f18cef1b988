"""The best member, chosen without the fold it predicts; and how sure a difference is."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.ensembling.goal import Goal
from models.ensembling.selection import BEST_MEMBER, best_member, choose, standard_error
from models.ensembling.stacking import EnsembleInputs
from models.metrics import METRICS
from models.tasks import Task

N_ROWS, N_FOLDS = 400, 4
TARGET = np.random.default_rng(0).normal(size=N_ROWS)
FOLDS = np.arange(N_ROWS) % N_FOLDS


def inputs_of(*errors, target=TARGET):
    """Members that are off by these errors; each test row is the member's number."""
    oof = np.stack([(target + error)[:, None] for error in errors])
    test = np.arange(len(errors), dtype=float)[:, None, None] * np.ones((1, 3, 1))
    goal = Goal(target, Task("regression"), METRICS["rmse"])
    return EnsembleInputs(oof, test, goal, FOLDS)


def noise(scale, seed):
    return np.random.default_rng(seed).normal(scale=scale, size=N_ROWS)


def test_the_better_member_predicts_everything():
    inputs = inputs_of(noise(1.0, 1), noise(0.2, 2))
    best = best_member(inputs)
    np.testing.assert_array_equal(best.oof, inputs.oof[1])
    np.testing.assert_array_equal(best.test, np.ones((3, 1)))
    np.testing.assert_array_equal(best.combiner.weights, [0, 1])


def test_a_fold_is_not_predicted_by_the_member_that_is_best_on_it_alone():
    lucky = np.where(FOLDS == 0, 0.0, noise(1.0, 3))  # perfect on one fold, poor on the others
    inputs = inputs_of(lucky, noise(0.6, 4))
    best = best_member(inputs)
    np.testing.assert_array_equal(best.oof[FOLDS == 0], inputs.oof[1, FOLDS == 0])
    assert best.scores[0] == pytest.approx(
        METRICS["rmse"](TARGET[FOLDS == 0], inputs.oof[1, FOLDS == 0])
    )


def test_members_of_equal_worth_score_what_they_are_worth():
    """Chosen on the rows that it is scored on, the best of many would look better than it is."""
    members = [noise(1.0, seed) for seed in range(10, 40)]
    inputs = inputs_of(*members)
    chosen_on_them = min(METRICS["rmse"](TARGET, member) for member in inputs.oof)
    assert best_member(inputs).mean > chosen_on_them
    assert best_member(inputs).mean == pytest.approx(1.0, abs=0.06)


def test_rows_that_no_fold_holds_out_stay_unknown():
    inputs = inputs_of(noise(1.0, 1), noise(0.2, 2))
    folds = np.where(np.arange(N_ROWS) < 100, -1, FOLDS)
    oof = np.where((folds < 0)[None, :, None], np.nan, inputs.oof)
    best = best_member(EnsembleInputs(oof, inputs.test, inputs.goal, folds))
    assert np.isnan(best.oof[:100]).all()
    assert np.isfinite(best.oof[100:]).all()


def test_the_best_member_is_taken_where_it_is_better_by_more_than_the_noise():
    inputs = inputs_of(noise(1.0, 1), noise(0.2, 2))
    alone, metric = best_member(inputs), METRICS["rmse"]
    for gains, name in (((0.1, 0.2, 0.1, 0.2), BEST_MEMBER), ((0.3, -0.2, 0.3, -0.2), "blend")):
        blend = dataclasses.replace(alone, name="blend", scores=alone.scores + np.array(gains))
        assert choose([blend, alone], metric, N_FOLDS).name == name
    worse = dataclasses.replace(alone, name="blend", scores=alone.scores - 0.1)
    assert choose([worse, alone], metric, N_FOLDS) is worse


def test_the_error_of_a_difference_allows_for_training_rows_that_splits_share():
    differences = np.array([0.1, 0.3, 0.2, 0.2, 0.2])
    naive = differences.std(ddof=1) / np.sqrt(5)
    assert standard_error(differences, 5) == pytest.approx(naive * np.sqrt(1 + 5 / 4))
    assert standard_error(np.append(differences, np.nan), 5) == standard_error(differences, 5)
    assert standard_error(differences[:1], 5) is None
