from __future__ import annotations

import numpy as np
import pytest
import torch

from models.architectures.mlp import MLPSettings
from models.architectures.tabm import TabMSettings
from models.data import InputShape
from models.losses import LOSSES
from models.metrics import METRICS
from models.networks.columns import piecewise_linear
from models.training.fit import FoldData, Objective, TrainSettings, fit

SHAPE = InputShape(n_num=3, cardinalities=(4,), n_bin=2)
SETTINGS = TabMSettings(k=5, hidden=(16, 8), dropout=0.2, input_dropout=0.1, n_bins=3)


def make_batch(n_rows: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {
        "x_num": torch.randn(n_rows, 3),
        "x_cat": torch.randint(0, 4, (n_rows, 1)),
        "x_bin": 3 * torch.rand(n_rows, 2),
    }


def test_a_place_becomes_one_number_per_bin():
    found = piecewise_linear(torch.tensor([[2.25, 0.0], [4.0, 0.5]]), 4)
    np.testing.assert_array_equal(found, [[1, 1, 0.25, 0, 0, 0, 0, 0], [1, 1, 1, 1, 0.5, 0, 0, 0]])


def test_each_of_the_k_perceptrons_has_separate_logits():
    torch.manual_seed(0)
    logits = SETTINGS.build(SHAPE, 4).eval()(**make_batch(6))
    assert logits.shape == (6, 5, 4)
    assert len(torch.unique(logits[0, :, 0])) == 5


def test_the_k_share_their_matrices():
    """A matrix for each of them would be k times as large."""
    small, large = (
        TabMSettings(k=k, hidden=(256, 256)).build(InputShape(n_num=50), 9) for k in (1, 8)
    )
    n_small, n_large = (sum(p.numel() for p in module.parameters()) for module in (small, large))
    assert n_large < 1.5 * n_small


def test_bins_of_one_column_start_with_one_sign():
    torch.manual_seed(0)
    scale = dict(SETTINGS.build(SHAPE, 2).named_parameters())["body.0.r"]
    signs = scale[:, -6:].view(5, 2, 3)  # (k, 2 columns, 3 bins)
    assert (signs == signs[:, :, :1]).all()
    assert len(torch.unique(scale)) == 2


def test_the_mlp_takes_the_same_inputs():
    settings = MLPSettings(hidden=(8,), n_bins=3, input_dropout=0.2)
    network = settings.build(SHAPE, 4)
    assert network(**make_batch(6)).shape == (6, 4)
    bins = make_batch(6) | {"x_bin": torch.zeros(6, 2)}
    network.eval()
    assert not torch.equal(network(**make_batch(6)), network(**bins))


@pytest.mark.parametrize("strategy", ["vmap", "sequential"])
def test_it_learns_in_a_stack(strategy):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3)).astype(np.float32)
    places = rng.uniform(0, 3, (300, 2)).astype(np.float32)
    target = ((x[:, 0] > 0) + (places[:, 0] > 1.5)).astype(np.int64)
    fold_of_row = np.arange(300) % 3
    folds = [
        FoldData(
            {"x_num": x, "x_bin": places},
            np.flatnonzero(fold_of_row != fold),
            np.flatnonzero(fold_of_row == fold),
        )
        for fold in range(3)
    ]
    settings = TabMSettings(k=4, hidden=(32,), n_bins=3, dropout=0.0)
    fitted = fit(
        lambda: settings.build(InputShape(n_num=3, n_bin=2), 3),
        folds,
        target,
        TrainSettings(epochs=25, batch_size=32, lr=0.01, strategy=strategy),
        Objective(LOSSES["cross_entropy"], METRICS["accuracy"]),
        device="cpu",
    )
    assert min(replica.score for replica in fitted.replicas) > 0.9
    made = fitted.predict_mean([{"x_num": x, "x_bin": places}] * 3)
    np.testing.assert_allclose(made.sum(axis=1), 1, atol=1e-6)
