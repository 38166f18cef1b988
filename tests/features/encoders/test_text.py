import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from features.encoders.base import EncodingError
from features.encoders.text import SPECIAL, TextEncoder, tokens, vocabulary, words

SEEN = ["a good film", "A good , good cast", "not a film"]


def table(*texts: str | None) -> pd.DataFrame:
    return pd.DataFrame({"Phrase": pd.Series(texts, dtype="str")})


def fitted(**settings: object) -> TextEncoder:
    return TextEncoder("Phrase", **settings).fit(table(*SEEN))


def message(encoder: TextEncoder, text: str) -> list[str]:
    encoded = encoder.transform(table(text))
    return [encoder.vocabulary_[i] for i in encoded["tokens"][0, : encoded["lengths"][0]]]


@pytest.mark.parametrize(
    "split",
    ["it is n't good , it 's well-made ... -lrb- 90-minute -rrb- -- `` u.s. ''"],
)
def test_text_that_is_split_already_stays_as_it_is(split: str) -> None:
    assert " ".join(words(split)).replace("u.s .", "u.s.") == split


def test_typed_text_is_split_like_the_files() -> None:
    assert words("They didn't like it; it's dull!") == [
        *("They", "did", "n't", "like", "it", ";", "it", "'s", "dull", "!")
    ]
    assert tokens("Ab é", unit="char") == ["a", "b", " ", "é"]


def test_the_vocabulary_is_counted_frequent_first_and_rare_words_are_unknown() -> None:
    assert vocabulary([["b", "a"], ["a", "c", "b"], ["d"]], min_count=2) == [*SPECIAL, "a", "b"]
    encoder = fitted(min_count=2)
    assert encoder.vocabulary_ == [*SPECIAL, "a", "good", "film"]
    assert message(encoder, "a bad film") == ["a", "<unknown>", "film"]
    assert encoder.coverage(table("a bad film", "")) == pytest.approx(2 / 3)


def test_rows_are_padded_to_the_longest_text_seen() -> None:
    encoder = TextEncoder("Phrase")
    encoded = encoder.fit_transform(table(*SEEN), np.zeros(3, dtype=np.int64))
    assert encoded["tokens"].dtype == encoded["lengths"].dtype == np.int64
    assert encoded["tokens"].shape == (3, 5)
    assert encoded["lengths"].tolist() == [3, 5, 3]
    assert (encoded["tokens"] == 0).sum() == 4
    assert [len(names) for names in encoder.names().values()] == [5, 1]


@pytest.mark.parametrize("text", ["", " ", "\u2003", "zzz", "🎬"])
def test_texts_without_a_known_word_are_one_unknown_word(text: str) -> None:
    assert message(fitted(), text) == ["<unknown>"]


def test_special_names_in_a_text_are_unknown_words() -> None:
    encoded = fitted().transform(table("<padding> <unknown>"))
    assert 0 not in encoded["tokens"][0, : encoded["lengths"][0]]


def test_emoji_are_words_of_their_own() -> None:
    encoder = TextEncoder("Phrase").fit(table("great 🎬🎬 film", "so so"))
    assert message(encoder, "🎬film") == ["🎬", "film"]


def test_ten_thousand_words_keep_beginning_and_end() -> None:
    encoder = fitted()
    long = " ".join(["good", *["dull"] * 10_000, "film"])
    assert message(encoder, long) == ["good", *["<unknown>"] * 3, "film"]
    capped = TextEncoder("Phrase", max_len=64).fit(table(long))
    assert capped.transform(table(long))["tokens"].shape == (1, 64)


def test_a_missing_text_is_refused_with_what_to_do() -> None:
    with pytest.raises(EncodingError, match=r"row 1: found a missing value.*keep_empty"):
        fitted().transform(table("good", None))


def test_it_can_be_cloned_pickled_and_made_anew_from_its_state() -> None:
    encoder = fitted(min_count=2)
    expected = encoder.transform(table(*SEEN))
    again = pickle.loads(pickle.dumps(encoder))
    anew = clone(encoder).load_state(encoder.state())
    for copy in (again, anew):
        np.testing.assert_array_equal(copy.transform(table(*SEEN))["tokens"], expected["tokens"])
    assert not hasattr(clone(encoder), "vocabulary_")


def test_a_fixed_width_is_that_of_every_fold() -> None:
    short, long = pd.DataFrame({"text": ["ab"]}), pd.DataFrame({"text": ["abcdef"]})
    for table in (short, long):
        encoder = TextEncoder("text", unit="char", max_len=5, fixed_width=True).fit(table)
        assert encoder.transform(long)["tokens"].shape == (1, 5)
        assert encoder.transform(long)["lengths"].tolist() == [5]
