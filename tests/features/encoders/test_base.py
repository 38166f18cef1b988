"""What an encoder gets that has a few of the methods, and what chains and blocks pass on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.encoders.base import (
    PROTOCOL,
    BaseEncoder,
    EncoderBlocks,
    EncoderChain,
    complete,
    is_stateless,
    refit,
)
from features.encoders.bins import BinPlaces
from features.encoders.counts import CountVectors, LogCounts
from features.encoders.images import ImageEncoder
from features.encoders.neighbours import ClassNeighbours
from features.encoders.tabular import TabularEncoder
from features.encoders.text import TextEncoder

TABLE = pd.DataFrame({"size": [1.0, 2.0, 4.0], "kind": ["a", "b", "a"], "text": ["x y", "x", "z"]})
TARGET = np.array([0, 1, 1])
SHIPPED = (
    TabularEncoder(["size"]),
    BinPlaces(["size"]),
    LogCounts(["size"]),
    CountVectors(["size"]),
    ImageEncoder(["size"], height=1, width=1, mean=0, deviation=1),
    ClassNeighbours(TabularEncoder(["size"])),
    TextEncoder("text"),
    EncoderChain([TabularEncoder(["size"])]),
    EncoderBlocks({"size": TabularEncoder(["size"])}),
)


class Duck:
    """Two methods and no base class."""

    def fit(self, table, target):
        self.mean = table["size"].mean()

    def transform(self, table):
        return {"x_num": (table[["size"]] - self.mean).to_numpy()}


class Named(Duck):
    """One method more."""

    def names(self):
        return {"x_num": ["centred"]}


@pytest.mark.parametrize("encoder", SHIPPED, ids=lambda encoder: type(encoder).__name__)
def test_shipped_encoders_have_the_whole_protocol(encoder):
    assert isinstance(encoder, BaseEncoder)
    assert all(hasattr(encoder, name) for name in PROTOCOL)
    assert complete(encoder) is encoder


def test_two_methods_are_enough():
    encoder = complete(Duck())
    encoded = encoder.fit_transform(TABLE, TARGET)
    np.testing.assert_allclose(encoded["x_num"].mean(), 0, atol=1e-9)
    assert (encoder.names(), encoder.cardinalities(), encoder.expensive_state()) == ({}, (), {})
    assert not encoder.cardinalities_by_array()
    assert not is_stateless(encoder)
    again = complete(Duck())
    refit(again, TABLE, TARGET, {})
    np.testing.assert_array_equal(again.transform(TABLE)["x_num"], encoded["x_num"])


def test_methods_that_there_are_are_used():
    assert complete(Named()).names() == {"x_num": ["centred"]}
    assert EncoderChain([Named()]).names() == {"x_num": ["centred"]}


def test_an_encoder_that_learns_nothing_says_so_through_its_completion():
    class Stateless(Duck):
        stateless = True

    assert is_stateless(complete(Stateless()))
    assert is_stateless(Stateless())


def test_a_subclass_needs_two_methods():
    class Small(Duck, BaseEncoder):
        """Duck with the defaults of the base class."""

    assert set(Small().fit_transform(TABLE, TARGET)) == {"x_num"}
    with pytest.raises(
        NotImplementedError, match=r"BaseEncoder needs a method fit\(table, target\)"
    ):
        BaseEncoder().fit(TABLE, TARGET)


def test_a_chain_passes_on_what_its_last_step_says():
    chain = EncoderChain([TextEncoder("text")]).fit(TABLE, TARGET)
    assert list(chain.vocabulary_) == ["<padding>", "<unknown>", "x", "y", "z"]
    codes = EncoderChain([TabularEncoder([], ["kind"])]).fit(TABLE, TARGET)
    assert codes.cardinalities() == (3,)
    assert codes.cardinalities_by_array() == {"x_cat": (3,)}


def test_blocks_count_the_codes_of_each_block():
    class Codes(Duck):
        def transform(self, table):
            return {"x_cat": np.zeros((len(table), 2), dtype=np.int64)}

        def cardinalities(self):
            return (5, 2)

    blocks = EncoderBlocks({"plain": TabularEncoder(["size"]), "codes": Codes(), "duck": Duck()})
    encoded = blocks.fit_transform(TABLE, TARGET)
    assert {name: rows.shape[1] for name, rows in encoded.items()} == {
        "plain": 1,
        "codes": 2,
        "duck": 1,
    }
    assert blocks.cardinalities() == (5, 2)
    assert blocks.cardinalities_by_array() == {"codes": (5, 2)}
    assert blocks.names() == {"plain": ["size"]}
