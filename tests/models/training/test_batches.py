from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.training.batches import batch_sizes, epoch_steps


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
