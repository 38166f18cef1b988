"""`--weights FILE=WEIGHT,…`: test predictions without out-of-fold ones, which nothing can score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.blending.alignment import aligned
from pipelines.blending.claims import numbered
from pipelines.blending.members import expected_of
from pipelines.blending.prediction_files import read
from pipelines.blending.request import BlendRequestError
from pipelines.workspace.files import sha256

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition
    from pipelines.stages.preprocess import Prepared

ALMOST = 1e-6


@dataclass(frozen=True)
class Unscored:
    """Test predictions with weights that a person gave.

    Attributes:
        files: Their paths.
        weights: `(n_files,)`, above 0.
        test: `(n_test, n_columns)`, their weighted sum.
        digests: The sha256 of each file.
    """

    files: tuple[str, ...]
    weights: tuple[float, ...]
    test: np.ndarray
    digests: tuple[str, ...]

    @property
    def share(self) -> float:
        """The sum of the weights."""
        return sum(self.weights)

    @property
    def by_file(self) -> dict[str, float]:
        """The weight of each file."""
        return dict(zip(self.files, self.weights, strict=True))

    def mixed_with(self, scored: np.ndarray) -> np.ndarray:
        """The files' sum, and the scored predictions with what is left of the weight."""
        mixed: np.ndarray = self.test + (1 - self.share) * scored
        return mixed


def total_of(typed: Sequence[str]) -> float:
    """The sum of the weights that were typed.

    Raises:
        NumberedFileError: One is no `FILE=WEIGHT`.
        BlendRequestError: One is not above zero, or their sum is above 1.
    """
    found = numbered("--weights", typed)
    for one in found:
        if one.number <= 0:
            raise BlendRequestError(
                f"--weights {one.file}={one.number:g}: found a weight that is not above 0; leave "
                "the file out, or give it a weight from 0 to 1"
            )
    total = sum(one.number for one in found)
    if total > 1 + ALMOST:
        raise BlendRequestError(
            f"--weights: found weights with the sum {total:g}, expected 1 at most; what is left to "
            "1 goes to the blend of the members with out-of-fold predictions"
        )
    return total


def read_unscored(
    typed: Sequence[str], competition: Competition, prepared: Prepared
) -> Unscored | None:
    """The files and their weighted sum; None where none was typed.

    Raises:
        PredictionFileError: A file cannot be used.
    """
    found = numbered("--weights", typed)
    if not found:
        return None
    total_of(typed)
    wanted = expected_of(competition, prepared, "test")
    values = [aligned(read(Path(one.file), wanted), wanted).values for one in found]
    weights = tuple(one.number for one in found)
    return Unscored(
        files=tuple(one.file for one in found),
        weights=weights,
        test=np.tensordot(np.array(weights), np.stack(values), axes=1),
        digests=tuple(sha256(Path(one.file)) for one in found),
    )
