"""Recurrent networks for words or characters: embedding, GRU or LSTM, pooling, linear head."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from models.data import InputShape
from models.networks.architecture import Architecture
from models.networks.subwords import Parts
from models.networks.tokens import TokenEmbedding, is_text

Cell = Literal["gru", "lstm"]
Pooling = Literal["last", "max_mean", "attention"]


class RecurrentSettings(Architecture):
    """Settings of `Recurrent`."""

    cell: Cell = Field(default="gru", description="gated recurrent unit, or long short-term memory")
    embedding_size: int = Field(default=128, ge=1, description="numbers per token")
    hidden: int = Field(default=128, ge=1, description="numbers per token and direction")
    n_layers: int = Field(default=1, ge=1, description="recurrent layers")
    bidirectional: bool = Field(default=True, description="read from both ends")
    pooling: Pooling = Field(
        default="max_mean",
        description="the text as its last states, its states' maximum and mean, or a learned mean",
    )
    dropout: float = Field(default=0.3, ge=0, lt=1, description="share of zeroed numbers")
    word_dropout: float = Field(
        default=0.0, ge=0, lt=1, description="share of tokens that are taken for unknown ones"
    )
    spelling: Parts = Field(
        default="ends", description="what is read of words whose letters are given"
    )

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """A `Recurrent` for texts of this vocabulary."""
        return Recurrent(shape, n_outputs, settings=self)


class Recurrent(nn.Module):
    """Reads a text token by token; padding behind a text changes nothing."""

    def __init__(self, shape: InputShape, n_outputs: int, *, settings: RecurrentSettings) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(
            shape.n_tokens,
            settings.embedding_size,
            word_dropout=settings.word_dropout,
            parts=settings.spelling if shape.is_spelled else None,
        )
        self.drop_embedded = nn.Dropout(settings.dropout)
        self.reader = Reader(settings.embedding_size, settings=settings)
        self.pool = Pool(settings.hidden, self.reader.width, pooling=settings.pooling)
        self.drop_pooled = nn.Dropout(settings.dropout)
        self.head = nn.Linear(self.pool.width, n_outputs)

    def forward(self, tokens: Tensor, lengths: Tensor, spelling: Tensor | None = None) -> Tensor:
        """`tokens (B, L)`, `lengths (B,)`, maybe `spelling (B, L)` -> `(B, n_outputs)`."""
        embedded = self.drop_embedded(self.embedding(tokens, spelling))
        pooled = self.pool(self.reader(embedded, lengths), lengths)
        logits: Tensor = self.head(self.drop_pooled(pooled))
        return logits


class Reader(nn.Module):
    """Recurrent layers in one or both directions over texts of unlike lengths.

    The backward direction reads each text reversed within its own length. The states at a text's
    tokens are then those of packed sequences, without the packing, which costs half as much again
    where texts are of like length.
    """

    def __init__(self, size: int, *, settings: RecurrentSettings) -> None:
        super().__init__()
        cell = nn.GRU if settings.cell == "gru" else nn.LSTM
        n_directions = 2 if settings.bidirectional else 1
        self.width = settings.hidden * n_directions
        widths = [size, *[self.width] * (settings.n_layers - 1)]
        self.ahead = nn.ModuleList(cell(w, settings.hidden, batch_first=True) for w in widths)
        self.back = nn.ModuleList(
            cell(w, settings.hidden, batch_first=True) for w in widths if settings.bidirectional
        )
        self.between = nn.Dropout(settings.dropout)

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """`(B, L, size) -> (B, L, width)`; states behind a text's end mean nothing."""
        states = embedded
        at = _reversed_places(lengths, embedded.shape[1])
        for number, ahead in enumerate(self.ahead):
            inputs = self.between(states) if number else states
            states, _ = ahead(inputs)
            if self.back:
                turned, _ = self.back[number](_at(inputs, at))
                states = torch.cat([states, _at(turned, at)], dim=-1)
        return states


class Pool(nn.Module):
    """All states of a text as one vector."""

    def __init__(self, hidden: int, width: int, *, pooling: Pooling) -> None:
        super().__init__()
        self.hidden, self.pooling = hidden, pooling
        self.width = 2 * width if pooling == "max_mean" else width
        self.score = nn.Linear(width, 1) if pooling == "attention" else None

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """`states (B, L, width)`, `lengths (B,)` -> `(B, self.width)`."""
        if self.pooling == "last":
            return self._last(states, lengths)
        outside = ~is_text(lengths, states.shape[1]).unsqueeze(-1)  # (B, L, 1)
        if self.score is not None:
            weights = self.score(states).masked_fill(outside, -torch.inf).softmax(dim=1)
            mixed: Tensor = (weights * states).sum(dim=1)
            return mixed
        mean = states.masked_fill(outside, 0).sum(dim=1) / lengths.unsqueeze(1)
        return torch.cat([states.masked_fill(outside, -torch.inf).amax(dim=1), mean], dim=1)

    def _last(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Where each direction has read the whole text."""
        ahead = states[torch.arange(len(states), device=states.device), lengths - 1, : self.hidden]
        return torch.cat([ahead, states[:, 0, self.hidden :]], dim=1)


def _reversed_places(lengths: Tensor, longest: int) -> Tensor:
    """For each place of the reversed text the one it comes from; padding stays: `(B, L)`."""
    places = torch.arange(longest, device=lengths.device)
    return torch.where(is_text(lengths, longest), lengths.unsqueeze(1) - 1 - places, places)


def _at(states: Tensor, places: Tensor) -> Tensor:
    """The states of these places: `(B, L, width)`, `(B, L)` -> `(B, L, width)`."""
    return states.gather(1, places.unsqueeze(-1).expand_as(states))
