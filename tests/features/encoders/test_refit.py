"""An encoder that is fitted again with its expensive state is the encoder that it was."""

import numpy as np
import pandas as pd
import pytest

from features.encoders.base import EncoderBlocks, EncoderChain, refit
from features.encoders.neighbours import ClassNeighbours
from features.encoders.tabular import TabularEncoder
from features.encoders.target_statistics import GroupStatistics
from features.encoders.text import TextEncoder


def numbers():
    return TabularEncoder(["size", "weight"])


ENCODERS = {
    "nothing expensive": numbers,
    "neighbours": lambda: ClassNeighbours(numbers(), nearest=(1, 3)),
    "texts": lambda: TextEncoder("text", max_len=3),
    "blocks": lambda: EncoderBlocks(
        {"plain": numbers(), "near": ClassNeighbours(numbers(), nearest=(2,))}
    ),
    "a chain": lambda: EncoderChain(
        [GroupStatistics("party"), ClassNeighbours(TabularEncoder(["party_lift", "size"]))]
    ),
}


def rows(seed, n_rows=120):
    rng = np.random.default_rng(seed)
    words = rng.choice(["a", "b", "\x00", "é", '"', "longer"], (n_rows, 4))
    table = pd.DataFrame(rng.normal(size=(n_rows, 2)), columns=["size", "weight"])
    table["party"] = rng.choice(list("xyz"), n_rows)
    return table.assign(text=[" ".join(row) for row in words]), rng.integers(0, 2, n_rows)


@pytest.mark.parametrize("name", ENCODERS)
def test_new_rows_are_encoded_to_the_same_bytes(name):
    (table, target), (new, _) = rows(0), rows(1, 30)
    fitted, again = ENCODERS[name](), ENCODERS[name]()
    fitted.fit_transform(table, target)
    expensive = fitted.expensive_state()
    refit(again, table, target, expensive)
    for key, value in fitted.transform(new).items():
        np.testing.assert_array_equal(again.transform(new)[key], value)
    assert bool(expensive) == (name != "nothing expensive")


def test_neighbours_are_not_searched_for_again(monkeypatch):
    table, target = rows(0)
    fitted, again = ENCODERS["blocks"](), ENCODERS["blocks"]()
    fitted.fit_transform(table, target)
    monkeypatch.setattr(ClassNeighbours, "_distances", None)
    refit(again, table, target, fitted.expensive_state())


def test_the_numbers_of_a_vocabulary_are_those_of_words_that_are_kept():
    """A network has a row of its embedding for each number that it saw, and for no other."""
    texts = pd.DataFrame({"text": ["a b middle c d", "a b c d"]})
    encoder = TextEncoder("text", max_len=4).fit(texts)
    seen = encoder.transform(texts)["tokens"].max()
    assert encoder.transform(pd.DataFrame({"text": ["middle"]}))["tokens"].max() <= seen
