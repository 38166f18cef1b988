import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from features.encoders.base import EncodingError
from features.encoders.counts import CountVectors, LogCounts, row_statistics

COLUMNS = ("a", "b", "c")


def make_table() -> pd.DataFrame:
    return pd.DataFrame({"a": [0, 1, 7, 3], "b": [0, 0, 2, 0], "c": [5, 5, 5, 5]})


def test_logs_have_mean_0_and_deviation_1():
    x_num = LogCounts(COLUMNS).fit_transform(make_table())["x_num"]
    assert x_num.dtype == np.float32
    assert x_num.shape == (4, 8)
    np.testing.assert_allclose(x_num.mean(axis=0), 0, atol=1e-6)
    varies = x_num.std(axis=0) > 0
    np.testing.assert_allclose(x_num[:, varies].std(axis=0), 1, atol=1e-5)


def test_a_constant_column_becomes_zero():
    assert not LogCounts(COLUMNS).fit_transform(make_table())["x_num"][:, 2].any()


def test_row_statistics_by_hand():
    (row,) = row_statistics(np.array([[0, 1, 7]], dtype=np.float32))
    logs = np.log1p([0, 1, 7])
    np.testing.assert_allclose(row, [np.log(9), 1 / 3, np.log(8), 1 / 3, logs.std()], rtol=1e-6)


def test_each_column_has_a_name():
    for encoder in (LogCounts(COLUMNS), LogCounts(COLUMNS, statistics=False)):
        width = encoder.fit_transform(make_table())["x_num"].shape[1]
        assert len(encoder.names()["x_num"]) == width


@pytest.mark.parametrize("damping", ["log", "root"])
def test_twice_the_counts_of_a_mixture_stay_near(damping):
    table = pd.DataFrame({"a": [40, 80], "b": [20, 40], "c": [0, 0]})
    one, other = CountVectors(COLUMNS, damping=damping).fit_transform(table)["x_num"]
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(one, other, atol=0.03)


def test_roots_are_as_far_apart_as_hellinger_says():
    counts = np.array([[8, 2, 0], [1, 5, 4]])
    points = CountVectors(COLUMNS, damping="root").fit_transform(
        pd.DataFrame(counts, columns=list(COLUMNS))
    )["x_num"]
    one, other = np.sqrt(counts / counts.sum(axis=1, keepdims=True))
    assert np.linalg.norm(points[0] - points[1]) == pytest.approx(np.linalg.norm(one - other))


def test_at_their_own_length_the_size_matters():
    table = pd.DataFrame({"a": [40, 80], "b": [20, 40], "c": [0, 0]})
    one, other = CountVectors(COLUMNS, unit_length=False).fit_transform(table)["x_num"]
    np.testing.assert_allclose(one, np.log1p([40, 20, 0]), rtol=1e-6)
    assert np.linalg.norm(other - one) > 0.5


def test_rare_columns_weigh_more():
    weights = CountVectors(COLUMNS, weighted=True).fit(make_table()).state()["weight"]
    np.testing.assert_allclose(weights, np.log([5 / 4, 5 / 2, 1]), rtol=1e-6)


def test_a_row_without_counts_stays_zero():
    table = pd.concat([make_table(), pd.DataFrame({"a": [0], "b": [0], "c": [0]})])
    assert not CountVectors(COLUMNS).fit_transform(table)["x_num"][-1].any()


@pytest.mark.parametrize("encoder", [LogCounts(COLUMNS), CountVectors(COLUMNS, weighted=True)])
def test_other_rows_leave_the_state_alone(encoder):
    fitted = clone(encoder).fit(make_table())
    before = {name: np.copy(value) for name, value in fitted.state().items()}
    fitted.transform(make_table() * 100)
    for name, value in fitted.state().items():
        np.testing.assert_array_equal(value, before[name])


def test_negative_and_missing_counts_are_refused_together():
    table = make_table().astype(float)
    table.loc[1, "a"], table.loc[2, "c"] = -1, np.nan
    with pytest.raises(EncodingError, match=r"found a negative or missing one in a, c \(first: r"):
        LogCounts(COLUMNS).fit(table)


def test_an_absent_column_is_named():
    with pytest.raises(EncodingError, match="LogCounts reads the columns d"):
        LogCounts((*COLUMNS, "d")).fit(make_table())
