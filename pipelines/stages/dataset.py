"""Stage 3: tables to the arrays of each fold, with the names and cardinalities of their columns.

Every fold gets a new encoder, fitted on that fold's training rows only. It then encodes all rows of
the training file, and all test rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from features.encoders.base import complete, is_stateless
from features.folds import Folds, Split
from models.data import EncodedDataset
from pipelines.configuration.competition import Encoded, Encoder
from pipelines.stages.preprocess import Prepared
from pipelines.workspace import arrays

Progress = Callable[[int, int], None]
Value = TypeVar("Value")


class DatasetError(ValueError):
    """Arrays that do not fit what a member or an encoder says of them."""

    exit_code = 2


@dataclass(frozen=True)
class FoldView:
    """The data as one fold's encoder sees it.

    Attributes:
        split: Which rows are trained on and which are held out.
        train: All `n_train` rows of the training file, each array `(n_train, ...)`.
        test: All `n_test` test rows, each array `(n_test, ...)`.
        vocabulary: The words that the numbers in `tokens` stand for; empty without texts.
        expensive: What the encoder took long to learn; empty when read back.
        names: By array, the name of each column.
        codes: By array, the number of codes of each column, as the encoder gives them.
    """

    split: Split
    train: Encoded
    test: Encoded
    vocabulary: tuple[str, ...] = ()
    expensive: dict[str, np.ndarray] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    codes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @cached_property
    def cardinalities(self) -> tuple[int, ...]:
        """The number of codes of each column of `x_cat`: the encoder's, or those that occur."""
        if "x_cat" not in self.train:
            return ()
        given = self.codes.get("x_cat", ())
        is_whole = len(given) == self.train["x_cat"].shape[1]
        return given if is_whole else tuple(int(n) for n in self._n_codes("x_cat"))

    @cached_property
    def n_tokens(self) -> int:
        """The number of codes of `tokens`: the vocabulary's size, or those that occur."""
        if "tokens" not in self.train:
            return 0
        return len(self.vocabulary) or int(self._n_codes("tokens").max())

    def _n_codes(self, name: str) -> np.ndarray:
        """The codes of each column that occur, for an encoder that does not count them."""
        parts = [np.asarray(part[name]) for part in (self.train, self.test)]
        largest: np.ndarray = np.max([part.max(axis=0, initial=0) for part in parts], axis=0)
        return largest + 1


@dataclass(frozen=True)
class FoldedDataset:
    """One encoder's view of every fold.

    Attributes:
        target: `(n_train,) int64`.
        folds: Which rows are held out when.
        views: One for each split.
    """

    target: np.ndarray
    folds: Folds
    views: list[FoldView]

    @property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        """By array, the name of each column, as the first fold has them."""
        return self.views[0].names

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """The number of codes of each column of `x_cat`, the maximum over folds."""
        return tuple(map(max, zip(*(view.cardinalities for view in self.views), strict=True)))

    @property
    def n_tokens(self) -> int:
        """The size of the largest fold's vocabulary; 0 without texts."""
        return max(view.n_tokens for view in self.views)

    def training_set(self, index: int) -> EncodedDataset:
        """The rows that the models of split `index` are trained on."""
        view = self.views[index]
        return EncodedDataset(view.train, self.target, view.split.train_rows)

    def held_out_set(self, index: int) -> EncodedDataset:
        """The rows that are held out from split `index`."""
        view = self.views[index]
        return EncodedDataset(view.train, self.target, view.split.valid_rows)

    def test_set(self, index: int) -> EncodedDataset:
        """The test rows as split `index` sees them; their target, which is unknown, is -1."""
        test = {name: np.asarray(rows) for name, rows in self.views[index].test.items()}
        n_rows = len(next(iter(test.values())))
        return EncodedDataset(test, np.full(n_rows, -1), np.arange(n_rows))


def encode(
    prepared: Prepared, encoder: Callable[[], Encoder], progress: Progress | None = None
) -> FoldedDataset:
    """Fit a new encoder in every fold and encode all rows with it."""
    views = list(encoded_views(prepared, encoder, progress))
    return FoldedDataset(prepared.target, prepared.folds, views)


def encoded_views(
    prepared: Prepared, encoder: Callable[[], Encoder], progress: Progress | None = None
) -> Iterator[FoldView]:
    """The same fold by fold, for callers that need not hold all of them at once."""
    splits = list(prepared.folds.splits())
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
    held_out = encoder.transform(prepared.train.iloc[split.valid_rows])
    train = {key: _interleave(trained_on[key], held_out[key], split) for key in trained_on}
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


def _interleave(trained_on: np.ndarray, held_out: np.ndarray, split: Split) -> np.ndarray:
    """Both parts back in file order: `(n_fold_train, ...)`, `(n_fold_valid, ...)` -> `(n, ...)`."""
    n_rows = len(split.train_rows) + len(split.valid_rows)
    rows = np.empty((n_rows, *trained_on.shape[1:]), dtype=trained_on.dtype)
    rows[split.train_rows] = trained_on
    rows[split.valid_rows] = held_out
    return rows


def save(views: Iterable[FoldView], folder: Path) -> None:
    """Write each fold's training-file rows as an npz, and each array of test rows as an npy.

    A fold that sees what the fold before it saw has no files of its own. Target and folds are
    stored with the prepared tables.
    """
    written: Encoded | None = None
    for index, view in enumerate(views):
        if view.train is written:
            continue
        written = view.train
        arrays.write(folder / f"{_fold(index)}.npz", view.train)
        if view.expensive:
            arrays.write(folder / expensive_file(index), view.expensive)
        for name, rows in view.test.items():
            np.save(folder / f"{_fold(index)}-test-{name}.npy", rows, allow_pickle=False)
        if view.vocabulary:
            _write_json(_vocabulary_file(folder, _fold(index)), view.vocabulary)
        columns = {"names": dict(view.names), "cardinalities": dict(view.codes)}
        _write_json(_columns_file(folder, _fold(index)), columns)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value) + "\n")


def _vocabulary_file(folder: Path, fold: str) -> Path:
    return folder / f"{fold}-vocabulary.json"


def _columns_file(folder: Path, fold: str) -> Path:
    return folder / f"{fold}-columns.json"


def _fold(index: int) -> str:
    return f"fold-{index:03d}"


def expensive_file(index: int) -> str:
    """The file of what the encoder of fold `index` took long to learn, if anything."""
    return f"{_fold(index)}-costly.npz"


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
    views: list[FoldView] = []
    for index, split in enumerate(prepared.folds.splits()):
        if (folder / f"{_fold(index)}.npz").exists():
            views.append(_load_fold(folder, _fold(index), split, inputs or {}))
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
    stored = next(at for at in range(index, -1, -1) if (folder / f"{_fold(at)}.npz").exists())
    return _load_fold(folder, _fold(stored), split, inputs)


def _load_fold(
    folder: Path, fold: str, split: Split, inputs: Mapping[str, Sequence[str]]
) -> FoldView:
    whole = arrays.read(folder / f"{fold}.npz")
    parts = inputs or {name: (name,) for name in whole}
    train = choose(whole, inputs)
    test = {
        key: arrays.RowsOnDisk([folder / f"{fold}-test-{name}.npy" for name in names])
        for key, names in parts.items()
    }
    columns = _read_json(_columns_file(folder, fold), {"names": {}, "cardinalities": {}})
    names = {
        array: columns["names"].get(array) or _numbered(array, whole[array]) for array in whole
    }
    return FoldView(
        split,
        train,
        cast(Encoded, test),  # models slice the test rows or take all of them, as of an array
        vocabulary=tuple(_read_json(_vocabulary_file(folder, fold), ())),
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
    return arrays.read_one(folder / f"{_fold(0)}.npz", name)


def choose(encoded: Encoded, inputs: Mapping[str, Sequence[str]]) -> Encoded:
    """The chosen arrays, side by side under each keyword; all of them where nothing is chosen.

    Raises:
        DatasetError: An array is chosen that does not exist.
    """
    check_inputs(encoded, inputs)
    if not inputs:
        return encoded
    return {key: np.hstack([encoded[name] for name in names]) for key, names in inputs.items()}


def check_inputs(given: Iterable[str], inputs: Mapping[str, Sequence[str]]) -> None:
    """Check that a member's inputs name only arrays that its encoder gives.

    Raises:
        DatasetError: They name another one.
    """
    absent = {name for names in inputs.values() for name in names} - set(given)
    if absent:
        raise DatasetError(
            f"the encoder gives {', '.join(sorted(given))}, but a member's inputs name "
            f"{', '.join(sorted(absent))}; correct `inputs` in the competition's file"
        )
