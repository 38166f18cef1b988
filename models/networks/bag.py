"""A bag of embeddings: words and pairs of neighbours as the mean and maximum of their vectors."""

import torch
from pydantic import Field
from torch import Tensor, nn

from models.data import InputShape
from models.networks.architecture import Architecture
from models.networks.subwords import Parts
from models.networks.tokens import TokenEmbedding, is_text

_FACTOR = 1_000_003  # spreads pairs over the buckets


class BagSettings(Architecture):
    """Settings of `Bag`.

    Source: Joulin et al., "Bag of Tricks for Efficient Text Classification", EACL 2017.
    """

    embedding_size: int = Field(default=64, ge=1, description="numbers per word and per pair")
    n_buckets: int = Field(
        default=1 << 15, ge=1, description="vectors that all pairs of neighbours share"
    )
    hidden: int = Field(default=64, ge=1, description="width of the hidden layer")
    dropout: float = Field(default=0.3, ge=0, lt=1, description="share of zeroed numbers")
    word_dropout: float = Field(
        default=0.1, ge=0, lt=1, description="share of tokens that are taken for unknown ones"
    )
    spelling: Parts = Field(
        default="ends", description="what is read of words whose letters are given"
    )

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """A `Bag` for texts of this vocabulary."""
        return Bag(shape, n_outputs, settings=self)


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
        """`tokens (B, L)`, `lengths (B,)`, maybe `spelling (B, L)` -> `(B, n_outputs)`."""
        inside = is_text(lengths, tokens.shape[1])
        buckets = (tokens[:, :-1] * _FACTOR + tokens[:, 1:]) % self.n_buckets
        pooled = [
            *_mean_and_max(self.embedding(tokens, spelling), inside),
            *_mean_and_max(self.pairs(buckets), inside[:, 1:]),
        ]
        logits: Tensor = self.head(self.body(torch.cat(pooled, dim=1)))
        return logits


def _mean_and_max(vectors: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Over the places inside; zeros where there is none: `(B, L, D)` -> twice `(B, D)`."""
    if not vectors.shape[1]:
        nothing = vectors.new_zeros(len(vectors), vectors.shape[2])
        return nothing, nothing
    outside = ~inside.unsqueeze(-1)
    n = inside.sum(dim=1, keepdim=True)
    mean = vectors.masked_fill(outside, 0).sum(dim=1) / n.clamp(min=1)
    lowest = torch.finfo(vectors.dtype).min
    largest = vectors.masked_fill(outside, lowest).amax(dim=1)
    return mean, torch.where(n > 0, largest, 0)
