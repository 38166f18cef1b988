from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import models.data
from models.architectures.linear import LinearSettings
from models.data import (
    EncodedDataset,
    FoldData,
    InputShape,
    held_out_set,
    training_set,
    whole_batch,
)


def dataset(rows=(5, 0, 3, 4)):
    inputs = {"x_num": np.arange(12.0, dtype=np.float32).reshape(6, 2), "x_cat": np.arange(6)}
    return EncodedDataset(inputs, np.arange(6) * 10, np.array(rows))


def test_a_row_is_the_one_at_its_place_in_the_rows():
    inputs, target = dataset()[2]
    assert inputs["x_num"].tolist() == [6.0, 7.0]
    assert (inputs["x_cat"].item(), target.item()) == (3, 30)
    assert len(dataset()) == 4


def test_a_batch_is_gathered_at_once_and_reads_as_its_rows():
    rows = dataset().__getitems__([3, 0])
    batch, target = rows.batch
    assert batch["x_num"].tolist() == [[8.0, 9.0], [10.0, 11.0]]
    assert target.tolist() == [40, 50]
    assert len(rows) == 2
    assert rows[1][0]["x_num"].tolist() == dataset()[0][0]["x_num"].tolist()


@pytest.mark.parametrize("options", [{}, {"collate_fn": whole_batch}], ids=["plain", "whole"])
def test_a_data_loader_gives_batches_with_and_without_whole_batch(options):
    batches = list(DataLoader(dataset(), batch_size=3, **options))
    assert [len(target) for _, target in batches] == [3, 1]
    assert torch.cat([target for _, target in batches]).tolist() == [50, 0, 30, 40]
    inputs, _ = batches[0]
    assert inputs["x_num"].tolist() == [[10.0, 11.0], [0.0, 1.0], [6.0, 7.0]]
    assert inputs["x_cat"].tolist() == [5, 0, 3]


def test_a_data_loader_shuffles_and_uses_worker_processes():
    generator = torch.Generator().manual_seed(0)
    loader = DataLoader(dataset(), batch_size=2, shuffle=True, num_workers=1, generator=generator)
    targets = [value for _, target in loader for value in target.tolist()]
    assert sorted(targets) == [0, 30, 40, 50]


@pytest.mark.parametrize("options", [{}, {"collate_fn": whole_batch}], ids=["plain", "whole"])
def test_a_plain_loop_over_a_fold_learns_its_training_rows(options):
    torch.manual_seed(0)
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    target = (x[:, 0] > 0).astype(np.int64)
    fold = FoldData({"x_num": x}, np.arange(150), np.arange(150, 200))
    model = LinearSettings().build(InputShape(n_num=3), 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    loss_fn = nn.CrossEntropyLoss()
    loader = DataLoader(training_set(fold, target), batch_size=25, shuffle=True, **options)
    for _ in range(10):
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss_fn(model(**inputs), labels).backward()
            optimizer.step()
    held_out = DataLoader(held_out_set(fold, target), batch_size=50, **options)
    ((inputs, labels),) = held_out
    assert (model(**inputs).argmax(dim=1) == labels).float().mean() > 0.9


def test_the_docstring_example_runs():
    result = doctest.testmod(models.data)
    assert (result.attempted > 4, result.failed) == (True, 0)


def test_a_read_only_array_is_taken_without_a_warning():
    x = np.ones((3, 1), dtype=np.float32)
    x.setflags(write=False)
    made = EncodedDataset({"x_num": x}, np.zeros(3, dtype=np.int64), np.arange(3))
    assert made[1][0]["x_num"].item() == 1


def test_arrays_are_shared_and_never_copied():
    x = np.zeros((3, 1), dtype=np.float32)
    made = EncodedDataset({"x_num": x}, np.zeros(3, dtype=np.int64), np.arange(3))
    x[1] = 7
    assert made[1][0]["x_num"].item() == 7
