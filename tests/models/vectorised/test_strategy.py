import pytest
import torch
from torch import Tensor, nn

from models.training.hardware import Workers, largest_that_fits, split_evenly
from models.vectorised.strategy import StrategyError, choose_strategy

BATCH = {"x_num": torch.randn(8, 4, generator=torch.Generator().manual_seed(0))}


class Net(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x_num: Tensor) -> Tensor:
        return self.layers(x_num)


class MixesDimensions(nn.Module):
    """Right for (B, D), wrong for (R, B, D): only `vmap` may stack it."""

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
    """Embeds, and mixes rows' dimensions, so that no stack of layers takes it."""

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
    assert choose_strategy(network, batch, asked="auto", n_replicas=4) == expected


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
def test_auto_takes_the_fastest_way_that_is_right(network: nn.Module, expected: str) -> None:
    assert choose_strategy(network, BATCH, asked="auto", n_replicas=4) == expected


def test_a_strategy_that_would_be_wrong_is_refused() -> None:
    with pytest.raises(StrategyError, match="BranchesOnValues"):
        choose_strategy(BranchesOnValues(), BATCH, asked="vmap", n_replicas=4)
    with pytest.raises(StrategyError, match="layers"):
        choose_strategy(MixesDimensions(), BATCH, asked="layers", n_replicas=4)


def test_the_choice_leaves_network_and_generator_alone() -> None:
    network = Net(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.AlphaDropout(0.2))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    generator = torch.get_rng_state()
    choose_strategy(network, BATCH, asked="auto", n_replicas=4)
    assert torch.equal(generator, torch.get_rng_state())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize("fits", [1, 3, 8, 20])
def test_the_stack_is_halved_until_it_fits(fits: int) -> None:
    tried = []

    def attempt(size: int) -> None:
        tried.append(size)
        if size > fits:
            raise torch.OutOfMemoryError("no memory left")

    assert largest_that_fits(20, attempt) == tried[-1] <= fits
    assert tried == [20, 10, 5, 3, 2, 1][: len(tried)]


def test_no_memory_for_even_one_is_an_error() -> None:
    def attempt(_size: int) -> None:
        raise torch.OutOfMemoryError("no memory left")

    with pytest.raises(torch.OutOfMemoryError):
        largest_that_fits(4, attempt)


@pytest.mark.parametrize(("n_items", "most"), [(1, 5), (2, 5), (7, 3), (50, 8), (3, 1)])
@pytest.mark.parametrize("n_workers", [1, 2, 4])
def test_parts_cover_all_items_once_and_keep_all_workers_busy(
    n_items: int, most: int, n_workers: int
) -> None:
    parts = split_evenly(n_items, n_workers=n_workers, most=most)
    assert [at for part in parts for at in part] == list(range(n_items))
    assert all(1 <= len(part) <= most for part in parts)
    assert len(parts) % n_workers == 0 or len(parts) == n_items


def test_workers_compute_on_one_core_each_and_leave_the_setting_alone() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        workers = Workers(2)
        assert workers.map(lambda _: torch.get_num_threads(), [1, 2, 3, 4]) == [1, 1, 1, 1]
        assert torch.get_num_threads() == 2
        assert workers.map(lambda _: torch.get_num_threads(), [1]) == [2]
    finally:
        torch.set_num_threads(before)
