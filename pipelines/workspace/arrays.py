"""Arrays on disk: never pickled, and the same arrays give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.workspace.disk import writing


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays as one npz; `models.npz` would make stage 2 depend on the models' code.

    Raises:
        ValueError: One of them holds Python objects, which only pickle could keep.
    """
    if objects := [name for name, array in arrays.items() if array.dtype.hasobject]:
        raise ValueError(f"only pickle could keep the objects in {', '.join(objects)}")
    np.savez(path, **arrays)  # type: ignore[arg-type]


def read(path: Path) -> dict[str, np.ndarray]:
    """Read all of them back."""
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def read_one(path: Path, name: str) -> np.ndarray | None:
    """Read back the array of that name; None where the file has none."""
    with np.load(path) as arrays:
        return arrays[name] if name in arrays.files else None


class RowsWriter:
    """Writes one `.npy` a slice of rows at a time.

    The file is opened again for each slice, and never mapped: a mapping counts as process memory,
    and on a full disk it ends the process without a word.

    Args:
        path: The file.
        n_rows: Of all slices together.
    """

    def __init__(self, path: Path, n_rows: int) -> None:
        self._path = path
        self._n_rows = n_rows
        self._is_begun = False

    def append(self, rows: np.ndarray) -> None:
        """Write the next slice, `(n_slice, ...)`.

        Raises:
            DiskFullError: There is no room for it.
        """
        with writing(self._path), self._path.open("ab" if self._is_begun else "wb") as stream:
            if not self._is_begun:
                np.lib.format.write_array_header_1_0(stream, self._header(rows))
            stream.write(np.ascontiguousarray(rows).tobytes())
        self._is_begun = True

    def _header(self, rows: np.ndarray) -> dict[str, Any]:
        described = np.lib.format.header_data_from_array_1_0(np.ascontiguousarray(rows))
        return described | {"shape": (self._n_rows, *rows.shape[1:])}


class RowsOnDisk:
    """Arrays in `.npy` files side by side, of which only the wanted rows are read.

    It has what models need of an array: a length, a shape, slices of rows; `np.asarray` reads all.
    Memory-mapped arrays would not do: pages that were read count as the process's memory.

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

    def __reduce__(self) -> tuple[Callable[..., np.ndarray], tuple[np.ndarray]]:
        """Travel by value: the files may not lie where they arrive."""
        return np.asarray, (np.asarray(self),)

    def _read(self, part: int, start: int, stop: int) -> np.ndarray:
        array, n_rows = self._mapped[part], max(stop - start, 0)
        width = int(np.prod(array.shape[1:]))
        at = array.offset + start * width * array.dtype.itemsize
        flat = np.fromfile(self._paths[part], array.dtype, count=n_rows * width, offset=at)
        return flat.reshape(n_rows, *array.shape[1:])
