"""What the settings of every architecture have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from torch import nn

    from models.data import InputShape

Parts = Literal["ends", "runs"]  # of a word's spelling: `models.networks.subwords`


class Architecture(BaseModel, ABC):
    """Settings of a network; subclass it in a competition file to use your own network.

    Import torch and the network inside `build`, so that reading settings stays fast.

    Attributes:
        rough_row_s: Seconds of a row in an epoch, within a factor of ten: tells cheap networks from
            dear ones before anything is measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    rough_row_s: ClassVar[float] = 1e-3

    @abstractmethod
    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """One network, an ordinary module, for rows of this shape."""
