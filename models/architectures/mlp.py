"""Settings of multilayer perceptrons."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from models.architectures.base import Architecture

if TYPE_CHECKING:
    from torch import nn

    from models.data import InputShape

Norm = Literal["none", "batch", "layer"]
Activation = Literal["relu", "gelu", "silu", "tanh", "sigmoid"]


class MLPSettings(Architecture):
    """Settings of `MLP`."""

    rough_row_s: ClassVar[float] = 3e-5

    hidden: tuple[int, ...] = Field(default=(64, 64), description="width of each hidden layer")
    dropout: float = Field(
        default=0.1, ge=0, lt=1, description="share of hidden activations set to zero"
    )
    input_dropout: float = Field(default=0.0, ge=0, lt=1, description="share of inputs set to zero")
    norm: Norm = Field(default="none", description="normalisation before each activation")
    activation: Activation = Field(default="relu", description="after each hidden layer")
    embedding_size: int = Field(
        default=8, ge=1, description="numbers per categorical column (never more than its codes)"
    )
    n_bins: int = Field(default=0, ge=0, description="bins of each column of x_bin")

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """An `MLP` for rows of this shape."""
        from models.networks.mlp import MLP

        return MLP(shape, n_outputs, settings=self)
