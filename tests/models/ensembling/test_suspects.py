"""Signs against out-of-fold predictions: planted faults are found, honest models are not."""

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from models.ensembling.goal import Goal
from models.ensembling.suspects import suspicions
from models.metrics import METRICS
from models.tasks import Task

N = 500


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2 * N, 6))
    return x, x[:, 0] + 0.5 * x[:, 1] * x[:, 2] + rng.normal(size=2 * N)


def of_classes(x, y, model, *, is_cheat):
    fitted = model.fit(x[:N], y)
    folds = np.arange(N) % 5
    cv = [(np.flatnonzero(folds != f), np.flatnonzero(folds == f)) for f in range(5)]
    honest = cross_val_predict(model, x[:N], y, cv=cv, method="predict_proba")
    return fitted.predict_proba(x[:N]) if is_cheat else honest, fitted.predict_proba(x[N:])


@pytest.mark.parametrize("is_cheat", [False, True])
def test_predictions_of_training_rows_are_found_out(rows, is_cheat):
    x, signal = rows
    y = (signal > 0).astype(np.int64)[:N]
    forest = RandomForestClassifier(60, min_samples_leaf=2, random_state=0, n_jobs=1)
    made = [
        of_classes(x, y, forest, is_cheat=is_cheat),
        of_classes(x, y, LogisticRegression(), is_cheat=False),
    ]
    oof, test = (np.stack(part) for part in zip(*made, strict=True))
    goal = Goal(y, Task("binary", 2), METRICS["auc"])
    found = suspicions(oof, test, goal, np.arange(N) % 5)
    assert [(one.member, one.kind) for one in found] == ([(0, "in-sample")] if is_cheat else [])


@pytest.mark.parametrize("is_cheat", [False, True])
def test_values_too(rows, is_cheat):
    x, signal = rows
    y = signal[:N]
    forest = ExtraTreesRegressor(60, min_samples_leaf=2, random_state=0, n_jobs=1)
    honest, test = cross_val_predict(forest, x[:N], y), forest.fit(x[:N], y).predict(x[N:])
    oof = forest.predict(x[:N]) if is_cheat else honest
    goal = Goal(y, Task("regression"), METRICS["rmse"])
    found = suspicions(oof[None, :, None], test[None, :, None], goal, np.arange(N) % 5)
    assert [one.kind for one in found] == (["in-sample"] if is_cheat else [])


def test_a_fold_whose_rows_were_trained_on_is_named(rows):
    x, signal = rows
    y, folds = (signal > 0).astype(np.int64)[:N], np.arange(N) % 5
    forest = RandomForestClassifier(60, min_samples_leaf=2, random_state=0, n_jobs=1)
    (oof, test), (cheat, _) = (of_classes(x, y, forest, is_cheat=c) for c in (False, True))
    mixed = np.where((folds == 3)[:, None], cheat, oof)
    goal = Goal(y, Task("binary", 2), METRICS["auc"])
    found = suspicions(np.stack([oof, oof, mixed]), np.stack([test] * 3), goal, folds)
    assert [(one.member, one.kind) for one in found] == [(2, "folds")]
    assert "fold 3" in found[0].text


def test_one_far_better_than_the_others_is_named(rows):
    rng = np.random.default_rng(1)
    y = (rows[1] > 0).astype(np.int64)
    second = np.clip(y[:N] * 0.96 + 0.02, 0, 1)
    usual = 1 / (1 + np.exp(-(rows[0][:, 0])))
    oof = np.stack([usual[:N], usual[:N], second])
    test = np.stack([usual[N:], usual[N:], np.where(y[N:] == 1, 0.98, 0.02)])
    goal = Goal(y[:N], Task("binary", 2), METRICS["auc"])
    both = (np.stack([1 - p, p], axis=2) for p in (oof, test))
    found = suspicions(*both, goal, rng.permutation(N) % 5)
    assert [(one.member, one.kind) for one in found] == [(2, "too good")]
