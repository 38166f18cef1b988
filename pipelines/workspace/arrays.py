"""Named arrays in one file; never pickled, and the same arrays give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.lib.format import open_memmap


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays as one npz."""
    np.savez(path, allow_pickle=False, **arrays)


def read(path: Path) -> dict[str, np.ndarray]:
    """Read all of them back."""
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def read_one(path: Path, name: str) -> np.ndarray | None:
    """Read back the array of that name; None where there is none."""
    with np.load(path) as arrays:
        return arrays[name] if name in arrays.files else None


def allocate(path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> None:
    """Make an npy of that shape, for `fill` to write."""
    open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def fill(path: Path, start: int, rows: np.ndarray) -> None:
    """Write `rows (n_slice, ...)` into an npy from row `start` on.

    The file is mapped for this call only: pages that stay mapped count as the process's memory.
    """
    mapped = open_memmap(path, mode="r+")
    mapped[start : start + len(rows)] = rows
    mapped.flush()


class RowsOnDisk:
    """Arrays in `.npy` files side by side, of which only the rows asked for are read.

    It has what models need of an array: a length, a shape, slices of rows; `np.asarray` reads all.
    Memory-mapped arrays would not do: what was read of them counts as the process's own.

    Attributes:
        shape: `(n_rows, ...)`.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._mapped = [np.load(path, mmap_mode="r") for path in paths]  # for their headers only
        self._paths = paths
        self._n_rows = len(self._mapped[0])
        self.shape = (self._n_rows, *self[:0].shape[1:])

    def __len__(self) -> int:
        return self._n_rows

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(len(self))
        parts = [self._read(part, start, stop) for part in range(len(self._paths))]
        return parts[0] if len(parts) == 1 else np.hstack(parts)

    def __array__(self, dtype: npt.DTypeLike | None = None, **_: object) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)

    def _read(self, part: int, start: int, stop: int) -> np.ndarray:
        array, n_rows = self._mapped[part], max(stop - start, 0)
        width = int(np.prod(array.shape[1:]))
        at = array.offset + start * width * array.dtype.itemsize
        flat = np.fromfile(self._paths[part], array.dtype, count=n_rows * width, offset=at)
        return flat.reshape(n_rows, *array.shape[1:])
