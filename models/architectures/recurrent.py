"""Settings of recurrent networks for texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from models.architectures.base import Architecture, Parts

if TYPE_CHECKING:
    from torch import nn

    from models.data import InputShape

Cell = Literal["gru", "lstm"]
Pooling = Literal["last", "max_mean", "attention"]


class RecurrentSettings(Architecture):
    """Settings of `Recurrent`."""

    cell: Cell = Field(default="gru", description="gated recurrent unit, or long short-term memory")
    embedding_size: int = Field(default=128, ge=1, description="numbers per token")
    hidden: int = Field(default=128, ge=1, description="numbers per token and direction")
    n_layers: int = Field(default=1, ge=1, description="recurrent layers")
    bidirectional: bool = Field(default=True, description="read the text in both directions")
    pooling: Pooling = Field(
        default="max_mean",
        description="text vector: last states, maximum and mean of all states, or a learned mean",
    )
    dropout: float = Field(default=0.3, ge=0, lt=1, description="share of activations set to zero")
    word_dropout: float = Field(
        default=0.0, ge=0, lt=1, description="share of tokens replaced by the unknown token"
    )
    spelling: Parts = Field(
        default="ends", description="which parts of a word are embedded if spellings are given"
    )

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """A `Recurrent` for texts of this vocabulary."""
        from models.networks.recurrent import Recurrent

        return Recurrent(shape, n_outputs, settings=self)
