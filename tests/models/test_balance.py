"""Rows of rare classes that weigh more."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from models.losses import LOSSES, row_weights
from models.metrics import METRICS
from models.training.fit import FoldData, Objective, TrainSettings, fit

TARGET = np.array([0] * 90 + [2] * 10)  # class 1 has no row


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(1, 2)

    def forward(self, x):
        return self.line(x)


def test_all_classes_count_alike_at_one_and_rows_do_at_zero():
    whole = row_weights(TARGET, 1.0)
    assert whole[TARGET == 0].sum() == pytest.approx(whole[TARGET == 2].sum())
    np.testing.assert_array_equal(row_weights(TARGET, 0.0), np.ones(100))


def test_weights_follow_the_share_and_have_mean_one():
    weights = row_weights(TARGET, 0.5)
    assert weights[-1] / weights[0] == pytest.approx(3)
    assert weights.mean() == pytest.approx(1)


def test_a_network_learns_the_classes_divided_by_their_shares():
    rows = np.arange(100)
    folds = [FoldData({"x": np.zeros((100, 1), np.float32)}, rows, rows)]

    def learned(balance):
        settings = TrainSettings(
            epochs=100, batch_size=None, lr=0.1, balance=balance, evaluate_every=100
        )
        fitted = fit(
            Line, folds, (TARGET > 0).astype(np.int64), settings,
            Objective(LOSSES["cross_entropy"], METRICS["accuracy"]), device="cpu",
        )  # fmt: skip
        return fitted.predict_mean([{"x": np.zeros((1, 1), np.float32)}])[0]

    np.testing.assert_allclose(learned(0.0), [0.9, 0.1], atol=0.01)
    np.testing.assert_allclose(learned(1.0), [0.5, 0.5], atol=0.01)
    np.testing.assert_allclose(learned(0.5), [0.75, 0.25], atol=0.01)
