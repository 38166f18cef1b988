"""Stage 3: tables to the arrays of each fold, with the names and cardinalities of their columns.

Every fold gets a new encoder, fitted on that fold's training rows only. It then encodes all rows of
the training file, and all test rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from features.encoders.base import complete, is_stateless, refit
from features.folds import Split
from pipelines.members.data import DatasetError, FoldedDataset, FoldView, choose
from pipelines.workspace import arrays
from pipelines.workspace.stage_files import DatasetFiles

if TYPE_CHECKING:
    from features.encoders.base import Encoded, Encoder
    from pipelines.stages.preprocess import Prepared

Value = TypeVar("Value")

if TYPE_CHECKING:
    from pipelines.console import Advance


def encode(
    prepared: Prepared, encoder: Callable[[], Encoder], progress: Advance | None = None
) -> FoldedDataset:
    """Fit a new encoder in every fold and encode all rows with it."""
    return _folded(prepared, list(encoded_views(prepared, encoder, progress)))


def _folded(prepared: Prepared, views: list[FoldView]) -> FoldedDataset:
    """The views of all splits as a dataset; that of the refit, if there is one, is the last."""
    n_splits = prepared.folds.n_splits
    refit = views[n_splits] if len(views) > n_splits else None
    return FoldedDataset(prepared.target, prepared.folds, views[:n_splits], prepared.weight, refit)


def encoded_views(
    prepared: Prepared, encoder: Callable[[], Encoder], progress: Advance | None = None
) -> Iterator[FoldView]:
    """The same fold by fold, for callers that need not hold all of them at once."""
    splits = prepared.folds.all_splits()
    shared: FoldView | None = None
    for index, split in enumerate(splits):
        made = complete(encoder())
        if not is_stateless(made):
            yield encode_fold(prepared, made, split)
        else:
            shared = replace(shared, split=split) if shared else _encode_once(prepared, made, split)
            yield shared
        if progress is not None:
            progress(index + 1, len(splits))


def _encode_once(prepared: Prepared, encoder: Encoder, split: Split) -> FoldView:
    """All rows by an encoder that learns nothing, the same for every fold."""
    return _view(encoder, split, encoder.transform(prepared.train), prepared)


def encode_fold(prepared: Prepared, encoder: Encoder, split: Split) -> FoldView:
    """Fit a new encoder on the split's training rows, and encode every row with it."""
    seen, target = prepared.train.iloc[split.train_rows], prepared.target[split.train_rows]
    trained_on = encoder.fit_transform(seen, target)
    # With folds by time these are more rows than those that are held out.
    is_other = np.ones(len(prepared.train), dtype=bool)
    is_other[split.train_rows] = False
    others = np.flatnonzero(is_other)
    encoded = encoder.transform(prepared.train.iloc[others])
    rows = split.train_rows, others
    train = {key: _interleave(trained_on[key], encoded[key], *rows) for key in trained_on}
    return _view(encoder, split, train, prepared)


def _view(encoder: Encoder, split: Split, train: Encoded, prepared: Prepared) -> FoldView:
    return FoldView(
        split,
        train,
        encoder.transform(prepared.test),
        vocabulary=tuple(getattr(encoder, "vocabulary_", ())),
        expensive={} if is_stateless(encoder) else encoder.expensive_state(),
        names=_names(encoder, train),
        codes={name: tuple(map(int, n)) for name, n in encoder.cardinalities_by_array().items()},
    )


def _names(encoder: Encoder, encoded: Encoded) -> dict[str, tuple[str, ...]]:
    """The encoder's names of all columns, and numbered ones for arrays that it does not name.

    Raises:
        DatasetError: It names more or fewer columns than an array has.
    """
    given = {array: tuple(map(str, names)) for array, names in encoder.names().items()}
    numbered = {array: _numbered(array, rows) for array, rows in encoded.items()}
    for array, names in numbered.items():
        if len(given.get(array, names)) != len(names):
            raise DatasetError(
                f"{type(encoder).__name__}.names(): found {len(given[array])} names for the "
                f"{len(names)} columns of {array}, expected one for each; correct its method "
                "`names`, or leave the array out there"
            )
    return {array: given.get(array, names) for array, names in numbered.items()}


def _numbered(array: str, rows: np.ndarray) -> tuple[str, ...]:
    """The names of columns that have none; images count by pixel."""
    n_columns = int(np.prod(rows.shape[1:]))
    return tuple(f"{array} {number + 1}" for number in range(n_columns))


def _interleave(
    trained_on: np.ndarray, others: np.ndarray, train_rows: np.ndarray, other_rows: np.ndarray
) -> np.ndarray:
    """Both parts back in file order: `(n_fold_train, ...)`, `(n_others, ...)` -> `(n, ...)`."""
    n_rows = len(train_rows) + len(other_rows)
    rows = np.empty((n_rows, *trained_on.shape[1:]), dtype=trained_on.dtype)
    rows[train_rows] = trained_on
    rows[other_rows] = others
    return rows


def fitted_encoder(
    make: Callable[[], Encoder], prepared: Prepared, split: Split, expensive: Path
) -> Encoder:
    """The encoder of one split, fitted again on the split's training rows.

    Args:
        make: Makes an unfitted encoder.
        prepared: The run's tables.
        split: Its training rows are fitted on.
        expensive: The file that holds what took long to learn; absent where nothing did.
    """
    encoder = complete(make())
    if is_stateless(encoder):
        return encoder
    seen, target = prepared.train.iloc[split.train_rows], prepared.target[split.train_rows]
    refit(encoder, seen, target, arrays.read(expensive) if expensive.exists() else {})
    return encoder


def save(views: Iterable[FoldView], folder: Path) -> None:
    """Write each fold's training-file rows as an npz, and each array of test rows as an npy.

    A fold that sees what the fold before it saw has no files of its own. Target and folds are
    stored with the prepared tables.
    """
    files = DatasetFiles(folder)
    written: Encoded | None = None
    for index, view in enumerate(views):
        if view.train is written:
            continue
        written = view.train
        arrays.write(files.train(index), view.train)
        if view.expensive:
            arrays.write(files.expensive(index), view.expensive)
        for name, rows in view.test.items():
            np.save(files.test(index, name), rows, allow_pickle=False)
        if view.vocabulary:
            _write_json(files.vocabulary(index), view.vocabulary)
        columns = {"names": dict(view.names), "cardinalities": dict(view.codes)}
        _write_json(files.columns(index), columns)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value) + "\n")


def load(
    folder: Path, prepared: Prepared, inputs: Mapping[str, Sequence[str]] | None = None
) -> FoldedDataset:
    """Read back what `save` wrote; test rows stay on disk until they are needed.

    Args:
        folder: The one that `save` was given.
        prepared: The tables.
        inputs: By keyword of the network's `forward`, the arrays of the encoder that it gets side
            by side; none for the encoder's arrays as they are.

    Raises:
        DatasetError: `inputs` names an array that the encoder does not give.
    """
    files, views = DatasetFiles(folder), list[FoldView]()
    for index, split in enumerate(prepared.folds.all_splits()):
        if files.train(index).exists():
            views.append(_load_fold(files, index, split, inputs or {}))
        else:
            views.append(replace(views[-1], split=split))
    return _folded(prepared, views)


def load_training_rows(
    folder: Path, prepared: Prepared, index: int, inputs: Mapping[str, Sequence[str]]
) -> FoldView:
    """One fold's view without the test rows; the arguments are those of `load`.

    Raises:
        DatasetError: `inputs` names an array that the encoder does not give.
    """
    split = prepared.folds.all_splits()[index]
    # A fold without files sees what the one before it saw.
    files = DatasetFiles(folder)
    stored = next(at for at in range(index, -1, -1) if files.train(at).exists())
    return _load_fold(files, stored, split, inputs, with_test=False)


def _load_fold(
    files: DatasetFiles,
    fold: int,
    split: Split,
    inputs: Mapping[str, Sequence[str]],
    *,
    with_test: bool = True,
) -> FoldView:
    whole = arrays.read(files.train(fold))
    parts = inputs or {name: (name,) for name in whole}
    train = choose(whole, inputs)
    test = {
        key: arrays.RowsOnDisk([files.test(fold, name) for name in names])
        for key, names in parts.items()
        if with_test
    }
    columns = _read_json(files.columns(fold), {"names": {}, "cardinalities": {}})
    names = {
        array: columns["names"].get(array) or _numbered(array, whole[array]) for array in whole
    }
    return FoldView(
        split,
        train,
        cast("Encoded", test),  # models slice the test rows or take all of them, as of an array
        vocabulary=tuple(_read_json(files.vocabulary(fold), ())),
        names=_side_by_side(names, parts),
        codes=_side_by_side(columns["cardinalities"], parts),
    )


def _read_json(path: Path, default: Any) -> Any:
    """The file's content; the default where an older checkout or an encoder wrote no such file."""
    return json.loads(path.read_text()) if path.exists() else default


def _side_by_side(
    of_arrays: Mapping[str, Sequence[Value]], parts: Mapping[str, Sequence[str]]
) -> dict[str, tuple[Value, ...]]:
    """What each array has of its columns, joined as a member's inputs join the arrays."""
    return {
        key: tuple(chain.from_iterable(of_arrays.get(name, ()) for name in names))
        for key, names in parts.items()
    }


def load_array(folder: Path, name: str) -> np.ndarray | None:
    """One array of the training file's rows as the first fold sees them, if there is one."""
    return arrays.read_one(DatasetFiles(folder).train(0), name)
