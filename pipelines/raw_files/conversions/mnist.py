"""MNIST's original four files, converted to the files of Kaggle's competition.

MNIST's test set takes the place of Kaggle's unlabelled test rows; its labels are held back.

Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", on the file format.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from features.tables.text_file import DOWNLOAD_AGAIN, Fault, TableError
from pipelines.raw_files.samples.digits import N_PIXELS, Bytes, write_files

PARTS = ("train", "t10k")
FILES = tuple(
    f"{part}-{content}" for part in PARTS for content in ("images-idx3-ubyte", "labels-idx1-ubyte")
)
_UNSIGNED_BYTES = 8  # the format's number for the type of the values


def convert(found: Path, folder: Path) -> None:
    """From the folder `found` with `FILES` to the competition's files in `folder`.

    Raises:
        TableError: A file does not follow the format, or images and labels differ in number.
    """
    arrays = []
    for part in PARTS:
        images = read_idx(found / f"{part}-images-idx3-ubyte", n_dimensions=3)
        labels = read_idx(found / f"{part}-labels-idx1-ubyte", n_dimensions=1)
        _check(found / f"{part}-images-idx3-ubyte", images, labels)
        arrays += [images.reshape(len(images), N_PIXELS), labels]
    write_files(folder, *arrays)


def read_idx(path: Path, *, n_dimensions: int) -> Bytes:
    """The array of unsigned bytes in an idx file.

    Raises:
        TableError: The file holds something else.
    """
    data = path.read_bytes()
    n_header = 4 + 4 * n_dimensions
    magic = bytes([0, 0, _UNSIGNED_BYTES, n_dimensions])
    if len(data) < n_header or data[:4] != magic:
        raise _fault(path, f"the first bytes {data[:4].hex()}", magic.hex())
    shape = struct.unpack(f">{n_dimensions}I", data[4:n_header])
    n_bytes = n_header + int(np.prod(shape))
    if len(data) != n_bytes:
        raise _fault(path, f"{len(data):,} bytes", f"{n_bytes:,} bytes")
    return np.frombuffer(data, dtype=np.uint8, offset=n_header).reshape(shape)


def _check(path: Path, images: Bytes, labels: Bytes) -> None:
    if images.shape != (len(labels), 28, 28):
        expected = f"an image of 28 x 28 for each of {len(labels)} labels"
        raise _fault(path, f"the shape {images.shape}", expected)


def _fault(path: Path, found: str, expected: str) -> TableError:
    return TableError(path.name, [Fault("file", found, expected, DOWNLOAD_AGAIN)])
