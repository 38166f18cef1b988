"""Which rows a split may hold out, how much a row counts, and what is reported about both."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, KFold

import foldwise
from features.folds import make_folds
from models.cross_fit.fit import FitWarning
from models.data import TrainingDataError, TrainingFailedError
from models.training.device import DeviceError
from tests.line_fit import LABELS, N_ROWS, QUICK, VALUES, X, line

GROUPS = np.arange(N_ROWS) % 60


@pytest.mark.parametrize("folds", [KFold(4), list(KFold(4).split(X))])
def test_folds_that_tear_groups_apart_are_refused(folds):
    with pytest.raises(TrainingDataError, match=r"split 0 tears 60 groups apart.*GroupKFold"):
        foldwise.fit(line(), X, LABELS, folds=folds, groups=GROUPS)


@pytest.mark.parametrize("y", [LABELS, VALUES])
def test_a_number_of_folds_keeps_groups_together(y):
    texts = np.array([f"g{group}" for group in GROUPS])
    made = foldwise.fit(line(), X, y, folds=3, groups=texts, **QUICK)
    assert made.held_out.all()
    # KFold that happens to keep them is taken, too.
    blocks = np.arange(N_ROWS) // 60
    foldwise.fit(line(), X, y, folds=KFold(4), groups=blocks, **QUICK | {"epochs": 1})


def test_a_competitions_folds_are_taken_as_they_are():
    folds = make_folds(
        (LABELS == "left").astype(np.int64), foldwise.FoldPlan(n_folds=3, n_repeats=2)
    )
    made = foldwise.fit(line(), X, LABELS, folds=folds, **QUICK | {"epochs": 1})
    valid = [split.valid_rows for split in folds.splits()]
    assert [len(r.valid_predictions) for r in made.replicas] == [len(rows) for rows in valid]


def test_rows_that_are_never_held_out_are_named():
    splits = [(np.arange(100), np.arange(120, 200)), (np.arange(100), np.arange(201, 240))]
    with pytest.warns(FitWarning, match=r"121 of 240 rows .* \(rows 0-119, 200\)"):
        made = foldwise.fit(line(), X, LABELS, folds=splits, **QUICK | {"epochs": 1})
    np.testing.assert_array_equal(made.held_out, np.isfinite(made.oof).all(axis=1))
    assert np.flatnonzero(~made.held_out).tolist() == [*range(120), 200]
    assert "121 rows never held out" in repr(made)


def test_a_label_that_a_split_never_sees_is_named():
    in_order = np.argsort(LABELS)
    with pytest.warns(
        FitWarning, match="split 0 holds out label 'left' and trains on no row of it"
    ):
        foldwise.fit(line(), X[in_order], LABELS[in_order], folds=KFold(2), **QUICK | {"epochs": 1})


def test_a_metric_that_no_split_defines_is_refused():
    in_order = np.argsort(LABELS)
    folds = [(np.arange(60, 240), np.arange(60))]
    with pytest.raises(TrainingDataError, match="'auc' is undefined on the held-out rows of every"):
        foldwise.fit(line(), X[in_order], LABELS[in_order], folds=folds, metric="auc")


def test_rows_count_by_their_weight_in_training_and_in_scores():
    wrong = np.arange(N_ROWS) % 3 == 0
    mixed = np.where(wrong, np.where(LABELS == "left", "right", "left"), LABELS)
    weights = pd.Series(np.where(wrong, 1e-3, 1.0))
    options = {"metric": "accuracy", **QUICK}
    weighted = foldwise.fit(line(), X, mixed, sample_weight=weights, **options)
    plain = foldwise.fit(line(), X, mixed, **options)
    assert weighted.score > 0.9
    assert plain.score < 0.75
    assert (weighted.predict(X) == LABELS).mean() > 0.9


def test_failed_networks_are_an_error_where_none_is_left():
    with pytest.raises(TrainingFailedError, match=r"no network of split 0 .*lower lr"):
        foldwise.fit(line(), X, VALUES, **QUICK | {"lr": 1e30})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folds": True}, "folds is True, expected a number of folds"),
        ({"folds": 1}, "folds is 1, expected 2 or more; pass ShuffleSplit"),
        ({"folds": "five"}, "folds is a str, expected a number"),
        ({"folds": []}, "folds holds no split"),
        ({"folds": np.arange(N_ROWS) % 3}, r"pass PredefinedSplit\(folds\)"),
        ({"folds": [(["a"], ["b"])]}, "split 0 holds <U1 of shape .* expected row numbers"),
        ({"folds": [([0.5, 1.5], [2, 3])]}, "split 0 holds float64"),
        ({"folds": [([0, 1], [2, 240])]}, "rows beyond the 240 .*: 2 to 240; pass positions"),
        ({"folds": [(X[:99, 0] > 0, X[:99, 0] <= 0)]}, "is a mask of 99 rows, expected 240"),
        ({"folds": [([0, 1], [2, 2, 3])]}, "split 0 holds row 2 out twice"),
        ({"folds": [([0, 1], [])]}, "split 0 trains on 2 rows and holds 0 out"),
        ({"folds": [1, 2]}, "split 0 has no parts"),
        ({"folds": GroupKFold(3)}, r"folds: .*; pass groups=, one for each row"),
        ({"groups": [None] * N_ROWS}, "groups has a missing value in row 0"),
        ({"groups": X}, r"groups has shape \(240, 3\)"),
        ({"groups": np.arange(9)}, "rows differ in number: X 240, y 240, groups 9"),
        ({"sample_weight": np.arange(N_ROWS)}, "sample_weight has 0 in row 0, expected .* above 0"),
        ({"sample_weight": ["heavy"] * N_ROWS}, "sample_weight holds <U5"),
        ({"sample_weight": np.ones(9)}, "X 240, y 240, sample_weight 9"),
        ({"seeds": 0}, "seeds is 0, expected how many"),
        ({"seeds": [0, 0]}, r"seeds is \[0, 0\], expected .* different whole numbers"),
        ({"seeds": "ab"}, "seeds is 'ab'"),
        ({"seeds": [0.5]}, "seeds is"),
    ],
)
def test_what_it_cannot_mean_is_one_line(change, message):
    with pytest.raises(TrainingDataError, match=message) as caught:
        foldwise.fit(line(), **{"X": X, "y": LABELS} | change)
    assert "\n" not in str(caught.value)


def test_an_unknown_device_is_one_line():
    with pytest.raises(DeviceError, match="unknown device 'gpu': pass 'auto', 'cpu'"):
        foldwise.fit(line(), X, LABELS, device="gpu")


def test_a_metric_that_gives_no_number_is_named_as_the_cause():
    mine = foldwise.Metric("mine", lambda *_: float("nan"), greater_is_better=True)
    with pytest.raises(TrainingDataError, match=r"mine gives NaN .* correct its function"):
        foldwise.fit(line(), X, LABELS, folds=3, metric=mine, **QUICK)
