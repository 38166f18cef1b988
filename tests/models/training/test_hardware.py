from __future__ import annotations

import warnings

import pytest
import torch

from models.training.hardware import (
    Workers,
    accept_compacted_weights,
    split_evenly,
)


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


def test_advice_to_compact_weights_is_silenced() -> None:
    accept_compacted_weights()
    warnings.warn(
        "RNN module weights are not part of single contiguous chunk of memory. This means they "
        "need to be compacted at every call",
        stacklevel=1,
    )
