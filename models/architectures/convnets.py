"""Settings of the networks for small pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from models.architectures.base import Architecture

if TYPE_CHECKING:
    from torch import nn

    from models.data import InputShape


class SmallConvNetSettings(Architecture):
    """Settings of `SmallConvNet`."""

    channels: tuple[int, ...] = Field(
        default=(32, 64), description="of each stage; a stage halves height and width at its end"
    )
    dropout: float = Field(default=0.25, ge=0, lt=1, description="share of activations set to zero")
    hidden: int = Field(default=128, ge=1, description="width of the layer before the last")

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """A `SmallConvNet` for pictures of this shape."""
        from models.networks.convnet import SmallConvNet

        return SmallConvNet(shape, n_outputs, settings=self)


class PixelMLPSettings(Architecture):
    """Settings of `PixelMLP`."""

    rough_row_s: ClassVar[float] = 1e-4

    hidden: tuple[int, ...] = Field(
        default=(512, 256, 128, 64), description="width of each hidden layer"
    )

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """A `PixelMLP` for pictures of this shape."""
        from models.networks.course_convnets import PixelMLP

        channels, height, width = shape.image
        return PixelMLP((channels * height * width, *self.hidden, n_outputs))


class ConvNetSettings(Architecture):
    """Settings of the course's convolutional network: convolution, pool and block, twice."""

    channels: tuple[int, int] = Field(default=(10, 20), description="of the two convolutions")

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """Two convolutions with pools: 28 -> 24 -> 12 -> 8 -> 4 pixels, then a linear layer."""
        from models.networks.course_convnets import plain_net

        return plain_net(shape, n_outputs, self.channels)


class ResidualNetSettings(ConvNetSettings):
    """The same with a residual block after each pool."""

    channels: tuple[int, int] = Field(default=(16, 32), description="of the two convolutions")

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """As `ConvNetSettings.build`."""
        from models.networks.course_convnets import residual_net

        return residual_net(shape, n_outputs, self.channels)


class InceptionNetSettings(ConvNetSettings):
    """The same with an Inception block after each pool."""

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """As `ConvNetSettings.build`."""
        from models.networks.course_convnets import inception_net

        return inception_net(shape, n_outputs, self.channels)
