"""Multilayer perceptrons for tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, cat, nn

from models.data import InputShape
from models.networks.columns import ColumnEmbeddings, encoded_width, piecewise_linear
from models.vectorised.dropout_masks import OwnRate

if TYPE_CHECKING:
    from models.architectures.mlp import Activation, MLPSettings


class MLP(nn.Module):
    """Blocks of linear layer, norm, activation and dropout, then a linear head.

    Columns of `x_bin` follow the other inputs in their piecewise-linear encoding.
    """

    def __init__(self, shape: InputShape, n_outputs: int, *, settings: MLPSettings) -> None:
        super().__init__()
        self.embeddings = ColumnEmbeddings(shape.cardinalities, size=settings.embedding_size)
        self.n_bins = settings.n_bins
        width = encoded_width(shape, size=settings.embedding_size) + shape.n_bin * self.n_bins
        blocks: list[nn.Module] = []
        if settings.input_dropout:
            blocks.append(nn.Dropout(settings.input_dropout))
        for hidden in settings.hidden:
            blocks.append(hidden_block(width, hidden, settings=settings))
            width = hidden
        self.body = nn.Sequential(*blocks)
        self.head = nn.Linear(width, n_outputs)

    def forward(
        self, x_num: Tensor, x_cat: Tensor | None = None, x_bin: Tensor | None = None
    ) -> Tensor:
        """`x_num (B, n_num)`, `x_cat (B, d_cat)`, `x_bin (B, n_bin)` -> `(B, n_outputs)`."""
        x = self.embeddings(x_num, x_cat)
        if x_bin is not None and self.n_bins:
            x = cat([x, piecewise_linear(x_bin, self.n_bins)], dim=-1)
        logits: Tensor = self.head(self.body(x))
        return logits


def hidden_block(n_in: int, n_out: int, *, settings: MLPSettings) -> nn.Sequential:
    """One hidden layer, `(..., n_in) -> (..., n_out)`."""
    layers: list[nn.Module] = [nn.Linear(n_in, n_out)]
    if settings.norm == "batch":
        layers.append(nn.BatchNorm1d(n_out))
    elif settings.norm == "layer":
        layers.append(nn.LayerNorm(n_out))
    layers.append(activation(settings.activation))
    if settings.dropout:
        layers.append(nn.Dropout(OwnRate(settings.dropout)))
    return nn.Sequential(*layers)


def activation(name: Activation) -> nn.Module:
    """The activation module of that name."""
    modules: dict[str, type[nn.Module]] = {
        "relu": nn.ReLU,
        "gelu": nn.GELU,
        "silu": nn.SiLU,
        "tanh": nn.Tanh,
        "sigmoid": nn.Sigmoid,
    }
    return modules[name]()
