from __future__ import annotations

import pytest
import torch

from models.training.schedules import lr_factor


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
