"""Whether members can be blended: valid predictions for every row, and folds that fit them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from models.ensembling.goal import Goal
from models.tasks import Task

SUM_TOLERANCE = 1e-3


class BlendError(ValueError):
    """Members that cannot be blended; the message lists every fault."""

    exit_code = 3


def check_members(
    oof: np.ndarray,
    goal: Goal,
    *,
    members: Sequence[str] | None = None,
    rows: np.ndarray | None = None,
) -> None:
    """Check that each member gives every row a valid prediction.

    Args:
        oof: `(n_members, n_rows, n_columns)` out-of-fold predictions.
        goal: What is predicted.
        members: Names for the message.
        rows: `(n_rows,) bool`, the rows that were held out; None for all.

    Raises:
        BlendError: The predictions' shape is wrong, or a member is invalid; each one is named.
    """
    n_rows, n_columns = len(goal.target), goal.task.n_columns
    if oof.ndim != 3 or not len(oof) or oof.shape[1:] != (n_rows, n_columns):
        raise BlendError(
            f"out-of-fold predictions have shape {oof.shape}, "
            f"expected (n_members, {n_rows}, {n_columns}) to match the target"
        )
    names = members or [f"member {i}" for i in range(len(oof))]
    numbers = np.arange(n_rows) if rows is None else np.flatnonzero(rows)
    faults = [
        f"{name}: {text}"
        for name, predictions in zip(names, oof, strict=True)
        for text in _faults(predictions[numbers], numbers, goal.task)
    ]
    if faults:
        raise BlendError(
            f"cannot blend these members: {'; '.join(faults)}; leave them out with --members"
        )


def _faults(predictions: np.ndarray, numbers: np.ndarray, task: Task) -> Iterator[str]:
    """What is wrong with one member's `(n, n_columns)`; a row counts for its first fault."""
    finite = np.isfinite(predictions).all(axis=1)
    checks = {"are not finite": ~finite}
    what = "probabilities" if task.predicts_probabilities else "predictions"
    if task.predicts_probabilities:
        inside = ((predictions >= 0) & (predictions <= 1 + SUM_TOLERANCE)).all(axis=1)
        checks["are not from 0 to 1"] = finite & ~inside
        if task.chooses_class:
            whole = abs(predictions.sum(axis=1) - 1) <= SUM_TOLERANCE
            checks["do not sum to 1"] = finite & inside & ~whole
    for text, wrong in checks.items():
        if wrong.any():
            first = numbers[wrong.argmax()]
            yield f"{wrong.sum()} rows of {what} {text}, the first is row {first}"


def check_folds(fold_of_row: np.ndarray, *, n_rows: int) -> np.ndarray:
    """The assignment as `(n_repeats, n_rows)`.

    Raises:
        BlendError: The number of rows differs, or no fold or only one holds rows out.
    """
    assignment = np.atleast_2d(fold_of_row)
    if assignment.shape[1] != n_rows:
        raise BlendError(f"folds are for {assignment.shape[1]} rows, predictions for {n_rows}")
    if not (assignment >= 0).any():
        raise BlendError("a blend needs rows that a fold holds out, found none")
    return assignment
