"""Tables of pandas and arrays as rows, labels and values as target, and new rows to predict."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import nn

import foldwise
from models.data import TrainingDataError
from tests.line_fit import LABELS, N_ROWS, QUICK, VALUES, X, line

TABLE = pd.DataFrame(X, columns=list("abc"))


@pytest.fixture(scope="module")
def made():
    return foldwise.fit(line(), TABLE, LABELS, folds=3, **QUICK)


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, 2] * 120, dtype="Int64"),
        pd.array([True, False] * 120, dtype="boolean"),
        np.array([True, False] * 120),
        np.arange(N_ROWS, dtype=np.uint8),
        pd.array([0.5, 1.5] * 120, dtype="Float32"),
    ],
)
def test_columns_of_every_kind_of_number_are_taken(column):
    table, as_floats = TABLE.assign(a=column), TABLE.assign(a=column.astype(float))
    quick = QUICK | {"epochs": 2}
    made = foldwise.fit(line(), table, LABELS, **quick)
    np.testing.assert_array_equal(made.oof, foldwise.fit(line(), as_floats, LABELS, **quick).oof)
    np.testing.assert_array_equal(made.predict_proba(table), made.predict_proba(as_floats))


@pytest.mark.parametrize("as_given", [pd.DataFrame, np.asarray, torch.tensor, lambda x: x.tolist()])
def test_whole_numbers_go_to_a_linear_layer_and_to_an_embedding(as_given):
    whole = (X > 0).astype(int)
    quick = QUICK | {"metric": "accuracy", "folds": 3}
    lines = foldwise.fit(line(), as_given(whole), LABELS, **quick)
    floats = foldwise.fit(line(), whole.astype(float), LABELS, **quick)
    np.testing.assert_array_equal(lines.oof, floats.oof)
    build = lambda: nn.Sequential(nn.Embedding(2, 1), nn.Flatten(-2), nn.Linear(3, 1))  # noqa: E731
    embedded = foldwise.fit(build, as_given(whole), LABELS, **quick)
    assert embedded.score > 0.65
    assert embedded.predict(whole.astype(float)).tolist() == embedded.predict(whole).tolist()
    with pytest.raises(TrainingDataError, match="holds fractions, but whole numbers were learned"):
        embedded.predict(X)
    with pytest.raises(TrainingDataError, match=r"beyond the table of an nn.Embedding .*1 to 2"):
        embedded.predict(whole + 1)
    with pytest.raises(TrainingDataError, match=r"beyond the table of an nn.Embedding .*0 to 9"):
        late = whole.copy()
        late[200, 1] = 9
        foldwise.fit(build, late, LABELS, **quick)


def test_codes_in_a_dictionary_may_be_one_column():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.names, self.head = nn.Embedding(4, 2), nn.Linear(5, 1)

        def forward(self, numbers, codes):
            return self.head(torch.cat([numbers, self.names(codes)], dim=-1))

    codes = pd.Series(np.arange(N_ROWS) % 4)
    given = {"numbers": TABLE, "codes": codes}
    both = foldwise.fit(Both, given, LABELS, metric="accuracy", folds=3, **QUICK)
    assert both.score > 0.85
    assert both.predict({"numbers": TABLE[["c", "a", "b"]], "codes": codes}).shape == (N_ROWS,)
    with pytest.raises(TrainingDataError, match="X lacks codes, but the network's forward takes"):
        both.predict({"numbers": TABLE})
    with pytest.raises(TrainingDataError, match="X holds code, but the network's forward takes"):
        foldwise.fit(Both, {"numbers": TABLE, "code": codes}, LABELS)
    with pytest.raises(TrainingDataError, match=r"X\['codes'\] 2"):
        both.predict({"numbers": TABLE, "codes": codes[:2]})


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (TABLE.assign(a=pd.Categorical(LABELS)), r"'a' holds category.*get_dummies.*cat.codes"),
        (TABLE.assign(a=LABELS), "'a' holds str, expected numbers; encode it first"),
        (TABLE.astype(object), r"'a' holds object.*convert it first: X\['a'\].astype\(float\)"),
        (TABLE.assign(a=pd.Timestamp("2020-01-01")), r"take numbers out of it first, as X\['a'\]"),
        (TABLE.assign(b=np.nan), "missing or infinite number in row 0, column 'b'; fill it first"),
        (TABLE.assign(b=pd.array([1, None] * 120, "Int64")), "in row 1, column 'b'"),
        (TABLE.assign(b=np.inf), "missing or infinite number in row 0, column 'b'"),
        (TABLE * 1e300, r"X has .*e\+\d+ in row 0, column 'a', beyond what float32 holds"),
        (TABLE.set_axis(list("aab"), axis=1), "X has two columns 'a'; rename one"),
        (TABLE[[]], "X has no columns"),
        (TABLE[:0], "rows differ in number: X 0, y 240"),
        (TABLE["a"], r"X must have rows and columns.*pass X\[\['a'\]\]"),
        (X.astype(object), r"X holds Python objects such as .*; pass X.astype\(float\)"),
        (X.astype(str), "X holds <U32, expected numbers"),
        ([[1, 2], [3]], "X has rows of different lengths"),
        (csr_matrix(X), r"X is a sparse csr_matrix, expected an array; pass X.toarray\(\)"),
        (None, "X is a NoneType, expected a table of numbers"),
    ],
)
def test_rows_that_are_no_numbers_are_refused_in_one_line(x, message):
    with pytest.raises(TrainingDataError, match=message) as caught:
        foldwise.fit(line(), x, LABELS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["y", "groups", "sample_weight"])
def test_rows_of_different_indexes_are_refused(name):
    given = {"y": LABELS, "folds": 3, name: pd.Series(np.arange(N_ROWS) % 2 + 1.0)}
    foldwise.fit(line(), TABLE, **given | {"groups": None}, **QUICK | {"epochs": 1})
    given[name] = given[name][::-1]
    message = rf"X and {name} have different indexes \(first in row 0: 0 and 239\).*{name}.loc"
    with pytest.raises(TrainingDataError, match=message):
        foldwise.fit(line(), TABLE, **given)
    foldwise.fit(line(), X, **given | {"groups": None}, **QUICK | {"epochs": 1})


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (pd.Series(pd.Categorical(LABELS)), ["left", "right"]),
        (pd.DataFrame({"side": LABELS}), ["left", "right"]),
        (list(LABELS), ["left", "right"]),
        (LABELS == "left", [False, True]),
        (pd.Series(LABELS == "left", dtype="boolean"), [False, True]),
        (pd.Series((LABELS == "left") + 3, dtype="Int64"), [3, 4]),
        (pd.Series((LABELS == "left") + 3.0, dtype=object), [3, 4]),
        (torch.tensor(LABELS == "left"), [False, True]),
    ],
)
def test_labels_of_every_kind_are_taken(y, classes):
    made = foldwise.fit(line(), X, y, folds=3, metric="accuracy", **QUICK)
    assert made.score > 0.9
    assert made.classes_.tolist() == classes
    assert set(made.predict(X).tolist()) == set(classes)


def test_values_of_every_kind_are_taken():
    expected = foldwise.fit(line(), X, VALUES, folds=3, **QUICK).oof
    for y in (pd.Series(VALUES, dtype="Float64"), pd.Series(VALUES, dtype=object), list(VALUES)):
        np.testing.assert_array_equal(foldwise.fit(line(), X, y, folds=3, **QUICK).oof, expected)


def test_several_labels_a_row_are_learned_and_predicted():
    y = pd.DataFrame({"a": X[:, 0] > 0, "b": X[:, 1] > 0})
    made = foldwise.fit(line(2), X, y, loss="multilabel", **QUICK)
    assert made.metric == "log_loss"
    assert made.predict_proba(X).shape == (N_ROWS, 2)
    assert (made.predict(X) == y).to_numpy().mean() > 0.9


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (None, {}, "y is a NoneType, expected one label or value"),
        ([1, "a"] * 120, {}, r"y holds int and str, .*pass y.astype\(str\)"),
        (pd.Series(pd.date_range("2020", periods=N_ROWS)), {}, "y holds datetime64"),
        (np.arange(N_ROWS), {}, "240 different whole numbers.*loss='mse' for values"),
        (np.where(X[:, 0] > 0, np.inf, VALUES), {}, "y is infinite in row"),
        ([np.nan, *VALUES[1:]], {}, "y has a missing value in row 0"),
        (np.eye(3)[np.arange(N_ROWS) % 3], {}, r"pass the labels, y.argmax\(axis=1\)"),
        (X > 0, {}, "y has 3 columns of 0 and 1; pass loss='multilabel'"),
        (LABELS == "left", {"loss": "multilabel"}, "'multilabel' needs y with a column of 0 and 1"),
        (-VALUES, {"loss": "poisson"}, "y holds -.*is for numbers from 0"),
        (VALUES, {"loss": "quantile@7"}, "no level between 0 and 1; pass for example 'quantile"),
        (VALUES, {"loss": None}, "loss is None, expected a name"),
        (VALUES, {"loss": nn.functional.mse_loss}, "loss is mse_loss, expected a name"),
        (VALUES, {"metric": "accuracy"}, "'accuracy' looks at labels, but values .* one of rmse"),
        (LABELS, {"metric": "rmse"}, "'rmse' looks at values, but 2 classes .* one of accuracy"),
    ],
)
def test_a_target_that_leaves_doubt_is_refused_in_one_line(y, options, message):
    with pytest.raises(TrainingDataError, match=message) as caught:
        foldwise.fit(line(), X, y, **options)
    assert "\n" not in str(caught.value)


def test_whole_numbers_may_be_values():
    made = foldwise.fit(line(), X, VALUES.astype(int), loss="mse", **QUICK)
    assert made.metric == "rmse"
    assert made.score < 1


def test_new_rows_are_found_by_their_columns_names(made):
    expected = made.predict_proba(TABLE)
    for table in (TABLE[["c", "a", "b"]], TABLE.assign(more="text")[["more", "b", "c", "a"]]):
        np.testing.assert_array_equal(made.predict_proba(table), expected)
    np.testing.assert_array_equal(made.predict_proba(X), expected)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (TABLE[["a", "c"]], "X lacks 'b'; pass a table with the columns .* 'a', 'b', 'c'"),
        (X[:, :2], r"X has rows of shape \(2,\), but \(3,\) was learned; pass an array \(n, 3\)"),
        (X[0], r"X must have rows and columns.*X\[:1\] for a row"),
        (X[:0], "X has no rows"),
        (TABLE.assign(b=np.nan), "missing or infinite number in row 0, column 'b'"),
        (TABLE.assign(b="text"), "'b' holds str, expected numbers"),
    ],
)
def test_new_rows_of_another_form_are_refused_in_one_line(made, x, message):
    for predict in (made.predict, made.predict_proba):
        with pytest.raises(TrainingDataError, match=message) as caught:
            predict(x)
        assert "\n" not in str(caught.value)
