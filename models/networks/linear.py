"""Logistic regression as a network, the simplest baseline."""

from __future__ import annotations

from torch import Tensor, nn

from models.data import InputShape
from models.networks.columns import ColumnEmbeddings, encoded_width


class Linear(nn.Module):
    """One linear layer over numbers and embedded categories."""

    def __init__(self, shape: InputShape, n_outputs: int, *, embedding_size: int = 4) -> None:
        super().__init__()
        self.embeddings = ColumnEmbeddings(shape.cardinalities, size=embedding_size)
        self.head = nn.Linear(encoded_width(shape, size=embedding_size), n_outputs)

    def forward(self, x_num: Tensor, x_cat: Tensor | None = None) -> Tensor:
        """`x_num (B, n_num)`, `x_cat (B, d_cat)` -> logits `(B, n_outputs)`."""
        logits: Tensor = self.head(self.embeddings(x_num, x_cat))
        return logits
