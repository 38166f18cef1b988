from __future__ import annotations

import numpy as np
import pytest

from models.data import FoldData
from models.estimators.fitting import EstimatorError, fit_estimators, fit_one, predict
from models.estimators.sklearn_models import (
    ElasticNetSettings,
    ExtraTreesSettings,
    HistGradientBoostingSettings,
    LogisticSettings,
    NeighboursSettings,
    RidgeSettings,
)
from models.target import Target
from models.tasks import Task

THREE = Task("multiclass", 3)

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
    given = {"seeds": (0, 1), **options}
    return fit_estimators(folds, tests, Target(target, THREE), settings, **given)


@pytest.mark.parametrize("settings", FAMILIES, ids=lambda s: type(s).__name__)
def test_each_family_learns(settings):
    folds, target = make_folds()
    made = fitted(settings, folds, target)
    assert [(r.fold, r.seed) for r in made.replicas] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for replica in made.replicas:
        truth = target[folds[replica.fold].valid_rows]
        assert (replica.valid_predictions.argmax(axis=1) == truth).mean() > 0.8
        np.testing.assert_allclose(replica.valid_predictions.sum(axis=1), 1, atol=1e-6)
    assert made.test_predictions.shape == (7, 3)


def test_held_out_rows_are_not_trained_on():
    """A tree that memorises its rows cannot predict random labels."""
    folds, _ = make_folds()
    random = np.random.default_rng(1).integers(0, 3, 240)
    made = fitted(ExtraTreesSettings(n_estimators=20), folds, random)
    hits = [
        (r.valid_predictions.argmax(axis=1) == random[folds[r.fold].valid_rows]).mean()
        for r in made.replicas
    ]
    assert np.mean(hits) < 0.5


def test_seeds_differ_and_repeat():
    folds, target = make_folds()
    settings = ExtraTreesSettings(n_estimators=5)
    one, again = fitted(settings, folds, target), fitted(settings, folds, target)
    valid = [r.valid_predictions for r in one.replicas]
    assert not np.array_equal(valid[0], valid[1])
    np.testing.assert_array_equal(one.test_predictions, again.test_predictions)


def test_a_class_that_a_fold_lacks_gets_a_small_probability():
    folds, target = make_folds()
    rows = folds[0].train_rows
    lacking = FoldData(folds[0].inputs, rows[target[rows] != 1], folds[0].valid_rows)
    made = fitted(ExtraTreesSettings(n_estimators=5), [lacking], target)
    valid = made.replicas[0].valid_predictions
    assert ((valid[:, 1] > 0) & (valid[:, 1] < 0.01)).all()
    np.testing.assert_allclose(valid.sum(axis=1), 1)


def test_a_fold_with_a_single_class_predicts_it():
    folds, target = make_folds()
    rows = folds[0].train_rows
    single = FoldData(folds[0].inputs, rows[target[rows] == 2], folds[0].valid_rows)
    made = fitted(LogisticSettings(), [single], target)
    assert (made.replicas[0].valid_predictions.argmax(axis=1) == 2).all()


VALUES = [
    RidgeSettings(),
    ElasticNetSettings(alpha=0.01),
    ExtraTreesSettings(n_estimators=20),
    NeighboursSettings(n_neighbors=5),
    HistGradientBoostingSettings(),
]


@pytest.mark.parametrize("settings", VALUES, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("n_targets", [1, 2])
def test_values_of_one_target_or_several(settings, n_targets):
    folds, target = make_folds()
    values = target + 0.1 * folds[0].inputs["x_num"][:, 0].astype(float)
    if n_targets == 2:
        values = np.column_stack([values, -values])
    made = fit_estimators(
        folds,
        [{"x_num": fold.inputs["x_num"][:7]} for fold in folds],
        Target(values, Task("regression", 0, n_targets)),
        settings,
        seeds=(0,),
    )
    assert made.test_predictions.shape == (7, n_targets)
    truth = values.reshape(len(values), -1)[folds[0].valid_rows]
    for column, predicted in zip(truth.T, made.replicas[0].valid_predictions.T, strict=True):
        assert np.corrcoef(column, predicted)[0, 1] > 0.8


def test_ridge_is_scikit_learns():
    from sklearn.linear_model import Ridge

    folds, target = make_folds()
    values, data = target.astype(float), folds[0]
    made = fit_estimators(
        folds[:1],
        [{"x_num": data.inputs["x_num"][:7]}],
        Target(values, Task("regression")),
        RidgeSettings(alpha=3.0),
        seeds=(0,),
    )
    x = data.inputs["x_num"]
    alone = Ridge(alpha=3.0).fit(x[data.train_rows], values[data.train_rows])
    np.testing.assert_array_equal(made.test_predictions[:, 0], alone.predict(x[:7]))


def test_a_classifier_of_ordered_labels_gives_the_expected_position():
    folds, target = make_folds()
    made = fit_estimators(
        folds,
        [{"x_num": fold.inputs["x_num"][:7]} for fold in folds],
        Target(target, Task("ordinal", 3)),
        LogisticSettings(),
        seeds=(0,),
    )
    nearest = np.rint(made.replicas[0].valid_predictions[:, 0])
    assert (nearest == target[folds[0].valid_rows]).mean() > 0.8


def test_several_labels_have_a_classifier_each():
    folds, target = make_folds()
    labels = np.column_stack([target > 0, target > 1]).astype(float)
    made = fit_estimators(
        folds,
        [{"x_num": fold.inputs["x_num"][:7]} for fold in folds],
        Target(labels, Task("multilabel", 2, 2)),
        LogisticSettings(),
        seeds=(0,),
    )
    right = (made.replicas[0].valid_predictions > 0.5) == labels[folds[0].valid_rows]
    assert right.mean() > 0.85


def test_weights_count_and_a_kind_that_does_not_suit_is_named():
    folds, target = make_folds()
    tests = [{"x_num": fold.inputs["x_num"][:7]} for fold in folds]
    weight = np.where(target == 0, 10.0, 1.0)
    plain = fit_estimators(folds, tests, Target(target, THREE), LogisticSettings(), seeds=(0,))
    weighted = fit_estimators(
        folds, tests, Target(target, THREE, weight), LogisticSettings(), seeds=(0,)
    )
    assert weighted.test_predictions[:, 0].mean() > plain.test_predictions[:, 0].mean()
    values = Target(target.astype(float), Task("regression"))
    with pytest.raises(EstimatorError, match=r"LogisticSettings predicts classes.*RidgeSettings"):
        fit_estimators(folds, tests, values, LogisticSettings(), seeds=(0,))
    with pytest.raises(EstimatorError, match=r"RidgeSettings predicts numbers.*LogisticSettings"):
        fit_estimators(folds, tests, Target(target, THREE), RidgeSettings(), seeds=(0,))
    with pytest.raises(EstimatorError, match="NeighboursSettings takes no weights"):
        fit_estimators(
            folds, tests, Target(target, THREE, weight), NeighboursSettings(), seeds=(0,)
        )


def test_progress_is_reported_fold_major():
    folds, target = make_folds()
    reported = []
    fitted(NeighboursSettings(), folds, target, on_fold=lambda r: reported.append((r.fold, r.seed)))
    assert reported == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_what_does_not_fit_together_is_an_error():
    folds, target = make_folds()
    tests = [{"x_cat": np.zeros((2, 1), np.int64)}]
    with pytest.raises(EstimatorError, match="2 folds and 1 encoded test tables; 1 encoded tables"):
        fit_estimators(folds, tests, Target(target, THREE), NeighboursSettings(), seeds=(0,))


def test_a_forest_predicts_the_same_bytes_each_time():
    """The threads of scikit-learn would add up the trees in the order in which they finish."""
    folds, target = make_folds()
    estimator = fit_one(ExtraTreesSettings(n_estimators=60), 0, folds[0], Target(target, THREE), 0)
    x = np.random.default_rng(2).normal(size=(3000, 4)).astype(np.float32)
    first = predict(estimator, x, THREE)
    for _ in range(5):
        np.testing.assert_array_equal(predict(estimator, x, THREE), first)


def test_a_linear_model_is_rebuilt_from_its_arrays():
    folds, target = make_folds()
    (estimator,) = fit_one(LogisticSettings(), 0, folds[0], Target(target, THREE), 0)
    again = LogisticSettings().rebuild(0, LogisticSettings().learned(estimator))
    x = folds[0].inputs["x_num"]
    np.testing.assert_array_equal(again.predict_proba(x), estimator.predict_proba(x))
    assert NeighboursSettings().learned(estimator) == {}
