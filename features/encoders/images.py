"""Pictures in a table, a column for each pixel, to the arrays that convolutions take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from features.encoders.base import EncodingError, State, require_columns


class ImageEncoder(BaseEstimator):  # type: ignore[misc]
    """Pixels of one channel to `image (n_rows, 1, height, width) float32`.

    Each becomes `(pixel / largest - mean) / deviation`. Nothing is learned from the rows, so that
    every fold sees the same.

    Args:
        columns: the pixels, row by row from the upper left.
        height: pixels from top to bottom.
        width: pixels from left to right.
        mean: of the pixels as shares of the largest.
        deviation: of the same.
        largest: the value of a pixel that is full on.
    """

    stateless: ClassVar[bool] = True

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
            EncodingError: it has not, or they are not height times width.
        """
        require_columns(table, self.columns, self)
        if len(self.columns) != self.height * self.width:
            raise EncodingError(
                f"ImageEncoder takes {self.height} x {self.width} pixels, found "
                f"{len(self.columns)} columns; correct its height and width"
            )
        return self

    def transform(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """The pictures of any rows."""
        self.fit(table)
        # Our own copy, row by row: a data frame keeps the columns together.
        pixels = np.array(table[list(self.columns)], dtype=np.float32, order="C")
        pixels *= np.float32(1 / (self.largest * self.deviation))
        pixels -= np.float32(self.mean / self.deviation)
        return {"image": pixels.reshape(len(table), 1, self.height, self.width)}

    def fit_transform(
        self, table: pd.DataFrame, target: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """The pictures; there is nothing to fit."""
        return self.fit(table, target).transform(table)

    def names(self) -> dict[str, list[str]]:
        """The name of each pixel, as the rows of `image` hold them."""
        return {"image": list(self.columns)}

    def state(self) -> State:
        """What was learned from the rows fitted on: nothing."""
        return {}
