"""What a member is trained on: one encoder's view of every fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from features.encoders.base import Encoded
from features.folds import NEVER, Folds, Split
from models.fold_data import FoldData

if TYPE_CHECKING:
    from models.data import EncodedDataset


class DatasetError(ValueError):
    """Arrays that do not match what a member or an encoder declares."""

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
        target: In the task's form, `(n_train,)` or `(n_train, n_targets)`.
        folds: Which rows are held out when.
        views: One for each split.
        weight: `(n_train,)`, how much each row counts; None for equal weights.
        refit: The view of the training whose models predict the test rows, if it is one of its
            own; see `Folds.refit`.
    """

    target: np.ndarray
    folds: Folds
    views: list[FoldView]
    weight: np.ndarray | None = None
    refit: FoldView | None = None

    def for_refit(self, view: FoldView) -> FoldedDataset:
        """The refit alone, as a dataset of one split."""
        assignment = np.full((1, len(self.target)), NEVER, dtype=np.int16)
        assignment[0, view.split.valid_rows] = 0
        split = replace(view.split, repeat=0, fold=0)
        view = replace(view, split=split)
        return FoldedDataset(self.target, Folds(assignment), [view], self.weight)

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
        from models.data import EncodedDataset

        view = self.views[index]
        return EncodedDataset(view.train, self.target, view.split.train_rows)

    def held_out_set(self, index: int) -> EncodedDataset:
        """The rows that are held out from split `index`."""
        from models.data import EncodedDataset

        view = self.views[index]
        return EncodedDataset(view.train, self.target, view.split.valid_rows)

    def test_set(self, index: int) -> EncodedDataset:
        """The test rows as split `index` sees them; their target, which is unknown, is -1."""
        from models.data import EncodedDataset

        test = {name: np.asarray(rows) for name, rows in self.views[index].test.items()}
        n_rows = len(next(iter(test.values())))
        return EncodedDataset(
            test, np.full((n_rows, *self.target.shape[1:]), -1), np.arange(n_rows)
        )


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


def check_numbers(dataset: FoldedDataset, member: str, *, may_be_missing: bool) -> None:
    """Check that a member can be trained on the encoded numbers.

    Args:
        dataset: The encoded rows.
        member: Its name, for the message.
        may_be_missing: Whether NaN stands for a missing number, as trees take it.

    Raises:
        DatasetError: One of them is infinite, or missing where it must not be.
    """
    distinct = {id(view.train): view for view in dataset.views}.values()
    for view in distinct:
        for rows, encoded in (("training", view.train), ("test", view.test)):
            for array, values in encoded.items():
                numbers = np.asarray(values)
                if numbers.dtype.kind != "f":
                    continue
                wrong = np.isinf(numbers) if may_be_missing else ~np.isfinite(numbers)
                if wrong.any():
                    raise DatasetError(_wrong_number(view, array, numbers, wrong, rows, member))


def _wrong_number(
    view: FoldView,
    array: str,
    numbers: np.ndarray,
    wrong: np.ndarray,
    rows: str,
    member: str,
) -> str:
    row, *place = (int(at) for at in np.argwhere(wrong)[0])
    names = view.names.get(array, ())
    column = names[place[0]] if place and place[0] < len(names) else f"number {place}"
    found = "a missing number" if np.isnan(numbers[(row, *place)]) else "an infinite number"
    return (
        f"member {member}: column {column!r} of {array} has {found} in {rows} row {row + 1}, "
        "expected a number in each; fill it in the competition's features, or use a TabularEncoder "
        "with scaling='standard', which fills missing numbers"
    )


def fold_data(view: FoldView) -> FoldData:
    """One split's rows, as the trainers take them."""
    return FoldData(view.train, view.split.train_rows, view.split.valid_rows)
