"""Images from a table with one column per pixel, as arrays for convolutions."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from features.encoders.base import BaseEncoder, EncodingError, State, require_columns


class ImageEncoder(BaseEncoder):
    """Pixels of one channel to `image (n_rows, 1, height, width) float32`.

    Each becomes `(pixel / largest - mean) / deviation`. Nothing is learned from the rows, so all
    folds share the same arrays.

    Args:
        columns: The pixels, row by row from the upper left.
        height: Pixels from top to bottom.
        width: Pixels from left to right.
        mean: Mean of the pixels divided by `largest`.
        deviation: Their standard deviation, likewise.
        largest: The largest value that a pixel can have.
    """

    stateless = True

    def __init__(
        self,
        columns: Sequence[str],
        *,
        height: int,
        width: int,
        mean: float,
        deviation: float,
        largest: float = 255.0,
    ) -> None:
        self.columns = columns
        self.height = height
        self.width = width
        self.mean = mean
        self.deviation = deviation
        self.largest = largest

    def fit(self, table: pd.DataFrame, target: np.ndarray | None = None) -> Self:  # noqa: ARG002
        """Check that the table has the pixels.

        Raises:
            EncodingError: It lacks some, or they are not height times width.
        """
        require_columns(table, self.columns, self)
        if len(self.columns) != self.height * self.width:
            raise EncodingError(
                f"ImageEncoder takes {self.height} x {self.width} pixels, found "
                f"{len(self.columns)} columns; correct its height and width"
            )
        return self

    def transform(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """The images of any rows."""
        self.fit(table)
        # A copy in row order: a data frame stores column by column.
        pixels = np.array(table[list(self.columns)], dtype=np.float32, order="C")
        pixels *= np.float32(1 / (self.largest * self.deviation))
        pixels -= np.float32(self.mean / self.deviation)
        return {"image": pixels.reshape(len(table), 1, self.height, self.width)}

    def fit_transform(
        self, table: pd.DataFrame, target: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """The images; there is nothing to fit."""
        return self.fit(table, target).transform(table)

    def names(self) -> dict[str, list[str]]:
        """The name of each pixel, in the order of `image`."""
        return {"image": list(self.columns)}

    def state(self) -> State:
        """Everything learned from the rows fitted on: nothing."""
        return {}


@dataclass(frozen=True)
class GreyPixels:
    """Reads a picture's file as grey pixels: the `parse` of an `ExtraFile` for each row.

    Attributes:
        height: Pixels from top to bottom; the picture is scaled to it.
        width: Pixels from left to right.
    """

    height: int
    width: int

    @property
    def columns(self) -> list[str]:
        """The names of the pixels, row by row from the upper left."""
        return [f"pixel{at}" for at in range(self.height * self.width)]

    def __call__(self, content: bytes) -> dict[str, int]:
        """The pixels of a picture, 0 for black to 255.

        Args:
            content: A file in any format that Pillow reads.

        Raises:
            ValueError: It holds no picture.
        """
        try:
            with Image.open(io.BytesIO(content)) as picture:
                grey = picture.convert("L").resize((self.width, self.height))
        except (UnidentifiedImageError, OSError) as error:
            raise ValueError(f"no picture: {error}") from error
        return dict(zip(self.columns, np.asarray(grey).ravel().tolist(), strict=True))
