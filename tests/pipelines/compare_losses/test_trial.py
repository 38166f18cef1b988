"""Replicas that differ in nothing but the form of their loss."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from models.architectures.mlp import MLPSettings
from models.data import FoldData, InputShape
from models.losses import LOSSES
from models.metrics import METRICS
from models.training.fit import Objective, Replicas, fit
from models.training.settings import TrainSettings
from models.vectorised.random_streams import epoch_order
from pipelines.compare_losses.forms import FORMS, PRECISIONS
from pipelines.compare_losses.trial import TrialPlan, try_forms

N_STEPS = 12


@pytest.fixture(scope="module")
def plan():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6)).astype(np.float32)
    target = (x @ rng.normal(size=(6, 4))).argmax(axis=1)
    rows = np.arange(300)
    settings = MLPSettings(hidden=(16,), dropout=0.2)
    return TrialPlan(
        build=lambda: settings.build(InputShape(6), 4),
        fold=FoldData({"x_num": x}, rows[rows % 3 != 0], rows[rows % 3 == 0]),
        target=target,
        settings=TrainSettings(batch_size=64, lr=0.01),
        n_steps=N_STEPS,
        metrics=[METRICS["log_loss"], METRICS["accuracy"]],
    )


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_first_two_are_equal_and_the_third_is_off_by_rounding(plan, precision):
    trial = try_forms(plan, precision)
    eps = torch.finfo(PRECISIONS[precision]).eps
    assert trial.loss.shape == trial.gradient_gap.shape == (N_STEPS, len(FORMS))
    assert np.array_equal(trial.loss[:, 0], trial.loss[:, 1])
    assert not trial.gradient_gap[:, :2].any()
    # Equal weights, rows and dropout masks at the first step: only rounding is left.
    assert abs(trial.loss[0, 2] - trial.loss[0, 0]) < 8 * eps
    assert 0 < trial.gradient_gap[0, 2] < 16 * eps
    assert 0 < trial.rounding_gap[:, 2].max() < 16 * eps
    assert trial.loss[-1, 0] < trial.loss[0, 0]
    assert trial.scores["accuracy"][0] == trial.scores["accuracy"][1] > 0.3


def test_a_replica_is_what_a_plain_loop_gives(plan):
    settings = MLPSettings(hidden=(16,), dropout=0.0)
    plain = dataclasses.replace(plan, build=lambda: settings.build(InputShape(6), 4))
    trial = try_forms(plain, "float64")
    torch.manual_seed(plan.seed)
    network = plain.build().double()
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=0.0)
    rows = torch.as_tensor(plan.fold.train_rows)
    order = rows[epoch_order(plan.seed, 1, len(rows))]
    for step in range(3):
        at = order[64 * step : 64 * step + 64]
        x = torch.as_tensor(plan.fold.inputs["x_num"]).double()[at]
        loss = functional.cross_entropy(network(x), torch.as_tensor(plan.target)[at])
        assert trial.loss[step, 0] == pytest.approx(float(loss.detach()), rel=1e-12)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"label_smoothing": 0.1},
        {"class_weights": (1.0, 2.0, 3.0, 4.0)},
        {"grad_clip": 0.1, "schedule": "cosine", "weight_decay": 0.1, "optimizer": "sgd"},
    ],
    ids=lambda recipe: ", ".join(recipe) or "plain",
)
def test_every_form_trains_as_the_trainer_does(plan, recipe):
    """With dropout, over several epochs: weights, order, masks and recipe are the trainer's."""
    settings = plan.settings.model_copy(
        update={"precision": "float64", "epochs": 3, "batch_size": 50} | recipe
    )
    trial = try_forms(dataclasses.replace(plan, settings=settings, n_steps=3 * 4), "float64")
    fitted = fit(
        plan.build,
        [plan.fold],
        plan.target,
        settings,
        Objective(LOSSES["cross_entropy"], METRICS["log_loss"]),
        Replicas((plan.seed,)),
        device="cpu",
    )
    np.testing.assert_allclose(trial.scores["log_loss"], fitted.replicas[0].score, rtol=1e-9)
    if "class_weights" not in recipe:  # there an epoch's loss is not the mean over its batches
        means = trial.loss.reshape(3, 4, 3).mean(axis=1)
        np.testing.assert_allclose(means[:, 0], fitted.replicas[0].curve.train_loss, rtol=1e-9)


def test_large_logits_end_the_naive_replica_and_no_other(plan):
    trial = try_forms(plan, "float32", logit_scale=1000)
    assert trial.largest_gap[0] > 104
    assert np.isinf(trial.loss[0, 2])
    assert np.isnan(trial.loss[1:, 2]).all()
    assert np.isfinite(trial.loss[:, :2]).all()
    scores = trial.scores["log_loss"]
    assert np.isfinite(scores[:2]).all()
    assert np.isnan(scores[2])


class Many(nn.Module):
    """An ensemble in one network, with a recurrent layer that no stack takes: (B, k, C)."""

    def __init__(self):
        super().__init__()
        self.body = nn.GRU(6, 8, batch_first=True)
        self.heads = nn.Linear(8, 3 * 4)

    def forward(self, x_num):
        hidden, _ = self.body(x_num.unsqueeze(1))
        return self.heads(hidden[:, 0]).view(-1, 3, 4)


def test_ensembles_in_one_and_networks_that_do_not_stack_are_compared_too(plan):
    trial = try_forms(dataclasses.replace(plan, build=Many), "float32")
    assert np.array_equal(trial.loss[:, 0], trial.loss[:, 1])
    assert trial.valid_logits.shape == (3, 100, 4)
    assert trial.loss[-1, 0] < trial.loss[0, 0]
