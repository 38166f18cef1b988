"""What each column holds: its kind, missing marks, levels, dates and texts."""

import numpy as np
import pandas as pd
import pytest

from features.tables.schema import Column
from pipelines.drafting.columns import look_at


def facts(*values):
    """Of a column with these texts, the last of them in the test file."""
    table = pd.DataFrame({"x": pd.Series(values, dtype="str")})
    (found,) = look_at(table[:-1], table[-1:], [])
    return found


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (("1", "-2", "0"), "int"),
        (("1", "2.5", "1e3"), "float"),
        (("007", "012"), "text"),
        (("true", "False"), "bool"),
        (("2024-01-31", "2023-12-01"), "date"),
        (("1/2/2020 10:00", "25/12/2020 11:30"), "date"),
        (("red", "1"), "text"),
        (("1" * 25, "2"), "float"),
    ],
)
def test_the_kind_is_told_from_all_values(values, kind):
    assert facts(*values).kind == kind


def test_an_empty_field_and_a_mark_are_missing_numbers():
    found = facts("1", "", "NA", "?")
    assert (found.kind, found.has_empty, found.marks) == ("int", True, ("NA", "?"))


def test_a_dash_is_a_level_unless_a_column_of_numbers_has_it():
    words = {"word": ["-", "up", "down"]}
    (alone,) = look_at(pd.DataFrame(words), pd.DataFrame(words), [])
    beside = look_at(*2 * [pd.DataFrame({**words, "n": ["1", "-", "3"]})], [])[0]
    assert ("-" in alone.levels, alone.marks) == (True, ())
    assert ("-" in beside.levels, beside.marks) == (False, ("-",))


def test_few_levels_are_listed_in_order_and_many_are_counted():
    few, many = facts("b", "a", "b"), facts(*(f"level {n % 30}" for n in range(90)))
    assert (few.levels, few.n_levels) == (("a", "b"), 2)
    assert (many.levels, many.n_levels) == ((), 30)


def test_day_and_month_are_told_by_a_day_beyond_12():
    assert facts("03/04/2020", "25/12/2020").format == "%d/%m/%Y"
    assert facts("03/04/2020", "12/25/2020").format == "%m/%d/%Y"


def test_day_and_month_that_could_be_either_are_told_by_the_order_of_rows():
    found = facts("01/02/2020", "02/02/2020", "01/03/2020")
    assert (found.format, found.is_guessed) == ("%d/%m/%Y", False)
    assert facts("05/02/2020", "01/02/2020").is_guessed


def test_sentences_names_and_codes_differ():
    rng = np.random.default_rng(0)
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]
    sentences = facts(*(" ".join(rng.permutation(words)) for _ in range(50)))
    names = facts(*(f"Ann{n} Berry{n}" for n in range(50)))
    codes = facts(*(f"x{n}" for n in range(50)))
    assert (sentences.is_long, names.is_long) == (True, False)
    assert (names.has_words, codes.has_words, codes.is_unique) == (True, False, True)


def test_a_drafted_column_allows_its_levels_and_says_what_is_missing(files, drafted):
    files.change(
        c=lambda n, rng: rng.choice(["x", "y", "NA"], n), b=lambda n, _: ["", "3"] * (n // 2)
    )
    made = drafted(files)
    assert made.competition.missing == ("NA",)
    assert made.column("c") == Column(name="c", kind="text", allowed=("x", "y"))
    assert made.column("b") == Column(name="b", kind="int", missing=True)
