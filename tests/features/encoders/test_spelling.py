import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.encoders.spelling import (
    APOSTROPHE,
    BITS,
    CAPITAL,
    DIGIT,
    HYPHEN,
    N_LETTERS,
    OTHER,
    spelling,
)
from features.encoders.text import TextEncoder


def letters(word: str) -> list[int]:
    packed = spelling(word) & (CAPITAL - 1)
    return [packed >> (BITS * at) & 31 for at in range(N_LETTERS)]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("az", [1, 26]),
        ("it's", [9, 20, APOSTROPHE, 19]),
        ("90-é", [DIGIT, DIGIT, HYPHEN, OTHER]),
        ("abcdefuvwxyz", [1, 2, 3, 4, 5, 6, 21, 22, 23, 24, 25, 26]),
        ("abcdef-long-uvwxyz", [1, 2, 3, 4, 5, 6, 21, 22, 23, 24, 25, 26]),
    ],
)
def test_letters_stand_in_order_and_a_long_word_keeps_its_ends(
    word: str, expected: list[int]
) -> None:
    assert letters(word) == expected + [0] * (N_LETTERS - len(expected))


def test_a_capital_is_a_bit_of_its_own() -> None:
    assert spelling("Film") == spelling("film") | CAPITAL
    assert letters("FILM") == letters("film")


@given(st.text(min_size=1))
def test_any_token_fits_into_a_signed_number(word: str) -> None:
    assert 0 < spelling(word) < 1 << 61


def table(*texts: str) -> pd.DataFrame:
    return pd.DataFrame({"Phrase": pd.Series(texts, dtype="str")})


def test_unknown_words_are_spelled_with_their_capitals_and_padding_is_not() -> None:
    encoder = TextEncoder("Phrase", spelled=True).fit(table("a good film", "good"))
    encoded = encoder.transform(table("Bad film", ""))
    assert encoded["tokens"].tolist() == [[1, encoder.vocabulary_.index("film"), 0], [1, 0, 0]]
    assert encoded["spelling"].dtype == np.int64
    assert encoded["spelling"].tolist() == [[spelling("Bad"), spelling("film"), 0], [0, 0, 0]]
    assert list(encoder.names()) == ["tokens", "lengths", "spelling"]


def test_a_long_text_is_spelled_where_it_is_kept() -> None:
    encoder = TextEncoder("Phrase", spelled=True, max_len=3).fit(table("a b c"))
    encoded = encoder.transform(table("a b x y c"))
    assert encoded["spelling"].tolist() == [[spelling("a"), spelling("b"), spelling("c")]]


def test_a_capital_that_folds_to_two_letters_stays_one_token() -> None:
    encoder = TextEncoder("Phrase", unit="char", spelled=True).fit(table("\u0130a"))
    encoded = encoder.transform(table("\u0130a"))
    assert np.count_nonzero(encoded["spelling"]) == encoded["lengths"][0] == 2
