from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.losses import LOSSES
from models.metrics import METRICS
from models.training.fit import FoldData, Objective, Replicas, TrainSettings, fit

RNG = np.random.default_rng(1)
N_ROWS, SEED = 120, 1
X = RNG.normal(size=(N_ROWS, 5)).astype(np.float32)
TARGET = RNG.integers(0, 3, N_ROWS)
WEIGHTS = RNG.uniform(0.5, 2, N_ROWS)
CLASS_WEIGHTS = (1.0, 2.0, 0.5)
TRAIN_ROWS, VALID_ROWS = np.arange(80), np.arange(80, N_ROWS)


class Scores(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(5, 3)

    def forward(self, x_num: Tensor) -> Tensor:
        return self.head(x_num)


def first_loss(strategy: str, sample_weight: Any = None) -> float:
    """Of the second of two replicas, before its first step."""
    settings = TrainSettings(
        epochs=1,
        batch_size=None,
        class_weights=CLASS_WEIGHTS,
        label_smoothing=0.1,
        precision="float64",
        strategy=strategy,
    )
    fitted = fit(
        Scores,
        [FoldData({"x_num": X}, TRAIN_ROWS, VALID_ROWS)],
        TARGET,
        settings,
        Objective(LOSSES["cross_entropy"], METRICS["accuracy"], sample_weight),
        Replicas((0, SEED)),
        device="cpu",
    )
    return fitted.replicas[1].curve.train_loss[0]


@pytest.mark.parametrize("strategy", ["layers", "sequential"])
def test_weights_of_rows_and_classes_are_torchs_weighted_mean(strategy: str) -> None:
    plain, weighted = first_loss(strategy), first_loss(strategy, sample_weight=WEIGHTS)
    torch.manual_seed(SEED)
    logits, truth = Scores().double()(torch.as_tensor(X).double()), torch.as_tensor(TARGET)
    logits, truth = logits[TRAIN_ROWS], truth[TRAIN_ROWS]
    of_class = torch.tensor(CLASS_WEIGHTS, dtype=torch.float64)
    expected = nn.CrossEntropyLoss(weight=of_class, label_smoothing=0.1)(logits, truth)
    assert plain == pytest.approx(expected.item(), rel=1e-9)
    own = torch.as_tensor(WEIGHTS[TRAIN_ROWS])
    per_row = nn.CrossEntropyLoss(weight=of_class, label_smoothing=0.1, reduction="none")(
        logits, truth
    )
    expected = (per_row * own).sum() / (own * of_class[truth]).sum()
    assert weighted == pytest.approx(expected.item(), rel=1e-9)
