import numpy as np
import pytest

from features.phrase_nesting import Nesting, nest, stand_elsewhere

PHRASES = [
    "A good film , not a bad one .",
    "good film",
    "bad",
    "not a bad one",
    "a bad one",
    "Good",
    "bad luck",
    "bad",
]
SENTENCE = np.array([1, 1, 1, 1, 1, 1, 2, 2])


@pytest.fixture(scope="module")
def nesting() -> Nesting:
    return nest(PHRASES, SENTENCE)


def test_each_phrase_has_its_kin_within_its_sentence(nesting: Nesting) -> None:
    assert nesting.around.tolist() == [0, 0, 4, 0, 3, 1, 6, 6]
    assert nesting.within.tolist() == [3, 5, 2, 4, 2, 5, 7, 7]
    assert nesting.whole.tolist() == [0, 0, 0, 0, 0, 0, 6, 6]
    assert nesting.beside[1] == 3  # the longest other part of what is around "good film"
    assert nesting.n_words.tolist() == [9, 2, 1, 4, 3, 1, 2, 1]


def test_means_are_over_the_phrases_within_and_around(nesting: Nesting) -> None:
    values = np.arange(8.0)[:, None]
    assert nesting.mean_within(values)[3] == pytest.approx((2 + 4) / 2)
    assert nesting.mean_within(values)[2] == 2
    assert nesting.mean_around(values)[2] == pytest.approx((4 + 3 + 0) / 3)
    assert nesting.mean_around(values)[7] == 6


def test_only_whole_words_count() -> None:
    assert nest(["a classic", "class", "a"], np.zeros(3)).around.tolist() == [0, 1, 0]


def test_empty_phrases_and_single_rows_are_their_own_kin() -> None:
    nesting = nest(["", " ", "one"], np.array([1, 2, 3]))
    for kin in (nesting.around, nesting.within, nesting.beside, nesting.whole):
        assert kin.tolist() == [0, 1, 2]
    assert nesting.n_words.tolist() == [0, 0, 1]


def test_the_order_of_rows_changes_nothing(nesting: Nesting) -> None:
    order = np.random.default_rng(0).permutation(len(PHRASES))
    again = nest([PHRASES[row] for row in order], SENTENCE[order])
    assert order[again.whole].tolist() == nesting.whole[order].tolist()
    values = np.arange(8.0)[:, None]
    np.testing.assert_allclose(again.mean_within(values[order]), nesting.mean_within(values)[order])


def test_phrases_that_stand_in_a_sentence_of_another_part() -> None:
    # "bad" and "bad" of the two sentences stand in each other; "Good" in no other part.
    part = np.where(SENTENCE == 1, 0, 1)
    elsewhere = stand_elsewhere(PHRASES, SENTENCE, part)
    assert elsewhere.tolist() == [False, False, True, False, False, False, False, True]
    assert not stand_elsewhere(PHRASES, SENTENCE, np.zeros(8)).any()
