"""Arrays as one npz, never pickled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np


def save(
    target: Path | IO[bytes], arrays: Mapping[str, np.ndarray], *, is_compressed: bool = False
) -> None:
    """Write the arrays; `numpy.savez` of NumPy 2.0 has no argument against pickling.

    Raises:
        ValueError: One of them holds Python objects, which only pickle could keep.
    """
    objects = [name for name, array in arrays.items() if np.asarray(array).dtype.hasobject]
    if objects:
        raise ValueError(f"only pickle could keep the objects in {', '.join(objects)}")
    write = np.savez_compressed if is_compressed else np.savez
    write(target, **arrays)  # type: ignore[arg-type]
