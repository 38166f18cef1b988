"""What a card trains is what the CPU trains, and a stack on it is each of its replicas alone."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models.data import FoldData
from models.losses import LOSSES
from models.metrics import METRICS
from models.training.fit import Objective, Replicas, TrainSettings, fit

pytestmark = pytest.mark.gpu


def neighbour(name):
    """The test module of that name beside this one."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"test_{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


equality, values = neighbour("fit_equality"), neighbour("values")

OBJECTIVE = Objective(LOSSES["cross_entropy"], METRICS["log_loss"])
# Dropout of the other families draws other masks on a card.
QUIET = ("linear", "mlp", "dropout", "batch norm", "layer norm", "own weights", "pixel mlp")
PICTURES = ("residual", "inception", "modern")
TEXTS = ("bag", "spelled bag", "recurrent gru", "recurrent lstm", "spelled gru")


def train(family, device, *, seeds=(3, 8), fold=None, is_quiet=False, **settings):
    build, inputs = equality.FAMILIES[family]
    folds = equality.folds_of(inputs)
    chosen = {"epochs": 3, "batch_size": 32, "lr": 0.01, "precision": "float64"} | settings

    def built():
        network = build()
        if is_quiet:
            equality.silence_dropout(network)
        return network

    folds = folds if fold is None else [folds[fold]]
    replicas = Replicas(seeds=seeds)
    return fit(built, folds, equality.TARGET, TrainSettings(**chosen), OBJECTIVE, replicas, device)


@pytest.mark.parametrize("family", [*QUIET, *PICTURES, *TEXTS])
def test_a_card_trains_what_the_cpu_trains(family):
    here, there = (train(family, device, is_quiet=True) for device in ("cpu", "cuda"))
    for one, other in zip(here.replicas, there.replicas, strict=True):
        np.testing.assert_allclose(
            one.valid_predictions, other.valid_predictions, rtol=1e-7, atol=1e-8
        )


@pytest.mark.parametrize("family", equality.FAMILIES)
def test_a_replica_in_the_stack_is_the_replica_alone(family):
    together = train(family, "cuda", max_stack=4)
    for replica in together.replicas[::2]:
        (alone,) = train(
            family, "cuda", seeds=(replica.seed,), fold=replica.fold, strategy="sequential"
        ).replicas
        np.testing.assert_allclose(
            replica.valid_predictions, alone.valid_predictions, rtol=1e-7, atol=1e-8
        )


@pytest.mark.parametrize(("name", "transform"), values.LOSS_AND_SCALE)
def test_a_card_learns_the_values_that_the_cpu_learns(name, transform):
    here, there = (
        values.trained_on(values.FOLDS, values.ONE, name, transform, device=device)
        for device in ("cpu", "cuda")
    )
    for one, other in zip(here.replicas, there.replicas, strict=True):
        np.testing.assert_allclose(
            one.valid_predictions, other.valid_predictions, rtol=1e-7, atol=1e-8
        )


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("family", ["mlp", "layer norm", "modern", "recurrent gru", "bag"])
def test_no_replica_fails_in_low_precision(family, precision):
    assert not [r.fault for r in train(family, "cuda", precision=precision).replicas if r.fault]


def test_the_same_training_gives_the_same_bytes():
    one, other = (train("dropout", "cuda", precision="float32") for _ in range(2))
    for first, second in zip(one.replicas, other.replicas, strict=True):
        assert np.array_equal(first.valid_predictions, second.valid_predictions)


class Wide(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(64, 4096)
        self.head = nn.Linear(4096, 2)

    def forward(self, x_num):
        return self.head(torch.relu(self.body(x_num)))


def test_the_stack_is_halved_until_it_fits_the_memory():
    x = np.random.default_rng(0).normal(size=(4096, 64)).astype(np.float32)
    rows = np.arange(len(x))
    folds = [FoldData({"x_num": x}, rows[rows % 4 != k], rows[rows % 4 == k]) for k in range(4)]
    free, _ = torch.cuda.mem_get_info()
    hog = torch.empty(free - 3 * 2**30, dtype=torch.uint8, device="cuda")
    fitted = fit(
        Wide,
        folds,
        (x[:, 0] > 0).astype(np.int64),
        TrainSettings(epochs=1, batch_size=2048),
        OBJECTIVE,
        Replicas(seeds=range(20)),
        "cuda",
    )
    del hog
    assert fitted.networks.chunk_size < len(fitted.replicas)
