"""A bag of embeddings: mean and maximum of the vectors of words and of adjacent pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.data import InputShape
from models.networks.tokens import TokenEmbedding, is_text

if TYPE_CHECKING:
    from models.architectures.bag import BagSettings

_FACTOR = 1_000_003  # spreads pairs over the buckets


class Bag(nn.Module):
    """Mean and maximum over the vectors of words and pairs, a hidden layer, a linear head."""

    def __init__(self, shape: InputShape, n_outputs: int, *, settings: BagSettings) -> None:
        super().__init__()
        size = settings.embedding_size
        self.n_buckets = settings.n_buckets
        self.embedding = TokenEmbedding(
            shape.n_tokens,
            size,
            word_dropout=settings.word_dropout,
            parts=settings.spelling if shape.is_spelled else None,
        )
        self.pairs = nn.Embedding(settings.n_buckets, size)
        self.body = nn.Sequential(
            nn.Dropout(settings.dropout),
            nn.Linear(4 * size, settings.hidden),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
        )
        self.head = nn.Linear(settings.hidden, n_outputs)

    def forward(self, tokens: Tensor, lengths: Tensor, spelling: Tensor | None = None) -> Tensor:
        """`tokens (B, L)`, `lengths (B,)`, optional `spelling (B, L)` -> `(B, n_outputs)`."""
        inside = is_text(lengths, tokens.shape[1])
        buckets = (tokens[:, :-1] * _FACTOR + tokens[:, 1:]) % self.n_buckets
        pooled = [
            *_mean_and_max(self.embedding(tokens, spelling), inside),
            *_mean_and_max(self.pairs(buckets), inside[:, 1:]),
        ]
        logits: Tensor = self.head(self.body(torch.cat(pooled, dim=1)))
        return logits


def _mean_and_max(vectors: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Over the positions inside; zeros where there are none: `(B, L, D)` -> twice `(B, D)`."""
    if not vectors.shape[1]:
        zeros = vectors.new_zeros(len(vectors), vectors.shape[2])
        return zeros, zeros
    outside = ~inside.unsqueeze(-1)
    n = inside.sum(dim=1, keepdim=True)
    mean = vectors.masked_fill(outside, 0).sum(dim=1) / n.clamp(min=1)
    lowest = torch.finfo(vectors.dtype).min
    largest = vectors.masked_fill(outside, lowest).amax(dim=1)
    return mean, torch.where(n > 0, largest, 0)
