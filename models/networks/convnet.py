"""A small convolutional network as one would write it today, for small pictures."""

from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from models.data import InputShape
from models.networks.architecture import Architecture


class SmallConvNetSettings(Architecture):
    """Settings of `SmallConvNet`."""

    channels: tuple[int, ...] = Field(
        default=(32, 64), description="of each stage; a stage halves height and width at its end"
    )
    dropout: float = Field(default=0.25, ge=0, lt=1, description="share of zeroed maps and numbers")
    hidden: int = Field(default=128, ge=1, description="width of the layer before the last")

    def build(self, shape: InputShape, n_outputs: int) -> nn.Module:
        """A `SmallConvNet` for pictures of this shape."""
        return SmallConvNet(shape, n_outputs, settings=self)


class SmallConvNet(nn.Module):
    """Stages of two convolutions and one that learns to halve the picture, then a hidden layer.

    Source: Deotte, "25 Million Images! [0.99757] MNIST", Kaggle notebook, 2018.
    """

    def __init__(
        self, shape: InputShape, n_outputs: int, *, settings: SmallConvNetSettings
    ) -> None:
        super().__init__()
        widths = (shape.image[0], *settings.channels)
        stages = [_stage(n_in, n_out, settings.dropout) for n_in, n_out in pairwise(widths)]
        self.stages = nn.Sequential(*stages)
        height, width = (_side(n, len(stages)) for n in shape.image[1:])
        self.hidden = nn.Linear(widths[-1] * height * width, settings.hidden, bias=False)
        self.norm = nn.BatchNorm1d(settings.hidden)
        self.drop = nn.Dropout(settings.dropout)
        self.head = nn.Linear(settings.hidden, n_outputs)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor) -> Tensor:
        """`(B, C, H, W)` -> `(B, n_outputs)`."""
        flat = self.stages(image).flatten(1)
        logits: Tensor = self.head(self.drop(functional.relu(self.norm(self.hidden(flat)))))
        return logits


def _stage(n_in: int, n_out: int, dropout: float) -> nn.Sequential:
    """`(B, n_in, H, W)` -> `(B, n_out, ceil((H - 4) / 2), ceil((W - 4) / 2))`."""
    return nn.Sequential(
        *_layer(n_in, n_out, kernel_size=3),
        *_layer(n_out, n_out, kernel_size=3),
        *_layer(n_out, n_out, kernel_size=5, stride=2, padding=2),
        nn.Dropout(dropout),
    )


def _layer(
    n_in: int, n_out: int, *, kernel_size: int, stride: int = 1, padding: int = 0
) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(n_in, n_out, kernel_size, stride=stride, padding=padding, bias=False)
    return convolution, nn.BatchNorm2d(n_out), nn.ReLU()


def _side(n_pixels: int, n_stages: int) -> int:
    """Height or width behind that many stages."""
    for _ in range(n_stages):
        n_pixels = -(-(n_pixels - 4) // 2)
    return n_pixels
