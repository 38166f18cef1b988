"""What a person learns of the rows and columns."""

import numpy as np
import pandas as pd
import pytest


def notes(made):
    return [line for line in made.printed.splitlines() if line.startswith("note")]


def said(made, text):
    return [line for line in notes(made) if text in line]


def test_plain_tables_have_no_note(files, drafted):
    assert notes(drafted(files)) == []


def test_duplicates_and_overlap_are_counted(files, drafted):
    files.train = pd.concat([files.train, files.train.head(3).assign(id=[1, 2, 3])])
    features = ["a", "b", "c"]
    files.test.loc[files.test.index[:2], features] = files.train[features].iloc[5:7].to_numpy()
    made = drafted(files)
    assert said(made, "duplicates: 3 training rows have an earlier one's values")
    assert said(made, "overlap: 2 test rows have a training row's values")
    docstring = made.text.split('"""')[1]
    assert "- 3 training rows have an earlier one's values" in docstring


def test_a_constant_column_is_named_and_not_used(files, drafted):
    made = drafted(files.change(k=lambda n, _: [7] * n))
    assert said(made, "constant: k holds one value only")
    assert "# not used: holds one value only" in made.text


def test_many_levels_are_counted(files, drafted):
    files.change(town=lambda n, rng: [f"t{x}" for x in rng.integers(0, 350, n)])
    (line,) = said(drafted(files), "levels: town has ")
    assert int(line.split("has ")[1].split(" ")[0]) > 200


def test_a_column_that_drifts_is_named(files, drafted):
    files.test["a"] += 2
    made = drafted(files)
    assert said(made, "drift: a differs between training and test rows")
    assert "# training and test rows differ: a" in made.text


@pytest.mark.parametrize("kind", ["values", "classes"])
def test_a_column_that_knows_the_target_is_named(kind, files, drafted):
    y = files.train["y"].to_numpy()
    if kind == "classes":
        files.target((y > 0.5).astype(int), 0.5)
    files.train["knows"] = y if kind == "values" else 10 * files.train["y"] + 3
    files.test["knows"] = np.random.default_rng(0).choice(files.train["knows"], len(files.test))
    made = drafted(files, metric="rmse" if kind == "values" else "auc")
    assert said(made, "leak?: knows alone all but tells the target")
    assert len(said(made, "leak?")) == 1
    assert "# all but tells the target; known in time?: knows" in made.text


def test_dates_that_could_be_read_in_two_ways_are_named(files, drafted):
    files.change(
        day=lambda n, rng: [f"{x:02d}/{y:02d}/2020" for x, y in rng.integers(1, 13, (n, 2))]
    )
    made = drafted(files)
    assert said(made, "dates: day are read as %d/%m/%Y: day or month first?")
    assert "# guess: day before month or after it?: day" in made.text
