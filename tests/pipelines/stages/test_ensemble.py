import numpy as np
import pytest

from features.folds import FoldPlan, make_folds
from models.estimators.sklearn_models import LogisticSettings
from models.metrics import METRICS
from pipelines.members.predictions import Predictions
from pipelines.stages import ensemble

N_ROWS, N_TEST = 300, 50


@pytest.fixture
def target():
    return np.random.default_rng(0).integers(0, 2, N_ROWS)


@pytest.fixture
def folds(target):
    return make_folds(target, FoldPlan(n_folds=5, n_repeats=2))


def predictions(name, target, folds, *, noise):
    rng = np.random.default_rng(len(name))
    positive = np.clip((target * 0.6 + 0.2) + rng.normal(scale=noise, size=N_ROWS), 0.02, 0.98)
    oof = np.column_stack([1 - positive, positive])
    test = np.full((N_TEST, 2), 0.5)
    score = METRICS["accuracy"].function
    scores = [score(target[s.valid_rows], oof[s.valid_rows]) for s in folds.splits()]
    return Predictions(name, oof, test, np.array(scores))


def test_the_better_member_weighs_more_and_weights_sum_to_one(toy, target, folds):
    good = predictions("good", target, folds, noise=0.15)
    poor = predictions("poorer", target, folds, noise=0.6)
    blend = ensemble.ensemble(toy, target, folds, [good, poor])
    assert blend.members == ("good", "poorer")
    assert blend.weights[0] > blend.weights[1] >= 0
    assert blend.weights.sum() == pytest.approx(1)


def test_the_score_is_that_of_rows_blended_without_their_fold(toy, target, folds):
    members = [
        predictions("a", target, folds, noise=0.3),
        predictions("bb", target, folds, noise=0.3),
    ]
    blend = ensemble.ensemble(toy, target, folds, members)
    assert blend.scores.shape == (10,)
    assert blend.cv == pytest.approx(blend.scores.mean())
    swapped = target.copy()
    held_out = next(folds.splits()).valid_rows
    swapped[held_out] = 1 - swapped[held_out]
    again = ensemble.ensemble(toy, swapped, folds, members)
    # The labels of a fold have no say in how that fold is blended, only in how it scores.
    assert again.scores[0] == pytest.approx(1 - blend.scores[0])


def test_a_blend_is_read_back_as_it_was_written(toy, target, folds, tmp_path):
    blend = ensemble.ensemble(toy, target, folds, [predictions("a", target, folds, noise=0.3)])
    ensemble.save(blend, tmp_path)
    read = ensemble.load(tmp_path)
    assert (read.members, read.ways, read.way) == (blend.members, blend.ways, blend.way)
    for name in ensemble.ARRAYS:
        np.testing.assert_array_equal(getattr(read, name), getattr(blend, name))


def test_stackers_are_tried_beside_the_blend_and_the_best_way_is_taken(toy, target, folds):
    stackers = {"lines": LogisticSettings(C=0.1)}
    stacked = toy.model_copy(update={"stackers": stackers, "metric": "log_loss"})
    # Both are far too unsure: a line through their logits puts that right.
    members = [predictions(name, target, folds, noise=0.1) for name in ("a", "bb")]
    blend = ensemble.ensemble(stacked, target, folds, members)
    assert blend.ways[:3] == ("blend", "lines", "blend + lines")
    assert blend.way_scores.shape == (6, 10)
    means = dict(zip(blend.ways, blend.way_scores.mean(axis=1), strict=True))
    assert blend.way == min(means, key=means.get)
    assert blend.cv == pytest.approx(means[blend.way])
    assert means[blend.way] < means["blend"] - 0.1
    assert blend.test.shape == (N_TEST, 2)


def test_without_stackers_there_is_one_way(toy, target, folds):
    blend = ensemble.ensemble(toy, target, folds, [predictions("a", target, folds, noise=0.3)])
    assert blend.ways == ("blend",) == (blend.way,)
    np.testing.assert_array_equal(blend.way_scores, blend.scores[None])
