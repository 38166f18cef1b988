"""What every family of networks has: settings that build one model."""

from abc import ABC, abstractmethod

from pydantic import BaseModel, ConfigDict
from torch import nn

from models.data import InputShape


class Architecture(BaseModel, ABC):
    """Settings of a network; subclass it in a competition's file to bring a network of your own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @abstractmethod
    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """One model, an ordinary module, for rows of this shape."""
