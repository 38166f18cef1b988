from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.architectures.recurrent import RecurrentSettings
from models.data import InputShape
from models.losses import LOSSES
from models.metrics import METRICS
from models.training.batches import batch_sizes, bucketed, epoch_steps, sorted_by_length, trimmed
from models.training.fit import FoldData, Objective, TrainingDataError, TrainSettings, fit


@given(
    lengths=st.lists(st.integers(2, 60), min_size=1, max_size=6).map(sorted),
    batch_size=st.one_of(st.none(), st.integers(2, 40)),
)
def test_each_replica_gets_the_batches_that_it_would_get_alone(
    lengths: list[int], batch_size: int | None
) -> None:
    seen: list[list[tuple[int, int]]] = [[] for _ in lengths]
    for groups in epoch_steps(lengths, batch_size):
        assert len({g.size for g in groups}) == len(groups)  # equal batches are in one group
        for group in groups:
            for replica in range(group.low, group.high):
                seen[replica].append((group.start, group.size))
    for batches, n_rows in zip(seen, lengths, strict=True):
        assert [size for _, size in batches] == batch_sizes(n_rows, batch_size)
        assert [start for start, _ in batches] == [
            sum(size for _, size in batches[:i]) for i in range(len(batches))
        ]


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "sizes"),
    [(10, 4, [4, 4, 2]), (9, 4, [4, 4]), (8, 4, [4, 4]), (3, 8, [3]), (5, None, [5]), (1, 4, [1])],
)
def test_only_a_last_batch_of_one_row_is_left_out(
    n_rows: int, batch_size: int | None, sizes: list[int]
) -> None:
    assert batch_sizes(n_rows, batch_size) == sizes


def buckets(n_rows: int, batch_size: int, pool: int) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.from_numpy(np.random.default_rng(0).integers(1, 40, n_rows))
    rows = torch.randperm(n_rows, generator=torch.Generator().manual_seed(2))
    own = bucketed(
        rows,
        lengths[rows],
        batch_size=batch_size,
        pool=pool,
        generator=torch.Generator().manual_seed(1),
    )
    return own, lengths


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 9))
def test_every_row_stands_once_in_an_epoch(n_rows: int, batch_size: int, pool: int) -> None:
    own, _ = buckets(n_rows, batch_size, pool)
    assert sorted(own.tolist()) == list(range(n_rows))


def test_batches_hold_rows_of_like_length_in_no_order() -> None:
    own, lengths = buckets(1010, 10, 50)
    spans = [int(lengths[b].max() - lengths[b].min()) for b in own[:1000].split(10)]
    assert np.mean(spans) < 2
    means = [float(lengths[batch].double().mean()) for batch in own[:1000].split(10)]
    assert abs(np.corrcoef(means, range(100))[0, 1]) < 0.3


def test_trimmed_cuts_the_tokens_to_the_longest_row() -> None:
    numbers = torch.ones(2, 3, 9)
    lengths = torch.tensor([[2, 4, 1], [3, 5, 2]])
    cut = trimmed({"tokens": numbers, "spelling": numbers, "lengths": lengths, "x_num": numbers})
    assert cut["tokens"].shape == cut["spelling"].shape == (2, 3, 5)
    assert cut["x_num"].shape == (2, 3, 9)


def test_sorted_results_come_back_in_the_rows_own_order() -> None:
    lengths = torch.tensor([5, 1, 3, 1, 9])
    calls: list[list[int]] = []

    def run(at: torch.Tensor) -> torch.Tensor:
        calls.append(lengths[at].tolist())
        return at * 10

    assert sorted_by_length(run, lengths, batch_size=2).tolist() == [0, 10, 20, 30, 40]
    assert calls == [[1, 1], [3, 5], [9]]


def test_length_pool_refuses_stacks_and_inputs_without_lengths() -> None:
    with pytest.raises(ValidationError, match="length_pool must be used with strategy"):
        TrainSettings(length_pool=5, strategy="vmap")
    fold = FoldData({"tokens": np.ones((4, 2), np.int64)}, np.arange(3), np.arange(3, 4))
    with pytest.raises(TrainingDataError, match="must hold tokens and lengths, got tokens"):
        fit(
            lambda: RecurrentSettings().build(InputShape(n_tokens=3), 2),
            [fold],
            np.array([0, 1, 0, 1]),
            TrainSettings(length_pool=5),
            Objective(LOSSES["cross_entropy"], METRICS["accuracy"]),
            device="cpu",
        )


def test_new_rows_are_predicted_as_held_out_rows_are() -> None:
    rng = np.random.default_rng(3)
    lengths = rng.integers(1, 9, 90)
    inputs = {
        "tokens": np.where(np.arange(8) < lengths[:, None], rng.integers(1, 20, (90, 8)), 0),
        "lengths": lengths,
    }
    held_out = np.arange(60, 90)
    fitted = fit(
        lambda: RecurrentSettings(hidden=4, embedding_size=4).build(InputShape(n_tokens=20), 3),
        [FoldData(inputs, np.arange(60), held_out)],
        rng.integers(0, 3, 90),
        TrainSettings(epochs=2, batch_size=16, length_pool=2, eval_batch_size=4),
        Objective(LOSSES["cross_entropy"], METRICS["accuracy"]),
        device="cpu",
    )
    new = {key: array[held_out] for key, array in inputs.items()}
    np.testing.assert_allclose(
        fitted.predict_mean([new]), fitted.replicas[0].valid_predictions, atol=1e-6
    )
