"""The convolutional networks of the course, for pictures of one channel and 28 by 28 pixels.

Source: Sung Kim, "PyTorch Zero To All", lectures 10 and 11.
"""

from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from models.data import InputShape
from models.networks.architecture import Architecture


class PixelMLPSettings(Architecture):
    """Settings of `PixelMLP`."""

    hidden: tuple[int, ...] = Field(
        default=(512, 256, 128, 64), description="width of each hidden layer"
    )

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """A `PixelMLP` for pictures of this shape."""
        channels, height, width = shape.image
        return PixelMLP((channels * height * width, *self.hidden, n_outputs))


class PixelMLP(nn.Module):
    """Linear layers with ReLU between them: all that it knows of a picture are its pixels."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths[:-1]):
            layers += [nn.Linear(n_in, n_out), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-2], widths[-1])

    def forward(self, image: Tensor) -> Tensor:
        """`(B, C, H, W)` -> `(B, n_outputs)`."""
        logits: Tensor = self.head(self.body(image.flatten(-3)))
        return logits


class ConvNetSettings(Architecture):
    """Settings of the course's convolutional networks: convolution, pool, block, twice."""

    channels: tuple[int, int] = Field(default=(10, 20), description="of the two convolutions")

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """Two convolutions with pools: 28 -> 24 -> 12 -> 8 -> 4 pixels, then a linear layer."""
        return CourseNet(shape, n_outputs, self.channels, blocks=(nn.Identity(), nn.Identity()))


class ResidualNetSettings(ConvNetSettings):
    """The same with a residual block behind each pool."""

    channels: tuple[int, int] = Field(default=(16, 32), description="of the two convolutions")

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """As `ConvNetSettings.build`."""
        first, second = self.channels
        blocks = ResidualBlock(first), ResidualBlock(second)
        return CourseNet(shape, n_outputs, self.channels, blocks=blocks)


class InceptionNetSettings(ConvNetSettings):
    """The same with an Inception block behind each pool."""

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """As `ConvNetSettings.build`."""
        first, second = self.channels
        blocks = InceptionA(first), InceptionA(second)
        return CourseNet(shape, n_outputs, self.channels, blocks=blocks)


class CourseNet(nn.Module):
    """Convolution, pool, ReLU and a block, twice; then a linear layer."""

    def __init__(
        self,
        shape: InputShape,
        n_outputs: int,
        channels: tuple[int, int],
        *,
        blocks: tuple[nn.Module, nn.Module],
    ) -> None:
        super().__init__()
        first, second = channels
        widths = [getattr(block, "n_out", n) for block, n in zip(blocks, channels, strict=True)]
        self.conv1 = nn.Conv2d(shape.image[0], first, kernel_size=5)
        self.block1 = blocks[0]
        self.conv2 = nn.Conv2d(widths[0], second, kernel_size=5)
        self.block2 = blocks[1]
        height, width = (((n - 4) // 2 - 4) // 2 for n in shape.image[1:])
        self.head = nn.Linear(widths[1] * height * width, n_outputs)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor) -> Tensor:
        """`(B, C, H, W)` -> `(B, n_outputs)`."""
        x = self.block1(functional.relu(functional.max_pool2d(self.conv1(image), 2)))
        x = self.block2(functional.relu(functional.max_pool2d(self.conv2(x), 2)))
        logits: Tensor = self.head(x.flatten(1))
        return logits


class ResidualBlock(nn.Module):
    """`relu(x + conv(relu(conv(x))))`, as many channels out as in.

    Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.n_out = channels
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` -> the same."""
        return functional.relu(x + self.conv2(functional.relu(self.conv1(x))))


class InceptionA(nn.Module):
    """Four ways through the same place, side by side: 16 + 24 + 24 + 24 = 88 channels.

    Source: Szegedy and others, "Rethinking the Inception Architecture for Computer Vision", 2016.
    """

    n_out = 88

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch1x1 = nn.Conv2d(channels, 16, kernel_size=1)
        self.branch5x5 = nn.Sequential(
            nn.Conv2d(channels, 16, kernel_size=1), nn.Conv2d(16, 24, kernel_size=5, padding=2)
        )
        self.branch3x3 = nn.Sequential(
            nn.Conv2d(channels, 16, kernel_size=1),
            nn.Conv2d(16, 24, kernel_size=3, padding=1),
            nn.Conv2d(24, 24, kernel_size=3, padding=1),
        )
        self.branch_pool = nn.Sequential(
            nn.AvgPool2d(3, stride=1, padding=1), nn.Conv2d(channels, 24, kernel_size=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` -> `(B, 88, H, W)`."""
        ways = (self.branch1x1, self.branch5x5, self.branch3x3, self.branch_pool)
        return torch.cat([way(x) for way in ways], dim=1)
