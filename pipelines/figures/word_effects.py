"""What each word of a held-out text adds to a network's expected rating."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from features.encoders.text import UNKNOWN, tokens
from pipelines.figures.texts import Explained
from pipelines.members.data import FoldedDataset
from pipelines.members.member import LoadContext
from pipelines.members.network import NetworkMember, networks_of
from pipelines.members.predictions import Problem
from pipelines.stages.pipeline import Pipeline
from pipelines.stages.train import MODELS

N_TEXTS = 6
FEWEST_WORDS, MOST_WORDS = 7, 24
FOLD = 0


def explain(pipeline: Pipeline) -> tuple[str, list[Explained]] | None:
    """The first network that reads tokens, and its word effects on a few held-out texts.

    The texts are those of the first fold, from the lowest expected rating to the highest; None
    where no member reads tokens.
    """
    for member in networks_of(pipeline.competition):
        data = pipeline.encoded(member)
        if {"tokens", "lengths"} <= set(data.views[FOLD].train):
            return member.name, _texts(pipeline, data, _network(pipeline, member, data))
    return None


def _network(pipeline: Pipeline, member: NetworkMember, data: FoldedDataset) -> nn.Module:
    """The member's network of the first fold and seed, as it was saved."""
    folder = pipeline.stages[f"train-{member.name}"].folder / MODELS
    problem = Problem.of(pipeline.competition)
    context = LoadContext(problem, len(data.views), "cpu", data.target, data.views.__getitem__)
    return member.load(folder, context).network(FOLD, seed=0)


def _texts(pipeline: Pipeline, data: FoldedDataset, network: nn.Module) -> list[Explained]:
    """Held-out texts from the lowest rating to the highest, each with its words' effects."""
    view, competition = data.views[FOLD], pipeline.competition
    texts = pipeline.prepared.train[competition.text]
    rating = pipeline.blend.oof @ np.arange(len(competition.classes))
    lengths = view.train["lengths"][view.split.valid_rows]
    fits = (lengths >= FEWEST_WORDS) & (lengths <= MOST_WORDS)
    rows = view.split.valid_rows[fits]
    rows = rows[np.argsort(rating[rows], kind="stable")]
    chosen = rows[np.linspace(0, len(rows) - 1, min(N_TEXTS, len(rows))).round().astype(np.int64)]
    explained = []
    for row in chosen:
        words = tokens(str(texts.iloc[row]))
        encoded = {key: rows[row] for key, rows in view.train.items()}
        if len(words) == encoded["lengths"]:
            whole, effects = word_effects(network, encoded)
            label = competition.classes[data.target[row]]
            said = f"{competition.label_name(label)}; expected rating {whole:.1f}"
            explained.append(Explained(words, effects, said))
    return explained


@torch.no_grad()
def word_effects(network: nn.Module, text: Mapping[str, np.ndarray]) -> tuple[float, np.ndarray]:
    """The expected rating of a text, and what it loses with each word taken for an unknown one.

    Args:
        network: takes `tokens (B, L)`, `lengths (B,)` and maybe `spelling (B, L)`.
        text: `tokens (width,)`, its number of words in `lengths`, and maybe `spelling (width,)`.

    Returns:
        The rating, and `(n_words,)`.
    """
    n_words = int(text["lengths"])
    without = {
        key: _each_left_out(text[key][:n_words], instead)
        for key, instead in (("tokens", UNKNOWN), ("spelling", 0))
        if key in text
    }
    logits: Tensor = network(**without, lengths=torch.full((n_words + 1,), n_words))
    ratings = logits.softmax(dim=-1).double() @ torch.arange(logits.shape[-1]).double()
    return float(ratings[-1]), (ratings[-1] - ratings[:-1]).numpy()


def _each_left_out(numbers: np.ndarray, instead: int) -> Tensor:
    """A row for each place, `instead` standing there, and the text itself: `(n + 1, n)`."""
    n_words = len(numbers)
    rows = torch.as_tensor(numbers).repeat(n_words + 1, 1)
    rows[torch.arange(n_words), torch.arange(n_words)] = instead
    return rows
