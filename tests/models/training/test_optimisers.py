from __future__ import annotations

import pytest
import torch
from torch import nn

from models.training.optimisers import MOMENTS, StepRule, clip_gradients, lr_factor, optimise
from models.training.settings import TrainSettings
from models.vectorised.stack import Leaf

SHAPES = [(3, 4), (4,)]
TORCH = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_each_replica_takes_torchs_steps_with_its_own_rate_decay_and_count(name: str) -> None:
    """The last replica sits out the second of three steps."""
    generator = torch.Generator().manual_seed(0)
    rates, decays = (0.1, 0.1, 0.02), (0.3, 0.3, 0.0)
    stacks = [torch.randn(3, *s, generator=generator, dtype=torch.float64) for s in SHAPES]
    alone = [[stack[r].clone().requires_grad_() for stack in stacks] for r in range(3)]
    extra = {"momentum": 0.9} if name == "sgd" else {}
    references = [
        TORCH[name](own, lr=lr, weight_decay=wd, **extra)
        for own, lr, wd in zip(alone, rates, decays, strict=True)
    ]
    moments = [[torch.zeros_like(s) for _ in MOMENTS[name]] for s in stacks]
    settings, counts = TrainSettings(optimizer=name), [0, 0, 0]
    for n_active in (3, 2, 3):
        leaves = [
            Leaf(stack[:n_active].requires_grad_(), tuple(m[:n_active] for m in own))
            for stack, own in zip(stacks, moments, strict=True)
        ]
        for leaf in leaves:
            leaf.weight.grad = torch.randn(
                leaf.weight.shape, generator=generator, dtype=torch.float64
            )
        for r in range(n_active):
            counts[r] += 1
            for weight, leaf in zip(alone[r], leaves, strict=True):
                weight.grad = leaf.weight.grad[r].clone()
            references[r].step()
        rules = [StepRule(counts[r], rates[r], decays[r]) for r in range(n_active)]
        if counts[0] == counts[1]:  # the first two replicas are alike
            rules[:2] = [StepRule(counts[0], rates[0], decays[0], 2)]
        optimise(leaves, rules, settings)
        assert all(leaf.weight.grad is None for leaf in leaves)
    for r in range(3):
        for weight, stack in zip(alone[r], stacks, strict=True):
            torch.testing.assert_close(stack[r], weight.detach(), rtol=1e-12, atol=0)


def test_gradients_are_clipped_per_replica_as_torch_clips_one_model() -> None:
    generator = torch.Generator().manual_seed(0)
    scale = torch.tensor([0.01, 1.0, 30.0])
    leaves = []
    for shape in SHAPES:
        weight = torch.zeros(3, *shape).requires_grad_()
        noise = torch.randn(3, *shape, generator=generator)
        weight.grad = noise * scale.view(3, *(1 for _ in shape))
        leaves.append(Leaf(weight, ()))
    expected = []
    for r in range(3):
        own = [nn.Parameter(torch.zeros(shape)) for shape in SHAPES]
        for weight, leaf in zip(own, leaves, strict=True):
            weight.grad = leaf.weight.grad[r].clone()
        nn.utils.clip_grad_norm_(own, 1.0)
        expected.append([weight.grad for weight in own])
    clip_gradients(leaves, 1.0, n_replicas=3)
    for r in range(3):
        for grad, leaf in zip(expected[r], leaves, strict=True):
            torch.testing.assert_close(leaf.weight.grad[r], grad)


@pytest.mark.parametrize("n_steps", [2, 7, 40])
def test_cosine_is_torchs(n_steps: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=n_steps)
    assert factors("cosine", n_steps) == pytest.approx(stepped(optimizer, schedule, n_steps))


@pytest.mark.parametrize("n_steps", [5, 11, 40])
def test_one_cycle_is_torchs(n_steps: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=n_steps, cycle_momentum=False
    )
    assert factors("one_cycle", n_steps) == pytest.approx(stepped(optimizer, schedule, n_steps))


@pytest.mark.parametrize("n_steps", range(1, 6))
def test_short_trainings_have_a_rate_at_every_step(n_steps: int) -> None:
    for name in ("constant", "cosine", "one_cycle"):
        assert all(0 < factor <= 1 for factor in factors(name, n_steps))


def factors(name: str, n_steps: int) -> list[float]:
    return [lr_factor(name, step, n_steps) for step in range(n_steps)]


def stepped(optimizer: torch.optim.Optimizer, schedule: object, n_steps: int) -> list[float]:
    rates = []
    for _ in range(n_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates
