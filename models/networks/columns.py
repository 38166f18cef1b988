"""Numeric, categorical and binned columns as one vector per row."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.data import InputShape


def embedding_sizes(cardinalities: tuple[int, ...], *, size: int) -> list[int]:
    """The width of each column's embedding: `size`, but at most the column's cardinality."""
    return [min(size, cardinality) for cardinality in cardinalities]


def encoded_width(shape: InputShape, *, size: int) -> int:
    """How many numbers `ColumnEmbeddings` gives per row."""
    return shape.n_num + sum(embedding_sizes(shape.cardinalities, size=size))


class ColumnEmbeddings(nn.Module):
    """Embeds each categorical column and appends it to the numbers.

    Every operation works on the last dimension, so any leading dimensions are allowed:
    `(B, D)` for one replica, `(R, B, D)` for a stack of them.
    """

    def __init__(self, cardinalities: tuple[int, ...], *, size: int) -> None:
        super().__init__()
        sizes = embedding_sizes(cardinalities, size=size)
        self.columns = nn.ModuleList(
            nn.Embedding(codes, width) for codes, width in zip(cardinalities, sizes, strict=True)
        )

    def forward(self, x_num: Tensor, x_cat: Tensor | None = None) -> Tensor:
        """`x_num (..., n_num)`, `x_cat (..., d_cat)` -> `(..., encoded_width)`."""
        if x_cat is None or not self.columns:
            return x_num
        embedded = [column(x_cat[..., i]) for i, column in enumerate(self.columns)]
        return torch.cat([x_num, *embedded], dim=-1)


def piecewise_linear(positions: Tensor, n_bins: int) -> Tensor:
    """Each column's position among its bin edges in the piecewise-linear encoding.

    There is one number per bin: position 2.3 among four bins becomes (1, 1, 0.3, 0). Works on
    the last dimension, so any leading dimensions are allowed.

    Args:
        positions: `(..., n_columns)`, each from 0 to n_bins.
        n_bins: Numbers per column.

    Returns:
        `(..., n_columns * n_bins)`.

    Source: Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep
        Learning", NeurIPS 2022.
    """
    starts = torch.arange(n_bins, dtype=positions.dtype, device=positions.device)
    return (positions.unsqueeze(-1) - starts).clamp(0, 1).flatten(-2)
