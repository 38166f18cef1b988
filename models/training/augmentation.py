"""Pictures as they might have been as well: moved, turned, stretched a little.

In training every batch is warped at random, from a stream that belongs to the replica. In
prediction a picture is seen in a few fixed views, the same for every row, and their mean counts.
"""

import math

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional

IMAGE = "image"
# Each view: pixels to the right, pixels down, degrees. The first is the picture as it is.
_VIEWS = (
    (0.0, 0.0, 0.0),
    (1.0, 0.0, 0.0),
    (-1.0, 0.0, 0.0),
    (0.0, 1.0, 0.0),
    (0.0, -1.0, 0.0),
    (0.0, 0.0, 6.0),
    (0.0, 0.0, -6.0),
    (0.7, 0.7, 0.0),
    (-0.7, -0.7, 0.0),
)
MOST_VIEWS = len(_VIEWS)


class WarpSettings(BaseModel):
    """How far a picture is moved, turned and bent; each picture draws its own numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shift: float = Field(default=2.0, ge=0, description="largest move each way, in pixels")
    rotate: float = Field(default=12.0, ge=0, description="largest turn, in degrees")
    zoom: float = Field(default=0.1, ge=0, lt=1, description="largest change of the size")
    shear: float = Field(default=0.1, ge=0, lt=1, description="largest slant, as its tangent")
    elastic: float = Field(default=1.0, ge=0, description="spread of the bending, in pixels")
    knots: int = Field(default=5, ge=2, description="points each way that the bending is drawn at")


def warped(images: Tensor, settings: WarpSettings, generator: torch.Generator) -> Tensor:
    """Every picture moved, turned and bent by chance: `(B, C, H, W)` -> the same.

    What comes in from outside has the colour of the border.

    Source: Simard, Steinkraus, Platt, "Best Practices for Convolutional Neural Networks Applied to
    Visual Document Analysis", ICDAR 2003.
    """
    n_images, _, height, width = images.shape
    grid = functional.affine_grid(
        _random_maps(images, settings, generator), list(images.shape), align_corners=False
    )
    if settings.elastic:
        shape = (n_images, 2, settings.knots, settings.knots)
        drawn = torch.randn(shape, generator=generator, device=generator.device).to(images)
        field = functional.interpolate(drawn, (height, width), mode="bicubic", align_corners=True)
        pixels = torch.tensor([2 / width, 2 / height]).to(images)  # a pixel, as the grid counts
        grid = grid + field.permute(0, 2, 3, 1) * pixels * settings.elastic
    return _sampled(images, grid)


def seen(images: Tensor, view: int) -> Tensor:
    """The pictures in one of the fixed views, `(B, C, H, W)` -> the same; view 0 changes nothing.

    Args:
        images: the pictures.
        view: from 0 to `MOST_VIEWS - 1`.
    """
    right, down, degrees = _VIEWS[view]
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


def _sampled(images: Tensor, grid: Tensor) -> Tensor:
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _random_maps(images: Tensor, settings: WarpSettings, generator: torch.Generator) -> Tensor:
    """For each picture the map from places after to places before the warp, `(B, 2, 3)`."""
    n_images, _, height, width = images.shape
    drawn = 2 * torch.rand((6, n_images), generator=generator, device=generator.device) - 1
    turn, across, upright, slant, right, down = drawn.to(images)
    angle = turn * math.radians(settings.rotate)
    sizes = 1 + settings.zoom * across, 1 + settings.zoom * upright
    cos, sin, slope = torch.cos(angle), torch.sin(angle), settings.shear * slant
    rows = [
        torch.stack([cos, slope * cos - sin, right * 2 * settings.shift / width]),
        torch.stack([sin, slope * sin + cos, down * 2 * settings.shift / height]),
    ]
    maps = torch.stack(rows).permute(2, 0, 1)  # (2, 3, B) -> (B, 2, 3)
    maps[:, :, 0] *= sizes[0].unsqueeze(1)
    maps[:, :, 1] *= sizes[1].unsqueeze(1)
    return maps
