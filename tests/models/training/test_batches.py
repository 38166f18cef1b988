import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.training import batches
from models.training.batches import EpochRows, Group, Tables, batch_sizes, epoch_steps

CPU = torch.device("cpu")


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
    for own, n_rows in zip(seen, lengths, strict=True):
        assert [size for _, size in own] == batch_sizes(n_rows, batch_size)
        assert [start for start, _ in own] == [
            sum(size for _, size in own[:i]) for i in range(len(own))
        ]


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "sizes"),
    [(10, 4, [4, 4, 2]), (9, 4, [4, 4]), (8, 4, [4, 4]), (3, 8, [3]), (5, None, [5]), (1, 4, [1])],
)
def test_only_a_last_batch_of_one_row_is_left_out(
    n_rows: int, batch_size: int | None, sizes: list[int]
) -> None:
    assert batch_sizes(n_rows, batch_size) == sizes


def test_shared_arrays_are_held_once_and_each_fold_sees_its_own() -> None:
    shared, own = np.arange(10), np.arange(20.0, 40.0).reshape(10, 2)
    inputs = [{"a": shared, "b": own}, {"a": shared, "b": own + 100}, {"a": shared, "b": own}]
    tables = Tables(inputs, torch.float32, CPU)
    assert tables.tables["a"].shape == (10,)
    assert tables.tables["a"].data_ptr() == shared.ctypes.data
    assert tables.tables["b"].shape == (20, 2)
    rows = torch.tensor([[0, 9], [3, 3], [1, 2]])
    batch = tables.gather(rows, torch.tensor([0, 1, 2]))
    assert batch["a"].tolist() == rows.tolist()
    for k in range(3):
        np.testing.assert_array_equal(batch["b"][k], inputs[k]["b"][rows[k]])


@pytest.mark.parametrize("most_bytes", [0, 1 << 30])
def test_an_epoch_gathered_at_once_gives_the_batches_of_single_steps(monkeypatch, most_bytes):
    monkeypatch.setattr(batches, "_MOST_BYTES", most_bytes)
    arrays = [np.arange(40, dtype=np.float32).reshape(10, 4) + 100 * fold for fold in range(2)]
    tables = Tables([{"x": array} for array in arrays], torch.float32, torch.device("cpu"))
    orders = torch.tensor([[3, 1, 7, 0], [9, 2, 5, 4]])
    target, weight = torch.arange(10), torch.linspace(0, 1, 10)
    rows = EpochRows(tables, target, weight, orders, torch.tensor([0, 1]))
    batch = rows.batch(Group(low=1, high=2, start=1, size=2))
    np.testing.assert_array_equal(batch.inputs["x"], arrays[1][np.array([[2, 5]])])
    assert batch.target.tolist() == [[2, 5]]
    torch.testing.assert_close(batch.sample_weight, weight[torch.tensor([[2, 5]])])
