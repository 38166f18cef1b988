"""What a member is trained on: one encoder's view of every fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from features.folds import Folds, Split
from models.data import EncodedDataset, FoldData
from pipelines.configuration.member_settings import Encoded


class DatasetError(ValueError):
    """A member asks for an array that its encoder does not give."""

    exit_code = 2


@dataclass(frozen=True)
class FoldView:
    """The data as one fold's encoder sees it.

    Attributes:
        split: which rows are trained on and which are held out.
        train: all `n_train` rows of the training file, each array `(n_train, ...)`.
        test: all `n_test` test rows, each array `(n_test, ...)`.
        vocabulary: the words that the numbers in `tokens` stand for; empty without texts.
        costly: what the encoder took long to learn; empty when read back.
    """

    split: Split
    train: Encoded
    test: Encoded
    vocabulary: tuple[str, ...] = ()
    costly: dict[str, np.ndarray] = field(default_factory=dict)


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


def choose(encoded: Encoded, inputs: Mapping[str, Sequence[str]]) -> Encoded:
    """The chosen arrays, side by side under each keyword; all of them where nothing is chosen.

    Raises:
        DatasetError: an array is chosen that there is not.
    """
    absent = {name for names in inputs.values() for name in names} - set(encoded)
    if absent:
        raise DatasetError(
            f"the encoder gives {', '.join(sorted(encoded))}, but a member's inputs name "
            f"{', '.join(sorted(absent))}; correct `inputs` in the competition's file"
        )
    if not inputs:
        return encoded
    return {key: np.hstack([encoded[name] for name in names]) for key, names in inputs.items()}


def fold_data(view: FoldView) -> FoldData:
    """One split's rows, as the trainers take them."""
    return FoldData(view.train, view.split.train_rows, view.split.valid_rows)
