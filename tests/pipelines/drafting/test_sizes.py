"""The sizes of a drafted competition's members and folds."""

import pytest

from pipelines.drafting.sizes import n_folds


@pytest.mark.parametrize(
    ("n_rows", "n_outputs", "expected"),
    [
        (500, 9, 10),
        (1_999, 100, 10),
        (5_000, 6, 10),
        (10_000, 1, 10),
        (10_000, 9, 5),
        (20_000, 1, 5),
    ],
)
def test_ten_folds_where_the_time_allows_them(n_rows, n_outputs, expected):
    assert n_folds(n_rows, n_outputs) == expected
