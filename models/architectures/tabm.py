"""Settings of TabM."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from models.architectures.base import Architecture

if TYPE_CHECKING:
    from torch import nn

    from models.data import InputShape


class TabMSettings(Architecture):
    """Settings of `TabM`."""

    rough_row_s: ClassVar[float] = 3e-4

    k: int = Field(default=16, ge=1, description="perceptrons in one network")
    hidden: tuple[int, ...] = Field(
        default=(256, 256), min_length=1, description="width of each hidden layer"
    )
    dropout: float = Field(
        default=0.1, ge=0, lt=1, description="share of hidden activations set to zero"
    )
    input_dropout: float = Field(default=0.0, ge=0, lt=1, description="share of inputs set to zero")
    n_bins: int = Field(default=6, ge=0, description="bins of each column of x_bin")
    embedding_size: int = Field(
        default=8, ge=1, description="numbers per categorical column (never more than its codes)"
    )

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """A `TabM` for rows of this shape."""
        from models.networks.tabm import TabM

        return TabM(shape, n_outputs, settings=self)
