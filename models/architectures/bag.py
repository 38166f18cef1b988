"""Settings of the bag of embeddings for texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from models.architectures.base import Architecture, Parts

if TYPE_CHECKING:
    from torch import nn

    from models.data import InputShape


class BagSettings(Architecture):
    """Settings of `Bag`.

    Source: Joulin et al., "Bag of Tricks for Efficient Text Classification", EACL 2017.
    """

    rough_row_s: ClassVar[float] = 1e-4

    embedding_size: int = Field(default=64, ge=1, description="numbers per word and per word pair")
    n_buckets: int = Field(
        default=1 << 15, ge=1, description="vectors shared by all pairs of adjacent words"
    )
    hidden: int = Field(default=64, ge=1, description="width of the hidden layer")
    dropout: float = Field(default=0.3, ge=0, lt=1, description="share of activations set to zero")
    word_dropout: float = Field(
        default=0.1, ge=0, lt=1, description="share of tokens replaced by the unknown token"
    )
    spelling: Parts = Field(
        default="ends", description="which parts of a word are embedded if spellings are given"
    )

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """A `Bag` for texts of this vocabulary."""
        from models.networks.bag import Bag

        return Bag(shape, n_outputs, settings=self)
