"""Named arrays in one file; never pickled, and the same arrays give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays as one npz."""
    np.savez(path, allow_pickle=False, **arrays)


def read(path: Path) -> dict[str, np.ndarray]:
    """Read all of them back."""
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}
