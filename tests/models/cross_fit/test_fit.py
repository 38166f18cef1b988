"""A network of one's own over scikit-learn's folds, from tables and arrays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GroupKFold, KFold, RepeatedKFold, TimeSeriesSplit
from torch import nn

import foldwise
from models.cross_fit.fit import FitWarning
from models.data import TrainingDataError
from models.metrics import UnknownMetricError
from tests.line_fit import LABELS, N_ROWS, QUICK, VALUES, X, line


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.names = nn.Embedding(4, 2)
        self.head = nn.Linear(5, 1)

    def forward(self, numbers, codes):
        from torch import cat

        return self.head(cat([numbers, self.names(codes)], dim=-1))


def test_labels_of_any_kind_come_back_as_they_were():
    made = foldwise.fit(line(), pd.DataFrame(X, columns=list("abc")), pd.Series(LABELS), **QUICK)
    assert made.classes_.tolist() == ["left", "right"]
    assert made.oof.shape == (N_ROWS, 2)
    out_of_fold = made.classes_[made.oof.argmax(axis=1)]
    assert accuracy_score(LABELS, out_of_fold) > 0.9
    assert (made.predict(X) == LABELS).mean() > 0.9
    np.testing.assert_allclose(made.predict_proba(X[:4]).sum(axis=1), 1, atol=1e-6)
    assert repr(made).startswith("CrossFit(log_loss ")


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_two_classes_take_one_number_or_two(n_outputs):
    made = foldwise.fit(line(n_outputs), X, LABELS, folds=3, metric="accuracy", **QUICK)
    assert made.score > 0.9


def test_values_are_learned_on_their_own_scale():
    made = foldwise.fit(line(), X, VALUES, folds=KFold(4), seeds=2, **QUICK)
    assert made.oof.shape == (N_ROWS,)
    assert made.score < 0.5 * VALUES.std()
    assert abs(made.predict(X) - VALUES).mean() < 1
    assert len(made.replicas) == 8


def test_folds_are_those_of_the_splitter():
    groups = np.arange(N_ROWS) // 8
    made = foldwise.fit(line(), X, LABELS, folds=GroupKFold(5), groups=groups, **QUICK)
    alone = foldwise.fit(
        line(), X, LABELS, folds=list(GroupKFold(5).split(X, LABELS, groups)), **QUICK
    )
    np.testing.assert_array_equal(made.oof, alone.oof)
    with pytest.warns(FitWarning, match=r"60 of 240 rows are never held out \(rows 0-59\)"):
        ordered = foldwise.fit(line(), X, LABELS, folds=TimeSeriesSplit(3), **QUICK)
    assert np.isnan(ordered.oof[: N_ROWS // 4]).all()
    assert np.isfinite(ordered.oof[N_ROWS // 4 :]).all()
    repeated = foldwise.fit(
        line(), X, LABELS, folds=RepeatedKFold(n_splits=2, n_repeats=2, random_state=0), **QUICK
    )
    assert repeated.scores.shape == (4,)


def test_a_row_is_predicted_by_networks_that_never_saw_it():
    by_lot = np.random.default_rng(3).integers(0, 2, N_ROWS)
    deep = lambda: nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 1))  # noqa: E731
    made = foldwise.fit(deep, X, by_lot, metric="accuracy", **QUICK | {"epochs": 60})
    assert made.score < 0.65
    assert (made.predict(X) == by_lot).mean() > made.score


def test_several_inputs_are_a_dictionary():
    codes = np.random.default_rng(1).integers(0, 4, (N_ROWS,))
    inputs = {"numbers": X, "codes": codes[:, None].repeat(1, axis=1)[:, 0][:, None]}
    inputs["codes"] = inputs["codes"].astype(np.int64)

    class Flat(TwoInputs):
        def forward(self, numbers, codes):
            return super().forward(numbers, codes[..., 0])

    made = foldwise.fit(Flat, inputs, LABELS, metric="accuracy", folds=3, **QUICK)
    assert made.score > 0.85
    assert made.predict({key: values[:3] for key, values in inputs.items()}).shape == (3,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"build": nn.Linear(3, 1)}, r"build is a Linear.*pass Linear, or lambda: Linear\("),
        ({"build": 3}, "build is a int, expected a class or function"),
        ({"build": nn.Linear}, r"build\(\) failed.*lambda: Net\(20\)"),
        ({"loss": nn.CrossEntropyLoss()}, "loss is torch's CrossEntropyLoss, expected a name"),
        ({"loss": nn.MSELoss}, "loss is torch's MSELoss"),
        ({"loss": "cross_entrpy"}, "did you mean 'cross_entropy'"),
        ({"y": VALUES, "loss": "cross_entropy"}, r"is for classes; pass loss='mse'"),
        ({"loss": "mse"}, "y holds labels like '(left|right)'.*pass loss='cross_entropy'"),
        ({"y": np.full(N_ROWS, "left")}, "y has the one label"),
        ({"y": LABELS[:5]}, "rows differ in number: X 240, y 5"),
        ({"y": [None, *LABELS[1:]]}, "y has a missing value"),
        ({"X": np.where(X > 2, np.nan, X)}, r"missing or infinite number in row \d+, column \d"),
        ({"X": pd.DataFrame({"a": LABELS})}, "column 'a' holds str, expected numbers"),
        ({"X": X[:, 0]}, "X must have rows and columns"),
        ({"X": X[:, :2]}, r"does not take rows of shape input \(2,\)"),
        ({"build": line(4)}, r"gives \(4,\) numbers .* of 2 classes needs 1"),
        ({"build": TwoInputs}, "forward takes numbers, codes: pass X as a dictionary"),
        ({"folds": [(np.arange(200), np.arange(150, 240))]}, "trains on 50 rows that it holds out"),
        ({"folds": 3.5}, "^folds is a float, expected a number, a splitter"),
        ({"folds": 1000}, "folds: .*n_splits=1000"),
        ({"metric": accuracy_score}, "metric is a function: pass foldwise.Metric"),
        ({"epoch": 3}, "no setting 'epoch': did you mean epochs"),
        ({"epochs": 0}, "epochs=0: Input should be greater"),
    ],
)
def test_what_it_cannot_mean_is_one_line(change, message):
    arguments = {"build": line(), "X": X, "y": LABELS} | change
    with pytest.raises(TrainingDataError, match=message) as caught:
        foldwise.fit(**arguments)
    assert "\n" not in str(caught.value)


def test_an_unknown_metric_suggests_the_nearest():
    with pytest.raises(UnknownMetricError, match="did you mean 'accuracy'"):
        foldwise.fit(line(), X, LABELS, metric="acuracy")
