"""Values: every replica is what it would be alone, on the target's own scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models.data import FoldData, InputShape, TrainingDataError
from models.losses import LOSSES, loss_named
from models.metrics import METRICS
from models.target import fit_scales
from models.training import trained
from models.training.fit import Objective, Replicas, TrainSettings, fit

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 3)).astype(np.float32)
SIGNAL = X[:, 0] + 0.5 * np.tanh(X[:, 1])
ONE, TWO = np.exp(0.6 * SIGNAL), np.column_stack([np.exp(0.6 * SIGNAL), 50 - 10 * SIGNAL])
FOLD_OF_ROW = np.arange(240) % 4
FOLDS = [
    FoldData(
        {"x_num": X},
        np.flatnonzero(np.arange(240) % 4 != f),
        np.flatnonzero(np.arange(240) % 4 == f),
    )
    for f in range(4)
]
SETTINGS = TrainSettings(epochs=12, lr=0.02, batch_size=32, precision="float64")


def builder(n_outputs: int):
    def build() -> nn.Module:
        return Net(n_outputs)

    return build


class Net(nn.Module):
    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, n_outputs))

    def forward(self, x_num: torch.Tensor) -> torch.Tensor:
        return self.body(x_num)


def trained_on(
    folds, target, name, transform="none", seeds=(0, 1), settings=SETTINGS, device="cpu"
):
    loss = loss_named(name)
    scales = fit_scales(target, folds, transform, standardise=True) if loss.is_scaled else ()
    n_outputs = 1 if target.ndim == 1 else target.shape[1]
    objective = Objective(loss, METRICS["rmse"], scales=scales)
    return fit(builder(n_outputs), folds, target, settings, objective, Replicas(seeds), device)


LOSS_AND_SCALE = [
    ("mse", "none"),
    ("mse", "log1p"),
    ("mae", "rank_gauss"),
    ("huber", "sqrt"),
    ("quantile@0.8", "none"),
    ("poisson", "none"),
    ("tweedie", "none"),
]


@pytest.mark.parametrize(("name", "transform"), LOSS_AND_SCALE)
def test_every_replica_is_what_it_is_alone(name: str, transform: str) -> None:
    together = trained_on(FOLDS, ONE, name, transform)
    for replica in (together.replicas[0], together.replicas[5]):
        alone = trained_on([FOLDS[replica.fold]], ONE, name, transform, (replica.seed,)).replicas[0]
        np.testing.assert_allclose(
            replica.valid_predictions, alone.valid_predictions, rtol=1e-9, atol=1e-12
        )
        assert replica.score == pytest.approx(alone.score)


@pytest.mark.parametrize("target", [ONE, TWO], ids=["one", "two"])
def test_values_are_learned_on_their_own_scale(target: np.ndarray) -> None:
    settings = TrainSettings(epochs=60, lr=0.02, batch_size=32)
    fitted = trained_on(FOLDS, target, "mse", settings=settings)
    for replica in fitted.replicas:
        truth = target.reshape(240, -1)[FOLDS[replica.fold].valid_rows]
        assert replica.valid_predictions.shape == truth.shape
        error = np.sqrt(((replica.valid_predictions - truth) ** 2).mean(axis=0)).mean()
        assert replica.score == pytest.approx(error)
        assert error < 0.6 * truth.std(axis=0).mean()
    mean = fitted.predict_mean([{"x_num": X[:7]}] * 4)
    each = fitted.predict([{"x_num": X[:7]}] * 4)
    np.testing.assert_allclose(mean, each.mean(axis=0), rtol=1e-6)


def test_saved_networks_predict_the_same_bytes(tmp_path: Path) -> None:
    fitted = trained_on(FOLDS, TWO, "mse", "none")
    files = trained.save(fitted.networks, InputShape(n_num=3), 2)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    again = trained.load(
        tmp_path, lambda _, n: Net(n), SETTINGS, LOSSES["mse"], torch.device("cpu")
    )
    inputs = [{"x_num": X[:9]}] * 4
    np.testing.assert_array_equal(again.predict_mean(inputs), fitted.predict_mean(inputs))


def test_a_quantile_lies_where_it_should() -> None:
    settings = TrainSettings(epochs=150, lr=0.02, batch_size=64)
    fitted = trained_on(FOLDS, 5 + RNG.normal(size=240), "quantile@0.8", settings=settings)
    predicted = fitted.predict_mean([{"x_num": X}] * 4)
    assert np.median(predicted) == pytest.approx(5.84, abs=0.35)


def test_several_labels_and_weights() -> None:
    labels = np.column_stack([SIGNAL > 0, SIGNAL > 1]).astype(float)
    objective = Objective(LOSSES["multilabel"], METRICS["auc"], np.ones(240))
    fitted = fit(builder(2), FOLDS, labels, SETTINGS, objective, device="cpu")
    assert min(replica.score for replica in fitted.replicas) > 0.8
    assert (
        (fitted.replicas[0].valid_predictions > 0) & (fitted.replicas[0].valid_predictions < 1)
    ).all()


def test_settings_for_classes_are_refused() -> None:
    settings = TrainSettings(epochs=1, balance=0.5)
    with pytest.raises(TrainingDataError, match="are for classes"):
        fit(
            builder(1),
            FOLDS,
            ONE,
            settings,
            Objective(LOSSES["mse"], METRICS["rmse"]),
            device="cpu",
        )
