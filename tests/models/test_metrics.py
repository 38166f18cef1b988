from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn import metrics

from models.metrics import METRICS


def case(seed: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    columns = rng.dirichlet(np.ones(n_classes), size=200)
    if seed % 2:
        columns = np.round(columns, 1)  # many ties, zeros and ones
        columns /= columns.sum(axis=1, keepdims=True)
    return rng.integers(0, n_classes, 200), columns


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_classes", [2, 5])
def test_scores_are_scikit_learns(seed: int, n_classes: int) -> None:
    target, columns = case(seed, n_classes)
    labels, guess = np.arange(n_classes), columns.argmax(axis=1)
    expected = {
        "accuracy": metrics.accuracy_score(target, guess),
        "log_loss": metrics.log_loss(target, columns, labels=labels),
        "macro_f1": metrics.f1_score(target, guess, average="macro"),
    }
    if n_classes == 2:
        expected["auc"] = metrics.roc_auc_score(target, columns[:, 1])
    for name, value in expected.items():
        assert METRICS[name].function(target, columns) == pytest.approx(value, rel=1e-12)


def test_many_models_at_once_are_each_model_alone() -> None:
    target, columns = zip(*(case(seed, 2) for seed in range(4)), strict=True)
    for metric in METRICS.values():
        together = metric.batched(torch.tensor(np.array(target)), torch.tensor(np.array(columns)))
        alone = [metric(t, c) for t, c in zip(target, columns, strict=True)]
        np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_auc_of_one_class_is_nan_and_never_better() -> None:
    score = METRICS["auc"](np.ones(5, dtype=np.int64), np.full((5, 2), 0.5))
    assert math.isnan(score)
    assert not METRICS["auc"].is_better(score, 0.1)


def test_direction() -> None:
    assert METRICS["accuracy"].is_better(0.9, 0.8)
    assert METRICS["log_loss"].is_better(0.3, 0.4)
