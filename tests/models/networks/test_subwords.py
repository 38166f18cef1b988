from __future__ import annotations

import pytest
import torch

import features.encoders.spelling
from features.encoders.spelling import spelling
from models.architectures.base import Parts
from models.networks import subwords as ours
from models.networks.subwords import EDGE, SpellingEmbedding, ends, runs


def words(*spelled: str) -> torch.Tensor:
    return torch.tensor([spelling(word) for word in spelled])


def number(letters: str) -> int:
    codes = [EDGE if letter == "|" else spelling(letter) for letter in letters]
    return sum(code << (ours.BITS * at) for at, code in enumerate(codes))


def test_encoder_and_network_agree_on_the_packing() -> None:
    theirs = features.encoders.spelling
    assert (ours.N_LETTERS, ours.BITS) == (theirs.N_LETTERS, theirs.BITS)
    assert theirs.OTHER < EDGE < 1 << ours.BITS


def test_runs_are_those_of_the_word_between_its_edges() -> None:
    found = runs(torch.cat([words("so", "abcdefuvwxyz", "a"), torch.zeros(1, dtype=torch.int64)]))
    assert [n for n in found[0].tolist() if n] == [number(n) for n in ("|so", "so|", "|so|")]
    assert [n for n in found[2].tolist() if n] == [number("|a|")]
    assert (found[1] > 0).all()
    assert len(set(found[1].tolist())) == found.shape[1] == 12 + 11 + 10
    assert not found[3].any()


@pytest.mark.parametrize(
    ("word", "other", "alike"),
    [
        ("unkind", "unkempt", [True, False, False, True]),
        ("hopeless", "heartless", [False, True, True, True]),
        ("dully", "sadly", [False, False, True, True]),
        ("Hope", "hope", [True, True, True, False]),
        ("90-minute", "minute", [False, True, True, False]),
        ("no", "so", [False, False, False, True]),
        ("...", "abc", [False, False, False, False]),
        ("2001", "90s", [False, False, False, True]),
    ],
)
def test_words_share_the_ends_that_they_have_in_common(
    word: str, other: str, alike: list[bool]
) -> None:
    a, b = ends(words(word, other))
    assert (a == b).tolist() == alike


def test_ends_of_different_kinds_are_different_numbers() -> None:
    assert len(set(ends(words("abab", "ab", "Ab")).flatten().tolist())) == 7
    assert not ends(torch.zeros(1, dtype=torch.int64)).any()


@pytest.mark.parametrize("parts", ["ends", "runs"])
def test_a_word_embeds_the_same_in_any_batch_and_padding_is_zero(parts: Parts) -> None:
    embedding = SpellingEmbedding(5, parts=parts)
    film, dull = words("film", "dull").tolist()
    together = embedding(torch.tensor([[film, dull, 0], [dull, 0, film]]))
    torch.testing.assert_close(together[0, 0], together[1, 2])
    torch.testing.assert_close(together[0, 1], embedding(torch.tensor([[dull]]))[0, 0])
    assert not together[0, 2].any()
    assert not torch.allclose(together[0, 0], together[0, 1])


def test_the_sum_of_runs_is_by_the_root_of_their_number() -> None:
    embedding = SpellingEmbedding(3, parts="runs")
    torch.nn.init.ones_(embedding.vectors.weight)
    got = embedding(words("so", "film")[None])[0, :, 0]
    torch.testing.assert_close(got, torch.tensor([3 / 3**0.5, 9 / 9**0.5]))


@pytest.mark.parametrize("parts", ["ends", "runs"])
def test_parts_are_learned_and_padding_is_not(parts: Parts) -> None:
    embedding = SpellingEmbedding(2, parts=parts)
    embedding(torch.tensor([[spelling("dull"), 0]])).sum().backward()
    gradient = embedding.vectors.weight.grad
    assert gradient is not None
    assert not gradient[0].any()
    assert int(gradient.any(dim=1).sum()) == {"ends": 4, "runs": 9}[parts]
