from __future__ import annotations

import numpy as np
import pytest

from models.data import FoldData
from models.estimators.sklearn_models import (
    EstimatorError,
    ExtraTreesSettings,
    LogisticSettings,
    NeighboursSettings,
    fit_estimators,
    fit_one,
    predict,
)

FAMILIES = [ExtraTreesSettings(n_estimators=20), NeighboursSettings(), LogisticSettings()]


def make_folds(n_rows=240):
    rng = np.random.default_rng(0)
    target = np.arange(n_rows) % 3
    x = (rng.normal(size=(n_rows, 4)) + 2 * target[:, None]).astype(np.float32)
    fold_of_row = np.arange(n_rows) // 3 % 2
    folds = [
        FoldData({"x_num": x}, np.flatnonzero(fold_of_row != f), np.flatnonzero(fold_of_row == f))
        for f in range(2)
    ]
    return folds, target


def fitted(settings, folds, target, **options):
    tests = [{"x_num": fold.inputs["x_num"][:7]} for fold in folds]
    given = {"n_classes": 3, "seeds": (0, 1), **options}
    return fit_estimators(folds, tests, target, settings, **given)


@pytest.mark.parametrize("settings", FAMILIES, ids=lambda s: type(s).__name__)
def test_each_family_learns(settings):
    folds, target = make_folds()
    made = fitted(settings, folds, target)
    assert [(r.fold, r.seed) for r in made.replicas] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for replica in made.replicas:
        truth = target[folds[replica.fold].valid_rows]
        assert (replica.valid_probabilities.argmax(axis=1) == truth).mean() > 0.8
        np.testing.assert_allclose(replica.valid_probabilities.sum(axis=1), 1, atol=1e-6)
    assert made.test_probabilities.shape == (7, 3)


def test_held_out_rows_are_not_trained_on():
    """A tree that memorises its rows cannot predict random labels."""
    folds, _ = make_folds()
    random = np.random.default_rng(1).integers(0, 3, 240)
    made = fitted(ExtraTreesSettings(n_estimators=20), folds, random)
    hits = [
        (r.valid_probabilities.argmax(axis=1) == random[folds[r.fold].valid_rows]).mean()
        for r in made.replicas
    ]
    assert np.mean(hits) < 0.5


def test_seeds_differ_and_repeat():
    folds, target = make_folds()
    settings = ExtraTreesSettings(n_estimators=5)
    one, again = fitted(settings, folds, target), fitted(settings, folds, target)
    valid = [r.valid_probabilities for r in one.replicas]
    assert not np.array_equal(valid[0], valid[1])
    np.testing.assert_array_equal(one.test_probabilities, again.test_probabilities)


def test_a_class_that_a_fold_lacks_gets_zeros():
    folds, target = make_folds()
    rows = folds[0].train_rows
    lacking = FoldData(folds[0].inputs, rows[target[rows] != 1], folds[0].valid_rows)
    made = fitted(ExtraTreesSettings(n_estimators=5), [lacking], target)
    assert not made.replicas[0].valid_probabilities[:, 1].any()


def test_progress_is_reported_fold_major():
    folds, target = make_folds()
    reported = []
    fitted(NeighboursSettings(), folds, target, on_fold=lambda r: reported.append((r.fold, r.seed)))
    assert reported == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_what_does_not_fit_together_is_an_error():
    folds, target = make_folds()
    tests = [{"x_cat": np.zeros((2, 1), np.int64)}]
    with pytest.raises(EstimatorError, match="2 folds and 1 encoded test tables; 1 encoded tables"):
        fit_estimators(folds, tests, target, NeighboursSettings(), n_classes=3, seeds=(0,))


def test_a_forest_predicts_the_same_bytes_each_time():
    """The threads of scikit-learn would add up the trees in the order in which they finish."""
    folds, target = make_folds()
    estimator = fit_one(ExtraTreesSettings(n_estimators=60), 0, folds[0], target)
    x = np.random.default_rng(2).normal(size=(3000, 4)).astype(np.float32)
    first = predict(estimator, x, 3)
    for _ in range(5):
        np.testing.assert_array_equal(predict(estimator, x, 3), first)


def test_a_linear_model_is_rebuilt_from_its_arrays():
    folds, target = make_folds()
    estimator = fit_one(LogisticSettings(), 0, folds[0], target)
    again = LogisticSettings().rebuild(0, LogisticSettings().learned(estimator))
    x = folds[0].inputs["x_num"]
    np.testing.assert_array_equal(again.predict_proba(x), estimator.predict_proba(x))
    assert NeighboursSettings().learned(estimator) == {}
