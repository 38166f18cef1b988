"""Training and held-out rows, from what people pass to `foldwise.fit` as folds and groups."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from models.data import TrainingDataError

Split = tuple[np.ndarray, np.ndarray]
Splits = list[Split]


def splits_of(folds: Any, target: np.ndarray, groups: Any, *, has_classes: bool) -> Splits:
    """Training and held-out rows of each split.

    Args:
        folds: How many, a splitter of scikit-learn, a competition's folds, or pairs of rows.
        target: `(n_rows, ...)`.
        groups: `(n_rows,)`, rows that stay together; None if each stands alone.
        has_classes: Whether folds hold the classes in proportion.

    Raises:
        TrainingDataError: They cannot be made, rows are held out that are trained on, or a group
            is on both sides.
    """
    groups = None if groups is None else _groups(groups)
    if isinstance(folds, bool):
        raise TrainingDataError(f"folds is {folds}, expected a number of folds, as 5")
    if isinstance(folds, int | np.integer):
        folds = _splitter(int(folds), has_classes=has_classes, is_grouped=groups is not None)
    pairs = _pairs(folds, target, groups)
    splits = [_checked(at, pair, len(target)) for at, pair in enumerate(pairs)]
    if not splits:
        raise TrainingDataError("folds holds no split, expected one or more")
    if groups is not None:
        for at, split in enumerate(splits):
            _check_groups(at, split, groups)
    return splits


def _groups(groups: Any) -> np.ndarray:
    """The groups as numbers, `(n_rows,)`."""
    if np.ndim(groups) != 1:
        raise TrainingDataError(
            f"groups has shape {np.shape(groups)}, expected one group for each row"
        )
    codes, _ = pd.factorize(pd.Series(groups), use_na_sentinel=True)
    if (codes < 0).any():
        raise TrainingDataError(
            f"groups has a missing value in row {int((codes < 0).argmax())}; fill it first, with a "
            "group of its own for rows that stand alone"
        )
    return np.asarray(codes)


def _splitter(n_folds: int, *, has_classes: bool, is_grouped: bool) -> Any:
    if n_folds < 2:
        raise TrainingDataError(
            f"folds is {n_folds}, expected 2 or more; pass ShuffleSplit(1, random_state=0) of "
            "scikit-learn for a single split"
        )
    if is_grouped:
        if not has_classes:
            return GroupKFold(n_folds)
        return StratifiedGroupKFold(n_folds, shuffle=True, random_state=0)
    kind = StratifiedKFold if has_classes else KFold
    return kind(n_folds, shuffle=True, random_state=0)


def _pairs(folds: Any, target: np.ndarray, groups: np.ndarray | None) -> list[Any]:
    """What was given as a list of pairs."""
    if hasattr(folds, "splits"):  # a competition's folds, as `foldwise.load` gives them
        return [(split.train_rows, split.valid_rows) for split in folds.splits()]
    if not hasattr(folds, "split") or isinstance(folds, str):
        return _iterated(folds)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The groups parameter is ignored")  # checked below
            return list(folds.split(np.zeros((len(target), 1)), target, groups))
    except ValueError as error:
        hint = "; pass groups=, one for each row" if "'groups'" in str(error) else ""
        raise TrainingDataError(f"folds: {str(error).rstrip('.')}{hint}") from error


def _iterated(folds: Any) -> list[Any]:
    if isinstance(folds, np.ndarray | pd.Series) and np.ndim(folds) == 1:
        raise TrainingDataError(
            "folds is an array, expected a number, a splitter of scikit-learn, or pairs of "
            "training and held-out rows; pass PredefinedSplit(folds) if it holds each row's fold"
        )
    if not isinstance(folds, Iterable) or isinstance(folds, str):
        raise TrainingDataError(
            f"folds is a {type(folds).__name__}, expected a number, a splitter of scikit-learn, or "
            "pairs of training and held-out rows"
        )
    return list(folds)


def _checked(at: int, pair: Any, n_rows: int) -> Split:
    if not isinstance(pair, Iterable) or len(parts := tuple(pair)) != 2:
        n_parts = f"{len(parts)} parts" if isinstance(pair, Iterable) else "no parts"
        raise TrainingDataError(f"split {at} has {n_parts}, expected (train, valid)")
    train, valid = (_row_numbers(at, part, n_rows) for part in parts)
    if not len(train) or not len(valid):
        raise TrainingDataError(
            f"split {at} trains on {len(train)} rows and holds {len(valid)} out"
        )
    if (both := np.intersect1d(train, valid)).size:
        raise TrainingDataError(
            f"split {at} trains on {both.size} rows that it holds out (first: row {both[0]}), so "
            "its score would be too good"
        )
    found, counts = np.unique(valid, return_counts=True)
    if (counts > 1).any():
        raise TrainingDataError(f"split {at} holds row {found[counts.argmax()]} out twice")
    return train, valid


def _row_numbers(at: int, part: Any, n_rows: int) -> np.ndarray:
    """Row numbers, from a mask too."""
    rows = np.asarray(part)
    if not rows.size and rows.ndim == 1:
        return rows.astype(np.int64)
    if rows.ndim != 1 or rows.dtype.kind not in "biu":
        raise TrainingDataError(
            f"split {at} holds {rows.dtype} of shape {rows.shape}, expected row numbers from 0, or "
            "True and False for each row"
        )
    if rows.dtype.kind == "b":
        if len(rows) != n_rows:
            raise TrainingDataError(f"split {at} is a mask of {len(rows)} rows, expected {n_rows}")
        return np.flatnonzero(rows)
    if rows.min() < 0 or rows.max() >= n_rows:
        raise TrainingDataError(
            f"split {at} names rows beyond the {n_rows} of X and y: {rows.min()} to {rows.max()}; "
            "pass positions from 0, not labels of an index"
        )
    return rows.astype(np.int64)


def _check_groups(at: int, split: Split, groups: np.ndarray) -> None:
    train, valid = split
    torn = np.intersect1d(groups[train], groups[valid])
    if torn.size:
        rows = [int(side[groups[side] == torn[0]][0]) for side in (train, valid)]
        raise TrainingDataError(
            f"split {at} tears {torn.size} groups apart (as that of rows {rows[0]} and "
            f"{rows[1]}), so that its score would be too good; pass folds=5, GroupKFold or "
            "StratifiedGroupKFold, or leave groups out"
        )


def held_out_rows(splits: Splits, n_rows: int) -> np.ndarray:
    """The rows that some split holds out, `(n_rows,) bool`."""
    held_out = np.zeros(n_rows, dtype=bool)
    for _, valid in splits:
        held_out[valid] = True
    return held_out


def spans(rows: np.ndarray, *, most: int = 3) -> str:
    """Row numbers in ascending order as a short text: `0-59, 80`."""
    starts = np.flatnonzero(np.diff(rows, prepend=-2) > 1)
    runs = [(part[0], part[-1]) for part in np.split(rows, starts[1:])]
    shown = ", ".join(f"{low}-{high}" if high > low else f"{low}" for low, high in runs[:most])
    return f"{shown} and more" if len(runs) > most else shown
