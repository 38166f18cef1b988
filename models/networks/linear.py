"""Logistic regression as a network: the first rung of every ladder."""

from pydantic import Field
from torch import Tensor, nn

from models.data import InputShape
from models.networks.architecture import Architecture
from models.networks.columns import ColumnEmbeddings, encoded_width


class LinearSettings(Architecture):
    """Settings of `Linear`."""

    embedding_size: int = Field(
        default=4, ge=1, description="numbers per categorical column (never more than its codes)"
    )

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """A `Linear` for rows of this shape."""
        return Linear(shape, n_outputs, embedding_size=self.embedding_size)


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
