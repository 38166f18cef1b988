"""Settings of logistic regression as a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from models.architectures.base import Architecture

if TYPE_CHECKING:
    from torch import nn

    from models.data import InputShape


class LinearSettings(Architecture):
    """Settings of `Linear`."""

    rough_row_s: ClassVar[float] = 3e-6

    embedding_size: int = Field(
        default=4, ge=1, description="numbers per categorical column (never more than its codes)"
    )

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """A `Linear` for rows of this shape."""
        from models.networks.linear import Linear

        return Linear(shape, n_outputs, embedding_size=self.embedding_size)
