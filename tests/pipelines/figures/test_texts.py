"""Figures about texts, and what each word adds to a rating."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipelines.figures import texts
from pipelines.figures.output import save
from pipelines.figures.word_effects import Explained, word_effects

NAMES = ("bad", "plain", "good")
TEXTS = ["good film", "", "a film of which nothing can be said", "good", "bad $1 film"]
TARGET = np.array([2, 1, 0, 2, 0])
PROBABILITIES = np.array(
    [[0.1, 0.1, 0.8], [0.3, 0.4, 0.3], [0.01, 0.09, 0.9], [0, 0, 1], [0.9, 0.1, 0]]
)


class Adds(nn.Module):
    """The logit of class 1 is the sum of the tokens' numbers, unknown ones apart."""

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        total = torch.where(tokens > 1, tokens - 3, 0).sum(dim=1).float()
        return torch.stack([torch.zeros_like(total), total], dim=1)


class Spells(nn.Module):
    """The logit of class 1 is the sum of the spellings, whatever the tokens are."""

    def forward(self, tokens: Tensor, lengths: Tensor, spelling: Tensor) -> Tensor:
        total = spelling.sum(dim=1).float()
        return torch.stack([torch.zeros_like(total), total], dim=1)


def words_of(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def test_a_word_that_is_left_out_loses_its_spelling_too() -> None:
    text = {"tokens": np.array([5, 3, 0]), "lengths": np.int64(2), "spelling": np.array([2, -1, 9])}
    rating, effects = word_effects(Spells(), text)
    assert rating == pytest.approx(sigmoid(1))
    np.testing.assert_allclose(effects, [sigmoid(1) - sigmoid(-1), sigmoid(1) - sigmoid(2)], 1e-5)


def test_a_words_effect_is_what_the_rating_loses_without_it() -> None:
    text = {"tokens": np.array([5, 3, 2, 0, 0]), "lengths": np.int64(3)}
    rating, effects = word_effects(Adds(), text)
    assert rating == pytest.approx(sigmoid(1))
    expected = [sigmoid(1) - sigmoid(-1), 0, sigmoid(1) - sigmoid(2)]
    np.testing.assert_allclose(effects, expected, atol=1e-6)


def test_accuracy_is_shown_by_length() -> None:
    n_words = np.array([2, 0, 8, 1, 3])
    figure = texts.accuracy_by_length(TARGET, PROBABILITIES, n_words, note="made up")
    shown = words_of(figure)
    assert shown == ["100%\n1", "100%\n1", "100%\n1", "100%\n1", "0%\n1"]
    assert "0% for those of 8" in figure.get_suptitle().replace("\n", " ")


def test_the_largest_losses_come_first() -> None:
    shown = words_of(texts.largest_losses(TEXTS, TARGET, PROBABILITIES, NAMES))
    assert shown[3:6] == [TEXTS[2], "bad 1.0%", "good 90%"]
    assert "(empty)" in shown


def test_long_texts_go_on_in_the_next_line_and_all_is_saved(tmp_path) -> None:
    words = [f"word{n}" for n in range(40)]
    explained = [Explained(words, np.linspace(-1.2, 1.2, 40), "good; expected rating 2.0")]
    figure = texts.word_effects(explained, member="gru", note="made up")
    drawn = figure.axes[0].texts
    assert [text.get_text() for text in drawn[1:]] == words
    assert len({text.get_position()[1] for text in drawn[1:]}) > 1
    assert (
        "“word39” moves a rating most" in figure.get_suptitle()
        or "“word0”" in figure.get_suptitle()
    )
    save(figure, tmp_path / "words.png")
    assert (tmp_path / "words.png").stat().st_size > 5_000
