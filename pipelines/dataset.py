"""Stage 3: tables to the numbers that each fold's models see.

An encoder is cloned for every fold and fitted on that fold's training rows alone. Every row of the
training file is then encoded as that fold sees it, and so is every test row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.datasets import EncodedDataset
from features.folds import Folds, Split
from pipelines import arrays
from pipelines.competition import Encoded, Encoder
from pipelines.preprocess import Prepared

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FoldView:
    """The data as one fold's encoder sees it.

    Attributes:
        split: which rows are trained on and which are held out.
        train: all `n_train` rows of the training file, each array `(n_train, ...)`.
        test: all `n_test` test rows, each array `(n_test, ...)`.
    """

    split: Split
    train: Encoded
    test: Encoded


@dataclass(frozen=True)
class FoldedDataset:
    """One encoder's view of every fold, with the target `(n_train,) int64`."""

    target: np.ndarray
    folds: Folds
    views: list[FoldView]

    def training_set(self, index: int) -> EncodedDataset:
        """The rows that the models of fold `index` are trained on."""
        view = self.views[index]
        return EncodedDataset(view.train, self.target, view.split.train_rows)

    def held_out_set(self, index: int) -> EncodedDataset:
        """The rows that are held out from fold `index`."""
        view = self.views[index]
        return EncodedDataset(view.train, self.target, view.split.valid_rows)


def encode(
    prepared: Prepared, encoder: Callable[[], Encoder], progress: Progress | None = None
) -> FoldedDataset:
    """Fit the encoder in every fold and encode all rows by it."""
    splits = list(prepared.folds.splits())
    views = []
    for index, split in enumerate(splits):
        views.append(_encode_fold(prepared, encoder(), split))
        if progress is not None:
            progress(index + 1, len(splits))
    return FoldedDataset(prepared.target, prepared.folds, views)


def _encode_fold(prepared: Prepared, encoder: Encoder, split: Split) -> FoldView:
    seen, target = prepared.train.iloc[split.train_rows], prepared.target[split.train_rows]
    trained_on = encoder.fit_transform(seen, target)
    held_out = encoder.transform(prepared.train.iloc[split.valid_rows])
    train = {key: _interleave(trained_on[key], held_out[key], split) for key in trained_on}
    return FoldView(split, train, encoder.transform(prepared.test))


def _interleave(trained_on: np.ndarray, held_out: np.ndarray, split: Split) -> np.ndarray:
    """Both parts back in file order: `(n_fold_train, ...)`, `(n_fold_valid, ...)` -> `(n, ...)`."""
    n_rows = len(split.train_rows) + len(split.valid_rows)
    rows = np.empty((n_rows, *trained_on.shape[1:]), dtype=trained_on.dtype)
    rows[split.train_rows] = trained_on
    rows[split.valid_rows] = held_out
    return rows


def save(dataset: FoldedDataset, folder: Path) -> None:
    """One npz for each fold; target and folds stay with the prepared tables."""
    for index, view in enumerate(dataset.views):
        train = {f"train-{key}": array for key, array in view.train.items()}
        test = {f"test-{key}": array for key, array in view.test.items()}
        arrays.write(folder / f"fold-{index:03d}.npz", train | test)


def load(folder: Path, prepared: Prepared) -> FoldedDataset:
    """Read back what `save` wrote."""
    views = [
        _load_fold(folder / f"fold-{index:03d}.npz", split)
        for index, split in enumerate(prepared.folds.splits())
    ]
    return FoldedDataset(prepared.target, prepared.folds, views)


def _load_fold(path: Path, split: Split) -> FoldView:
    parts = arrays.read(path)
    return FoldView(split, _part(parts, "train-"), _part(parts, "test-"))


def _part(parts: dict[str, np.ndarray], prefix: str) -> Encoded:
    return {k.removeprefix(prefix): array for k, array in parts.items() if k.startswith(prefix)}
