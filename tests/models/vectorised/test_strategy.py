from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models.vectorised.strategy import StrategyError, choose_strategy

BATCH = {"x_num": torch.randn(8, 4, generator=torch.Generator().manual_seed(0))}


class Net(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x_num: Tensor) -> Tensor:
        return self.layers(x_num)


class MixesDimensions(nn.Module):
    """Right for (B, D), wrong for (R, B, D): only `vmap` can run it in a stack."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)

    def forward(self, x_num: Tensor) -> Tensor:
        return self.head(x_num - x_num.mean(dim=0))


class TiedWeights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, x_num: Tensor) -> Tensor:
        return self.second(torch.relu(self.first(x_num)))


class BranchesOnValues(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))
        self.head = nn.Linear(4, 2)

    def forward(self, x_num: Tensor) -> Tensor:
        y = self.head(x_num * self.scale)
        return y if bool(y.sum() > 0) else -y


class Words(nn.Module):
    """Embeds and mixes row dimensions, so that stacked layers cannot run it."""

    def __init__(self, padding_idx: int | None) -> None:
        super().__init__()
        self.vectors = nn.Embedding(5, 3, padding_idx=padding_idx)
        self.head = nn.Linear(3, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.vectors(tokens).mean(dim=1))


@pytest.mark.parametrize(("padding_idx", "expected"), [(None, "vmap"), (0, "sequential")])
def test_vmap_would_train_the_row_for_padding(padding_idx: int | None, expected: str) -> None:
    batch = {"tokens": torch.tensor([[0, 1], [2, 0], [3, 4]])}
    network = Words(padding_idx)
    assert choose_strategy(network, batch, requested="auto", n_replicas=4) == expected


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (Net(nn.Linear(4, 3), nn.ReLU(), nn.Dropout(0.1), nn.Linear(3, 2)), "layers"),
        (Net(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2, bias=False)), "layers"),
        (Net(nn.Linear(4, 3), nn.PReLU(), nn.Linear(3, 2)), "vmap"),
        (MixesDimensions(), "vmap"),
        (TiedWeights(), "vmap"),
        (BranchesOnValues(), "sequential"),
        (Net(nn.Linear(4, 3), nn.AlphaDropout(0.2), nn.Linear(3, 2)), "sequential"),
        (Net(nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 2, 2), nn.Flatten()), "sequential"),
    ],
)
def test_auto_takes_the_fastest_strategy_that_is_right(network: nn.Module, expected: str) -> None:
    assert choose_strategy(network, BATCH, requested="auto", n_replicas=4) == expected


def test_a_strategy_that_would_be_wrong_is_refused() -> None:
    with pytest.raises(StrategyError, match="BranchesOnValues"):
        choose_strategy(BranchesOnValues(), BATCH, requested="vmap", n_replicas=4)
    with pytest.raises(StrategyError, match="layers"):
        choose_strategy(MixesDimensions(), BATCH, requested="layers", n_replicas=4)


def test_the_choice_leaves_network_and_generator_alone() -> None:
    network = Net(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.AlphaDropout(0.2))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    generator = torch.get_rng_state()
    choose_strategy(network, BATCH, requested="auto", n_replicas=4)
    assert torch.equal(generator, torch.get_rng_state())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])
