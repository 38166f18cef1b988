"""Stage 3: tables to the numbers that each fold's models see.

An encoder is cloned for every fold and fitted on that fold's training rows alone. Every row of the
training file is then encoded as that fold sees it, and so is every test row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from features.encoders.base import costly_state, refit
from features.folds import Split
from pipelines.configuration.competition import Encoded, Encoder
from pipelines.members.data import FoldedDataset, FoldView, choose
from pipelines.stages.preprocess import Prepared
from pipelines.workspace import arrays

if TYPE_CHECKING:
    from pipelines.console import Advance


def encode(
    prepared: Prepared, encoder: Callable[[], Encoder], progress: Advance | None = None
) -> FoldedDataset:
    """Fit the encoder in every fold and encode all rows by it."""
    views = list(encoded_views(prepared, encoder, progress))
    return FoldedDataset(prepared.target, prepared.folds, views)


def encoded_views(
    prepared: Prepared, encoder: Callable[[], Encoder], progress: Advance | None = None
) -> Iterator[FoldView]:
    """The same fold by fold, for those who need not hold all of them at once."""
    splits = list(prepared.folds.splits())
    shared = _encode_alike(prepared, encoder()) if is_alike(encoder()) else None
    for index, split in enumerate(splits):
        yield FoldView(split, *shared) if shared else encode_fold(prepared, encoder(), split)
        if progress is not None:
            progress(index + 1, len(splits))


def is_alike(encoder: Encoder) -> bool:
    """Whether the encoder learns nothing, so that every fold sees the same; it says so itself."""
    return bool(getattr(encoder, "stateless", False))


def _encode_alike(prepared: Prepared, encoder: Encoder) -> tuple[Encoded, Encoded]:
    """The training file's and the test rows, for all folds."""
    return encoder.transform(prepared.train), encoder.transform(prepared.test)


def encode_fold(prepared: Prepared, encoder: Encoder, split: Split) -> FoldView:
    """Fit a new encoder on the split's training rows, and encode every row by it."""
    seen, target = prepared.train.iloc[split.train_rows], prepared.target[split.train_rows]
    trained_on = encoder.fit_transform(seen, target)
    held_out = encoder.transform(prepared.train.iloc[split.valid_rows])
    train = {key: _interleave(trained_on[key], held_out[key], split) for key in trained_on}
    vocabulary, costly = tuple(getattr(encoder, "vocabulary_", ())), costly_state(encoder)
    return FoldView(split, train, encoder.transform(prepared.test), vocabulary, costly)


def _interleave(trained_on: np.ndarray, held_out: np.ndarray, split: Split) -> np.ndarray:
    """Both parts back in file order: `(n_fold_train, ...)`, `(n_fold_valid, ...)` -> `(n, ...)`."""
    n_rows = len(split.train_rows) + len(split.valid_rows)
    rows = np.empty((n_rows, *trained_on.shape[1:]), dtype=trained_on.dtype)
    rows[split.train_rows] = trained_on
    rows[split.valid_rows] = held_out
    return rows


def fitted_encoder(
    make: Callable[[], Encoder], prepared: Prepared, split: Split, expensive_file: Path
) -> Encoder:
    """The encoder of a split, fitted again on the rows that stage 3 fitted it on.

    Args:
        make: Makes an unfitted encoder.
        prepared: The run's tables.
        split: The split whose training rows the encoder learns from.
        expensive_file: Where the split's `costly_file` is, if it has one.
    """
    encoder = make()
    if is_alike(encoder):
        return encoder
    seen, target = prepared.train.iloc[split.train_rows], prepared.target[split.train_rows]
    expensive = arrays.read(expensive_file) if expensive_file.exists() else {}
    refit(encoder, seen, target, expensive)
    return encoder


def save(views: Iterable[FoldView], folder: Path) -> None:
    """For each fold an npz of its training-file rows, and an npy of each array of test rows.

    A fold that sees what the fold before it saw has no files of its own. Target and folds stay
    with the prepared tables.
    """
    written: Encoded | None = None
    for index, view in enumerate(views):
        if view.train is written:
            continue
        written = view.train
        arrays.write(folder / f"{_fold(index)}.npz", view.train)
        if view.costly:
            arrays.write(folder / costly_file(index), view.costly)
        for name, rows in view.test.items():
            np.save(folder / f"{_fold(index)}-test-{name}.npy", rows, allow_pickle=False)
        if view.vocabulary:
            _vocabulary_file(folder, _fold(index)).write_text(json.dumps(view.vocabulary) + "\n")


def _vocabulary_file(folder: Path, fold: str) -> Path:
    return folder / f"{fold}-vocabulary.json"


def _fold(index: int) -> str:
    return f"fold-{index:03d}"


def costly_file(index: int) -> str:
    """The file of what the encoder of fold `index` took long to learn, if it did."""
    return f"{_fold(index)}-costly.npz"


def load(
    folder: Path, prepared: Prepared, inputs: Mapping[str, Sequence[str]] | None = None
) -> FoldedDataset:
    """Read back what `save` wrote; test rows stay on disk until they are asked for.

    Args:
        folder: what `save` was given.
        prepared: the tables.
        inputs: by keyword of the network's `forward`, the arrays of the encoder that it gets side
            by side; none for the encoder's arrays as they are.

    Raises:
        DatasetError: `inputs` names an array that the encoder does not give.
    """
    views: list[FoldView] = []
    for index, split in enumerate(prepared.folds.splits()):
        if (folder / f"{_fold(index)}.npz").exists():
            views.append(FoldView(split, *_load_fold(folder, _fold(index), inputs or {})))
        else:
            views.append(replace(views[-1], split=split))
    return FoldedDataset(prepared.target, prepared.folds, views)


def load_fold(
    folder: Path, prepared: Prepared, index: int, inputs: Mapping[str, Sequence[str]]
) -> FoldView:
    """One fold's view; the arguments are those of `load`.

    Raises:
        DatasetError: `inputs` names an array that the encoder does not give.
    """
    split = list(prepared.folds.splits())[index]
    # A fold without files sees what the one before it saw.
    own = next(at for at in range(index, -1, -1) if (folder / f"{_fold(at)}.npz").exists())
    return FoldView(split, *_load_fold(folder, _fold(own), inputs))


def _load_fold(
    folder: Path, fold: str, inputs: Mapping[str, Sequence[str]]
) -> tuple[Encoded, Encoded, tuple[str, ...]]:
    """The training file's rows and the test rows as one fold sees them, and its vocabulary."""
    train = choose(arrays.read(folder / f"{fold}.npz"), inputs)
    parts = inputs or {name: (name,) for name in train}
    test = {
        key: arrays.RowsOnDisk([folder / f"{fold}-test-{name}.npy" for name in names])
        for key, names in parts.items()
    }
    words = _vocabulary_file(folder, fold)
    vocabulary = tuple(json.loads(words.read_text())) if words.exists() else ()
    # Models slice the test rows or take all of them, as of an array.
    return train, cast(Encoded, test), vocabulary


def load_array(folder: Path, name: str) -> np.ndarray | None:
    """One array of the training file's rows as the first fold sees them, where there is such."""
    return arrays.read_one(folder / f"{_fold(0)}.npz", name)
