import numpy as np
import torch
from torch.utils.data import DataLoader

from models.data import EncodedDataset, whole_batch


def dataset(rows=(5, 0, 3, 4)):
    inputs = {"x_num": np.arange(12.0, dtype=np.float32).reshape(6, 2), "x_cat": np.arange(6)}
    return EncodedDataset(inputs, np.arange(6) * 10, np.array(rows))


def test_a_row_is_the_one_at_its_place_in_the_rows():
    inputs, target = dataset()[2]
    assert inputs["x_num"].tolist() == [6.0, 7.0]
    assert (inputs["x_cat"].item(), target.item()) == (3, 30)
    assert len(dataset()) == 4


def test_a_batch_is_gathered_at_once_and_is_the_rows_put_together():
    batch, target = dataset().__getitems__([3, 0])
    assert batch["x_num"].tolist() == [[8.0, 9.0], [10.0, 11.0]]
    assert target.tolist() == [40, 50]


def test_a_data_loader_takes_whole_batches():
    loader = DataLoader(dataset(), batch_size=3, collate_fn=whole_batch)
    targets = [target for _, target in loader]
    assert [len(target) for target in targets] == [3, 1]
    assert torch.cat(targets).tolist() == [50, 0, 30, 40]


def test_arrays_are_shared_and_never_copied():
    x = np.zeros((3, 1), dtype=np.float32)
    made = EncodedDataset({"x_num": x}, np.zeros(3, dtype=np.int64), np.arange(3))
    x[1] = 7
    assert made[1][0]["x_num"].item() == 7
