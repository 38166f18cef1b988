import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.encoders.base import EncodingError
from features.encoders.bins import BinPlaces, bin_edges


def places(numbers, **options):
    table = pd.DataFrame({"a": numbers})
    return BinPlaces(("a",), **options).fit_transform(table)["x_bin"][:, 0]


def test_even_numbers_get_even_bins():
    np.testing.assert_allclose(places(np.arange(101.0), n_bins=4), np.arange(101) / 25, atol=0.1)


def test_a_place_is_the_share_of_its_bin():
    encoder = BinPlaces(("a",), n_bins=4).fit(pd.DataFrame({"a": [0, 1, 3, 7, 15]}))
    found = encoder.transform(pd.DataFrame({"a": [2, 11, 99, -5]}))["x_bin"][:, 0]
    np.testing.assert_allclose(found, [1.5, 3.5, 4, 0])


def test_logs_bend_the_bins():
    assert places([0, 9], n_bins=1, logs=True)[0] == 0
    table = pd.DataFrame({"a": [0, 99]})
    middle = BinPlaces(("a",), n_bins=1, logs=True).fit(table)
    np.testing.assert_allclose(middle.transform(pd.DataFrame({"a": [9]}))["x_bin"], [[0.5]])


def test_a_value_that_most_rows_have_takes_one_edge():
    numbers = np.array([0.0] * 95 + [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(bin_edges(numbers, 5), [0, 1, 2, 3, 4, 5])


def test_a_constant_column_has_no_bins():
    assert not places([3.0, 3.0, 3.0]).any()


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.integers(1, 12))
def test_edges_are_as_many_as_there_can_be(numbers, n_bins):
    edges = bin_edges(np.array(numbers, dtype=float), n_bins)
    assert len(edges) == min(n_bins + 1, len(set(numbers)))
    assert (np.diff(edges) > 0).all()
    assert {edges[0], edges[-1]} == {min(numbers), max(numbers)}


def test_a_gap_is_refused():
    with pytest.raises(EncodingError, match="found gaps in a"):
        places([1.0, np.nan])
