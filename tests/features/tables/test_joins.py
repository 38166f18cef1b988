import re

import numpy as np
import pandas as pd
import pytest

from features.tables.joins import join_by_key
from features.tables.text_file import TableError

SALES = pd.DataFrame(
    {"store": [3, 1, 9, 1], "day": ["b", "a", "a", "z"], "sold": [1.5, 2, 3, 4]},
    index=[10, 11, 12, 13],
)
STORES = pd.DataFrame(
    {
        "city": pd.Series(["Quito", "Loja", "Puyo"], dtype="str"),
        "store": [1, 2, 3],
        "size": [100, 2**60 + 1, 300],
        "open": [True, False, False],
        "since": pd.to_datetime(["2001-01-01", "2002-01-01", "2003-01-01"]).as_unit("us"),
        "pixels": np.array([1, 2, 3], np.uint8),
    }
)


def test_each_row_gets_what_stands_under_its_key():
    joined = join_by_key(SALES, STORES, on=["store"], file="stores.csv")
    assert joined.columns.tolist() == [*SALES, "city", "size", "open", "since", "pixels"]
    pd.testing.assert_frame_equal(joined[list(SALES)], SALES)
    assert joined["city"].fillna("?").tolist() == ["Puyo", "Quito", "?", "Quito"]
    assert joined["size"].tolist() == [300, 100, pd.NA, 100]
    assert joined["open"].tolist() == [False, True, pd.NA, True]
    assert joined["since"].isna().tolist() == [False, False, True, False]


def test_types_do_not_depend_on_whether_a_row_is_without_a_match():
    some = join_by_key(SALES, STORES, on=["store"], file="stores.csv")
    all_found = join_by_key(SALES[SALES["store"] < 9], STORES, on=["store"], file="stores.csv")
    assert some.dtypes.tolist() == all_found.dtypes.tolist()
    added = [str(dtype) for dtype in some.dtypes[3:]]
    assert added == ["str", "Int64", "boolean", "datetime64[us]", "UInt8"]


def test_a_key_of_several_columns():
    prices = pd.DataFrame({"day": ["a", "b", "a"], "store": [1, 3, 3], "price": [7, 8, 9]})
    joined = join_by_key(SALES, prices, on=["store", "day"], file="prices.csv")
    assert joined["price"].tolist() == [8, 7, pd.NA, pd.NA]


def test_a_row_without_a_key_matches_nothing():
    table = pd.DataFrame({"k": pd.Series([1, None], dtype="Int64")})
    other = pd.DataFrame({"k": pd.Series([None, 1, None], dtype="Int64"), "v": [5, 6, 7]})
    assert join_by_key(table, other, on=["k"], file="x.csv")["v"].tolist() == [6, pd.NA]


def test_a_column_may_have_any_name():
    table = pd.DataFrame({"row": [2, 1], "0": [5, 6]})
    other = pd.DataFrame({"row": [1, 2], "n": [7, 8]})
    joined = join_by_key(table, other, on=["row"], file="x.csv")
    assert joined["n"].tolist() == [8, 7]


@pytest.mark.parametrize(
    ("other", "on", "told"),
    [
        (
            pd.DataFrame({"store": [1, 2, 1, 2], "day": list("aaab"), "v": 0}),
            ["store", "day"],
            "key 'store', 'day': found store=1, day=a in rows 1, 3, expected each once",
        ),
        (
            pd.DataFrame({"store": [1, 2, 1, 2], "v": 0}),
            ["store"],
            "found store=1 in rows 1, 3 (and 1 more such rows), expected each once",
        ),
        (pd.DataFrame({"shop": [1]}), ["store"], "no column 'store' in the further file"),
        (pd.DataFrame({"shop": [1]}), ["shop"], "no column 'shop' in the table that it joins"),
        (pd.DataFrame({"store": ["1"]}), ["store"], "the key 'store' as str, but int64 in the"),
        (pd.DataFrame({"store": [1], "sold": [1]}), ["store"], "column 'sold' in both files"),
    ],
)
def test_a_further_file_that_does_not_fit(other, on, told):
    with pytest.raises(TableError, match=re.escape(told)) as caught:
        join_by_key(SALES, other, on=on, file="other.csv")
    assert str(caught.value).startswith("other.csv: ")
    assert ". Next: " in str(caught.value)
