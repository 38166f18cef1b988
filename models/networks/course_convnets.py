"""The convolutional networks of the course, for pictures of one channel and 28 by 28 pixels.

Source: Sung Kim, "PyTorch Zero To All", lectures 10 and 11.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.data import InputShape


class PixelMLP(nn.Module):
    """Linear layers with ReLU between them, over the flattened pixels."""

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

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.
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
    """Four parallel branches: 16 + 24 + 24 + 24 = 88 channels.

    Source: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016.
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
        branches = (self.branch1x1, self.branch5x5, self.branch3x3, self.branch_pool)
        return torch.cat([branch(x) for branch in branches], dim=1)


def plain_net(shape: InputShape, n_outputs: int, channels: tuple[int, int]) -> CourseNet:
    """The course's plain network: no block after a pool."""
    return CourseNet(shape, n_outputs, channels, blocks=(nn.Identity(), nn.Identity()))


def residual_net(shape: InputShape, n_outputs: int, channels: tuple[int, int]) -> CourseNet:
    """The course's network with a residual block after each pool."""
    first, second = channels
    blocks = ResidualBlock(first), ResidualBlock(second)
    return CourseNet(shape, n_outputs, channels, blocks=blocks)


def inception_net(shape: InputShape, n_outputs: int, channels: tuple[int, int]) -> CourseNet:
    """The course's network with an Inception block after each pool."""
    first, second = channels
    return CourseNet(shape, n_outputs, channels, blocks=(InceptionA(first), InceptionA(second)))
