from __future__ import annotations

import torch
from torch.nn import functional

from models.training.augmentation import in_view, warped
from models.training.settings import MOST_VIEWS, WarpSettings
from models.vectorised.random_streams import stream

STILL = {"shift": 0, "rotate": 0, "zoom": 0, "shear": 0, "elastic": 0}
CPU = torch.device("cpu")


def spot(row: int, column: int) -> torch.Tensor:
    """A bright pixel on a dark picture of 9 by 9."""
    image = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    image[0, 0, row, column] = 1
    return image


def place(image: torch.Tensor) -> tuple[float, float]:
    """Where the light is: its mean row and column."""
    light, at = image[0, 0] / image.sum(), torch.arange(9, dtype=image.dtype)
    return float((light.sum(1) * at).sum()), float((light.sum(0) * at).sum())


def test_zero_settings_leave_pictures_unchanged() -> None:
    images = torch.randn(5, 1, 9, 9, dtype=torch.float64)
    drawn = stream(0, 1, "augment", CPU)
    torch.testing.assert_close(warped(images, WarpSettings(**STILL), drawn), images)
    assert in_view(images, 0) is images


def test_views_are_one_pixel_to_each_side_and_a_turn() -> None:
    found = [place(in_view(spot(4, 4), view)) for view in range(1, 5)]
    torch.testing.assert_close(
        torch.tensor(found), torch.tensor([(4.0, 5.0), (4.0, 3.0), (5.0, 4.0), (3.0, 4.0)])
    )
    row, column = place(in_view(spot(4, 7), 5))
    assert row != 4
    assert column > 6.5
    torch.testing.assert_close(place(in_view(spot(4, 7), 6))[0], 8 - row)
    images = torch.randn(3, 1, 9, 9)
    assert all(in_view(images, view).shape == images.shape for view in range(MOST_VIEWS))


def test_a_warp_stays_within_its_settings() -> None:
    images = spot(4, 4).expand(200, 1, 9, 9)
    moved = warped(images, WarpSettings(**STILL | {"shift": 2.0}), stream(0, 1, "augment", CPU))
    rows, columns = zip(*(place(one[None]) for one in moved), strict=True)
    for found in (torch.tensor(rows) - 4, torch.tensor(columns) - 4):
        assert 1.8 < found.abs().max() <= 2.0001
        assert found.min() < -1 < 1 < found.max()
    blob = functional.max_pool2d(images, 3, stride=1, padding=1)
    bent = warped(blob, WarpSettings(**STILL | {"elastic": 1.0}), stream(0, 1, "augment", CPU))
    assert 0.2 < torch.tensor([place(one[None])[0] for one in bent]).std() < 1.5


def test_the_same_stream_gives_the_same_warp() -> None:
    images = torch.randn(4, 1, 9, 9)
    once, again = (warped(images, WarpSettings(), stream(3, 2, "augment", CPU)) for _ in "ab")
    assert torch.equal(once, again)
    other = warped(images, WarpSettings(), stream(4, 2, "augment", CPU))
    assert not torch.allclose(once, other, atol=1e-2)


def test_rows_do_not_see_each_other_in_a_view() -> None:
    images = torch.randn(6, 1, 9, 9)
    for view in range(MOST_VIEWS):
        assert torch.equal(in_view(images, view)[2:3], in_view(images[2:3], view))
