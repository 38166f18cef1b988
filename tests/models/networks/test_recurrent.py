from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from models.architectures.recurrent import RecurrentSettings
from models.data import InputShape
from models.networks.recurrent import Reader, Recurrent

LENGTHS = torch.tensor([3, 1, 7, 4])
SHAPE = InputShape(n_tokens=12)


def network(**settings: object) -> Recurrent:
    torch.manual_seed(0)
    settings = {"embedding_size": 5, "hidden": 4} | settings
    return Recurrent(SHAPE, 3, settings=RecurrentSettings(**settings)).double()


def texts(width: int = 7) -> torch.Tensor:
    drawn = torch.from_numpy(np.random.default_rng(1).integers(1, 12, (4, width)))
    return torch.where(torch.arange(width) < LENGTHS[:, None], drawn, 0)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_states_are_those_of_torch_with_packed_sequences(cell: str) -> None:
    reader = Reader(5, settings=RecurrentSettings(cell=cell, hidden=4, n_layers=2)).double().eval()
    torchs = {"gru": nn.GRU, "lstm": nn.LSTM}[cell](
        5, 4, num_layers=2, bidirectional=True, batch_first=True
    ).double()
    for layer in range(2):
        for part, suffix in ((reader.ahead[layer], ""), (reader.back[layer], "_reverse")):
            for name, weight in part.named_parameters():
                other = getattr(torchs, f"{name.removesuffix('_l0')}_l{layer}{suffix}")
                other.data.copy_(weight)
    x = torch.randn(4, 7, 5, dtype=torch.float64)
    packed = nn.utils.rnn.pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    expected = nn.utils.rnn.pad_packed_sequence(torchs(packed)[0], batch_first=True)[0]
    for states, own, length in zip(reader(x, LENGTHS), expected, LENGTHS, strict=True):
        torch.testing.assert_close(states[:length], own[:length])


@pytest.mark.parametrize("pooling", ["last", "max_mean", "attention"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("shape", [{"bidirectional": False}, {"n_layers": 2}])
def test_neither_padding_nor_other_rows_change_a_text(
    cell: str, pooling: str, shape: dict[str, object]
) -> None:
    model = network(cell=cell, pooling=pooling, **shape).eval()
    together = model(texts(), LENGTHS)
    wider = torch.cat([texts(), torch.zeros(4, 5, dtype=torch.int64)], dim=1)
    torch.testing.assert_close(model(wider, LENGTHS), together)
    for row, length in enumerate(LENGTHS):
        alone = model(texts()[row : row + 1, :length], LENGTHS[row : row + 1])
        torch.testing.assert_close(alone[0], together[row])


@pytest.mark.parametrize("pooling", ["last", "max_mean", "attention"])
def test_each_token_counts(pooling: str) -> None:
    model = network(pooling=pooling).eval()
    before = model(texts(), LENGTHS)
    for place in range(7):
        changed = texts()
        changed[2, place] = changed[2, place] % 11 + 1
        assert not torch.allclose(model(changed, LENGTHS)[2], before[2])


def test_word_dropout_takes_words_for_unknown_ones_in_training_only() -> None:
    model = network(word_dropout=0.5, dropout=0.0).train()
    ones = torch.ones_like(texts())
    whole, unknown = model.embedding.vectors(texts()), model.embedding.vectors(ones)
    seen = model.embedding(texts())
    is_unknown = (seen == unknown).all(-1)
    assert ((seen == whole).all(-1) | is_unknown).all()
    is_text = texts() > 1
    assert 0 < is_unknown[is_text].float().mean() < 1
    assert (seen[texts() == 0] == 0).all()
    torch.testing.assert_close(model.eval().embedding(texts()), whole)
