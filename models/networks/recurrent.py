"""Recurrent networks for words or characters: embedding, GRU or LSTM, pooling, linear head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.data import InputShape
from models.networks.tokens import TokenEmbedding, is_text

if TYPE_CHECKING:
    from models.architectures.recurrent import Pooling, RecurrentSettings


class Recurrent(nn.Module):
    """Reads a text token by token; padding after a text changes nothing."""

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
        """`tokens (B, L)`, `lengths (B,)`, optional `spelling (B, L)` -> `(B, n_outputs)`."""
        embedded = self.drop_embedded(self.embedding(tokens, spelling))
        pooled = self.pool(self.reader(embedded, lengths), lengths)
        logits: Tensor = self.head(self.drop_pooled(pooled))
        return logits


class Reader(nn.Module):
    """Recurrent layers in one or both directions over texts of different lengths.

    The backward direction reads each text reversed within its length. The states at a text's
    tokens are then those of packed sequences, but without packing, which costs 50 % more time
    where texts are of similar length.
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
        """`(B, L, size) -> (B, L, width)`; states after a text's end are meaningless."""
        states = embedded
        at = _reversed_positions(lengths, embedded.shape[1])
        for number, ahead in enumerate(self.ahead):
            inputs = self.between(states) if number else states
            states, _ = ahead(inputs)
            if self.back:
                backward, _ = self.back[number](_gather(inputs, at))
                states = torch.cat([states, _gather(backward, at)], dim=-1)
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
        """Each direction's state after it has read the whole text."""
        ahead = states[torch.arange(len(states), device=states.device), lengths - 1, : self.hidden]
        return torch.cat([ahead, states[:, 0, self.hidden :]], dim=1)


def _reversed_positions(lengths: Tensor, longest: int) -> Tensor:
    """For each position of the reversed text its source; padding stays in place: `(B, L)`."""
    positions = torch.arange(longest, device=lengths.device)
    is_token = is_text(lengths, longest)
    return torch.where(is_token, lengths.unsqueeze(1) - 1 - positions, positions)


def _gather(states: Tensor, positions: Tensor) -> Tensor:
    """The states at these positions: `(B, L, width)`, `(B, L)` -> `(B, L, width)`."""
    return states.gather(1, positions.unsqueeze(-1).expand_as(states))
