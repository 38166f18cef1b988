"""A small modern convolutional network for small pictures."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.data import InputShape

if TYPE_CHECKING:
    from models.architectures.convnets import SmallConvNetSettings


class SmallConvNet(nn.Module):
    """Stages of two convolutions and a strided one that halves the picture, then a hidden layer.

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
    """Height or width after that many stages."""
    for _ in range(n_stages):
        n_pixels = -(-(n_pixels - 4) // 2)
    return n_pixels
