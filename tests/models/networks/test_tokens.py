from __future__ import annotations

import pytest
import torch

from features.encoders.spelling import spelling
from models.architectures.bag import BagSettings
from models.architectures.recurrent import RecurrentSettings
from models.data import InputShape
from models.networks.tokens import UNKNOWN, TokenEmbedding


def test_unknown_tokens_differ_by_their_spelling() -> None:
    embedding = TokenEmbedding(9, 5, word_dropout=0.5, parts="ends").eval()
    spelled = torch.tensor([[spelling("dull")], [spelling("hopeless")]])
    first, second = embedding(torch.full((2, 1), UNKNOWN), spelled)
    assert not torch.allclose(first, second)


def test_word_dropout_leaves_the_spelling() -> None:
    embedding = TokenEmbedding(9, 5, word_dropout=0.999, parts="runs")
    torch.manual_seed(0)
    tokens, spelled = torch.full((1, 4), 3), torch.full((1, 4), spelling("dull"))
    assert embedding.spelled is not None
    expected = embedding.vectors.weight[UNKNOWN] + embedding.spelled(spelled)[0, 0]
    torch.testing.assert_close(embedding(tokens, spelled), expected.expand(1, 4, 5))


def test_missing_spellings_are_not_passed_over() -> None:
    with pytest.raises(ValueError, match="got no input 'spelling'"):
        TokenEmbedding(9, 5, parts="ends")(torch.ones(1, 1, dtype=torch.int64))


def test_networks_embed_the_configured_parts_if_spellings_are_given() -> None:
    for settings in (RecurrentSettings(spelling="runs"), BagSettings(spelling="runs")):
        network = settings.build(InputShape(n_tokens=9, is_spelled=True), 2)
        assert network.embedding.spelled.parts == "runs"
        assert settings.build(InputShape(n_tokens=9), 2).embedding.spelled is None
