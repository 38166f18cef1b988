"""A part of the rows, small enough to try a training on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from features.folds import NEVER, Folds
from pipelines.members.data import FoldedDataset, FoldView

if TYPE_CHECKING:
    from features.encoders.base import Encoded
    from pipelines.stages.preprocess import Prepared


def part_of(prepared: Prepared, n_rows: int, n_splits: int | None = None) -> Prepared:
    """Some rows of the tables, drawn without regard to anything, and their first splits.

    Args:
        prepared: The tables.
        n_rows: Training rows to keep; of the test rows the same share is kept.
        n_splits: Splits of the first repeat to keep; rows of the others are always trained on.
    """
    n_all, n_test = len(prepared.train), len(prepared.test)
    rows = np.random.default_rng(0).permutation(n_all)[:n_rows]
    n_kept = min(n_test, max(1, round(n_test * len(rows) / n_all)))
    return replace(
        prepared,
        train=prepared.train.iloc[rows].reset_index(drop=True),
        test=prepared.test.iloc[:n_kept].reset_index(drop=True),
        target=prepared.target[rows],
        weight=None if prepared.weight is None else prepared.weight[rows],
        folds=_part_of_folds(prepared.folds, rows, n_splits or prepared.folds.n_folds),
    )


def _part_of_folds(folds: Folds, rows: np.ndarray, n_splits: int) -> Folds:
    assignment = folds.assignment[:1, rows]
    n_kept = min(n_splits, folds.n_folds)
    held_out = np.where(assignment < n_kept, assignment, NEVER).astype(np.int16)
    left_out = None if folds.left_out is None else folds.left_out[:n_kept, rows]
    return Folds(held_out, left_out)


def first_rows(dataset: FoldedDataset, n_rows: int) -> FoldedDataset:
    """The first rows of an encoded dataset, and the same share of its test rows."""
    share = n_rows / len(dataset.target)
    old = dataset.folds
    left_out = None if old.left_out is None else old.left_out[:, :n_rows]
    folds = Folds(old.assignment[:, :n_rows], left_out)
    views = [
        replace(view, split=split, train=_first(view.train, n_rows), test=_share(view.test, share))
        for view, split in zip(dataset.views, folds.splits(), strict=True)
    ]
    weight = None if dataset.weight is None else dataset.weight[:n_rows]
    return FoldedDataset(dataset.target[:n_rows], folds, views, weight)


def _first(encoded: Encoded, n_rows: int) -> Encoded:
    return {name: rows[:n_rows] for name, rows in encoded.items()}


def _share(encoded: Encoded, share: float) -> Encoded:
    kept = {name: rows[: max(1, round(len(rows) * share))] for name, rows in encoded.items()}
    return cast("Encoded", {name: np.asarray(rows) for name, rows in kept.items()})


def n_test_of(view: FoldView) -> int:
    """The number of its test rows."""
    return len(next(iter(view.test.values())))
