from __future__ import annotations

import numpy as np
import pytest
import torch

from models.data import CPU, FoldData, training_set
from models.training import tables as module
from models.training.batches import Group
from models.training.tables import EpochRows, Tables

TARGET = np.arange(10)


def training_sets(*inputs):
    """A dataset per fold; fold k trains on all rows but row k."""
    rows = np.arange(10)
    folds = [FoldData(own, rows[rows != k], rows[rows == k]) for k, own in enumerate(inputs)]
    return [training_set(fold, TARGET) for fold in folds]


def test_shared_arrays_are_held_once_and_each_fold_sees_its_own() -> None:
    shared, own = np.arange(10), np.arange(20.0, 40.0).reshape(10, 2)
    inputs = [{"a": shared, "b": own}, {"a": shared, "b": own + 100}, {"a": shared, "b": own}]
    tables = Tables(training_sets(*inputs), torch.float32, CPU)
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
    monkeypatch.setattr(module, "_MOST_BYTES", most_bytes)
    arrays = [np.arange(40, dtype=np.float32).reshape(10, 4) + 100 * fold for fold in range(2)]
    tables = Tables(training_sets(*({"x": array} for array in arrays)), torch.float32, CPU)
    orders = torch.tensor([[3, 1, 7, 0], [9, 2, 5, 4]])
    target, weight = torch.arange(10), torch.linspace(0, 1, 10)
    rows = EpochRows(tables, target[None], weight, orders, torch.tensor([0, 1]))
    batch = rows.batch(Group(low=1, high=2, start=1, size=2))
    np.testing.assert_array_equal(batch.inputs["x"], arrays[1][np.array([[2, 5]])])
    assert batch.target.tolist() == [[2, 5]]
    torch.testing.assert_close(batch.sample_weight, weight[torch.tensor([[2, 5]])])


def test_the_trainer_gathers_what_the_folds_datasets_give():
    arrays = [np.arange(40, dtype=np.float32).reshape(10, 4) + 100 * fold for fold in range(2)]
    inputs = [{"x": array, "codes": np.arange(10)[::-1]} for array in arrays]
    datasets = training_sets(*inputs)
    at = torch.tensor([[4, 0, 7], [1, 1, 8]])  # positions in each fold's dataset
    rows = torch.stack([dataset.rows[own] for dataset, own in zip(datasets, at, strict=True)])
    epoch = EpochRows(
        Tables(datasets, torch.float32, CPU), datasets[0].target[None], None, rows, torch.arange(2)
    )
    batch = epoch.batch(Group(low=0, high=2, start=0, size=3))
    for k, dataset in enumerate(datasets):
        expected, target = dataset.__getitems__(at[k].tolist()).batch
        assert expected.keys() == batch.inputs.keys()
        for key, values in expected.items():
            assert torch.equal(batch.inputs[key][k], values)
        assert torch.equal(batch.target[k], target)
