import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from features.encoders import tabular
from features.encoders.base import EncodingError
from features.encoders.tabular import TabularEncoder


def make_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": [1.0, 3.0, np.nan, 8.0],
            "size": pd.array([2, None, 4, 6], dtype="Int64"),
            "is_woman": [True, False, True, True],
            "port": pd.Series(["S", "C", None, "S"], dtype="str"),
            "pclass": [3, 1, 2, 3],
        }
    )


def test_numbers_are_filled_with_the_median_and_standardised():
    encoder = TabularEncoder(("age", "size", "is_woman"))
    x_num = encoder.fit_transform(make_table())["x_num"]
    age = np.array([1.0, 3.0, 3.0, 8.0])
    assert x_num.dtype == np.float32
    np.testing.assert_allclose(x_num[:, 0], (age - age.mean()) / age.std(), rtol=1e-6)
    np.testing.assert_allclose(x_num.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(x_num.std(axis=0), 1, rtol=1e-6)


def test_codes_count_from_one_and_zero_is_missing_or_unseen():
    encoder = TabularEncoder(("age",), ("port", "pclass")).fit(make_table())
    encoded = encoder.transform(make_table().assign(port=["S", "Q", None, "C"]))
    assert encoded["x_cat"].dtype == np.int64
    assert encoded["x_cat"].tolist() == [[2, 3], [0, 1], [0, 2], [1, 3]]
    assert encoder.cardinalities() == (3, 4)
    assert encoder.names() == {"x_num": ["age"], "x_cat": ["port", "pclass"]}


def test_one_hot_stands_behind_the_numbers_and_the_unknown_is_all_zeros():
    encoder = TabularEncoder(
        ("age",),
        ("port",),
        categories="one_hot",
        missing_indicators=True,
        levels={"port": ("C", "S")},
    )
    encoder.fit(make_table())
    encoded = encoder.transform(make_table().assign(port=["S", "Q", None, "C"]))
    assert encoder.names() == {"x_num": ["age", "age missing", "port=C", "port=S"]}
    assert encoded.keys() == {"x_num"}
    expected = [[0, 0, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0]]
    np.testing.assert_array_equal(encoded["x_num"][:, 1:], expected)
    assert encoder.cardinalities() == ()


def test_folds_have_the_same_columns_whatever_their_training_rows_lack():
    encoder = TabularEncoder(
        ("age",),
        ("port",),
        categories="one_hot",
        missing_indicators=True,
        levels={"port": ("C", "Q", "S")},
    )
    without_gap_or_c = clone(encoder).fit(make_table().iloc[[0, 3]])
    with_both = clone(encoder).fit(make_table())
    assert without_gap_or_c.names() == with_both.names()
    encoded = without_gap_or_c.transform(make_table())["x_num"]
    np.testing.assert_array_equal(encoded[:, 1:], with_both.transform(make_table())["x_num"][:, 1:])


def test_one_hot_without_levels_is_refused():
    encoder = TabularEncoder((), ("port", "pclass"), categories="one_hot", levels={"port": "CQS"})
    with pytest.raises(EncodingError, match="one_hot needs the levels of pclass"):
        encoder.fit(make_table())


def test_rare_categories_count_as_unseen():
    encoder = TabularEncoder((), ("port",), min_count=2).fit(make_table())
    assert encoder.transform(make_table())["x_cat"].ravel().tolist() == [1, 0, 0, 1]


def test_trees_get_numbers_as_they_are():
    x_num = TabularEncoder(("age", "size"), scaling="none").fit_transform(make_table())["x_num"]
    np.testing.assert_array_equal(x_num, [[1, 2], [3, np.nan], [np.nan, 4], [8, 6]])


def test_quantiles_do_not_care_about_the_scale():
    table = pd.DataFrame({"fare": np.random.default_rng(0).exponential(size=200)})
    encoder = TabularEncoder(("fare",), scaling="quantile")
    one = encoder.fit_transform(table)["x_num"]
    other = clone(encoder).fit_transform(table**3)["x_num"]
    np.testing.assert_allclose(one, other, atol=1e-5)
    assert abs(one.mean()) < 0.01
    assert 0.95 < one.std() < 1.05
    assert one.max() < 3.5


def test_equal_numbers_share_the_middle_quantile():
    table = pd.DataFrame({"size": [1.0] * 60 + [2.0] * 40})
    x_num = TabularEncoder(("size",), scaling="quantile").fit_transform(table)["x_num"]
    # 60 of 100 rows share the ranks up to 0.6, so their middle is 0.3; 40 share 0.6 to 1
    np.testing.assert_allclose(np.unique(x_num), [-0.524, 0.842], atol=0.03)


@pytest.mark.parametrize("scaling", ["standard", "quantile"])
def test_a_column_without_any_number_becomes_constant(scaling):
    table = make_table().assign(age=np.nan)
    encoder = TabularEncoder(("age",), scaling=scaling, missing_indicators=True)
    x_num = encoder.fit_transform(table)["x_num"]
    assert np.isfinite(x_num).all()
    assert len(np.unique(x_num[:, 0])) == 1
    assert (x_num[:, 1] == 1).all()


@pytest.mark.parametrize("scaling", ["standard", "quantile"])
def test_a_constant_column_becomes_zero(scaling):
    table = pd.DataFrame({"fare": [0.1] * 7})
    x_num = TabularEncoder(("fare",), scaling=scaling).fit_transform(table)["x_num"]
    np.testing.assert_allclose(x_num, 0, atol=1e-6)


def test_one_row_is_enough():
    encoder = TabularEncoder(("age", "size"), ("port",), missing_indicators=True)
    encoded = encoder.fit_transform(make_table().iloc[[0]])
    assert encoded["x_num"].tolist() == [[0, 0, 0, 0]]
    assert encoded["x_cat"].tolist() == [[1]]
    assert encoder.transform(make_table().iloc[[1]])["x_num"].tolist() == [[2, 0, 0, 1]]


def test_a_row_is_encoded_alike_alone_and_in_company():
    encoder = TabularEncoder(("age", "size"), ("port",), scaling="quantile").fit(make_table())
    together = encoder.transform(make_table())["x_num"]
    alone = [encoder.transform(make_table().iloc[[i]])["x_num"][0] for i in range(4)]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("scaling", ["standard", "quantile", "none"])
def test_a_changed_held_out_row_leaves_the_state_as_it_was(scaling):
    encoder = TabularEncoder(("age", "size"), ("port",), scaling=scaling, missing_indicators=True)
    table = make_table()
    expected = clone(encoder).fit(table.iloc[:3]).state()
    changed = table.copy()
    changed.loc[3, ["age", "port"]] = [1e6, "Q"]
    found = clone(encoder).fit(changed.iloc[:3])
    found.transform(changed.iloc[3:])
    for name, value in expected.items():
        np.testing.assert_array_equal(found.state()[name], value, err_msg=name)
    assert clone(encoder).fit(changed).state()["medians"][0] != expected["medians"][0]


@pytest.mark.parametrize("name", [3, None, [3], {"a": 1}, object()])
@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_what_is_no_name_of_a_column_is_reported(kind, name):
    with pytest.raises(EncodingError) as caught:
        TabularEncoder(**{kind: [name]}).fit(make_table())
    assert f"TabularEncoder reads the columns {name}, found only age" in str(caught.value)


def test_faults_are_reported():
    with pytest.raises(EncodingError, match="reads the columns fare, deck, found only age"):
        TabularEncoder(("age", "fare"), ("deck",)).fit(make_table())
    encoder = TabularEncoder(("age",)).fit(make_table())
    with pytest.raises(EncodingError, match="reads the columns age"):
        encoder.transform(make_table()[["port"]])
    with pytest.raises(NotFittedError):
        TabularEncoder(("age",)).transform(make_table())


def test_names_without_a_star_are_not_compared_with_every_column(monkeypatch):
    table = pd.DataFrame({"a": [1.0, 2.0], "b_1": [3.0, 5.0], "b_2": [4.0, 6.0]})
    assert TabularEncoder(["b_*", "a"]).fit(table).numeric_ == ["b_1", "b_2", "a"]
    compared = []
    monkeypatch.setattr(tabular.fnmatch, "fnmatchcase", lambda *pair: compared.append(pair))
    TabularEncoder(["a", "b_1"]).fit(table)  # with two thousand columns, four million comparisons
    assert compared == []
