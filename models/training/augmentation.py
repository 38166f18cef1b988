"""Augmented pictures: moved, rotated, scaled and bent a little.

In training every batch is warped at random, from the replica's random stream. Predictions are
averaged over a few fixed views, the same for every row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from models.training.settings import VIEWS, WarpSettings

IMAGE = "image"


def warped(images: Tensor, settings: WarpSettings, generator: torch.Generator) -> Tensor:
    """Every picture moved, rotated and bent at random: `(B, C, H, W)` -> the same.

    Areas from outside the picture take the colour of its border.

    Source: Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural Networks Applied
    to Visual Document Analysis", ICDAR 2003.
    """
    n_images, _, height, width = images.shape
    grid = functional.affine_grid(
        _random_maps(images, settings, generator), list(images.shape), align_corners=False
    )
    if settings.elastic:
        shape = (n_images, 2, settings.knots, settings.knots)
        drawn = torch.randn(shape, generator=generator, device=generator.device).to(images)
        field = functional.interpolate(drawn, (height, width), mode="bicubic", align_corners=True)
        pixels = torch.tensor([2 / width, 2 / height]).to(images)  # one pixel in grid units
        grid = grid + field.permute(0, 2, 3, 1) * pixels * settings.elastic
    return _sampled(images, grid)


def in_view(images: Tensor, view: int) -> Tensor:
    """The pictures in one of the fixed views, `(B, C, H, W)` -> the same; view 0 changes nothing.

    Args:
        images: The pictures.
        view: From 0 to `MOST_VIEWS - 1`.
    """
    right, down, degrees = VIEWS[view]
    if view == 0:
        return images
    height, width = images.shape[-2:]
    angle = math.radians(degrees)
    maps = torch.tensor(
        [
            [math.cos(angle), -math.sin(angle), -2 * right / width],
            [math.sin(angle), math.cos(angle), -2 * down / height],
        ]
    ).to(images)
    grid = functional.affine_grid(
        maps.expand(len(images), 2, 3), list(images.shape), align_corners=False
    )
    return _sampled(images, grid)


def inputs_in_view(inputs: Mapping[str, Tensor], view: int) -> Mapping[str, Tensor]:
    """A network's inputs with the pictures in one of the fixed views; each `(r, B, ...)`."""
    if view == 0:
        return inputs
    images = inputs[IMAGE]
    return {**inputs, IMAGE: in_view(images.flatten(0, 1), view).view(images.shape)}


def _sampled(images: Tensor, grid: Tensor) -> Tensor:
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _random_maps(images: Tensor, settings: WarpSettings, generator: torch.Generator) -> Tensor:
    """Each picture's affine map from positions after to positions before the warp: `(B, 2, 3)`."""
    n_images, _, height, width = images.shape
    drawn = 2 * torch.rand((6, n_images), generator=generator, device=generator.device) - 1
    rotation, wider, taller, slant, right, down = drawn.to(images)
    angle = rotation * math.radians(settings.rotate)
    sizes = 1 + settings.zoom * wider, 1 + settings.zoom * taller
    cos, sin, slope = torch.cos(angle), torch.sin(angle), settings.shear * slant
    rows = [
        torch.stack([cos, slope * cos - sin, right * 2 * settings.shift / width]),
        torch.stack([sin, slope * sin + cos, down * 2 * settings.shift / height]),
    ]
    maps = torch.stack(rows).permute(2, 0, 1)  # (2, 3, B) -> (B, 2, 3)
    maps[:, :, 0] *= sizes[0].unsqueeze(1)
    maps[:, :, 1] *= sizes[1].unsqueeze(1)
    return maps
