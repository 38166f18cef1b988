"""Folds that follow time: each is held out by models of earlier rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.fold_plan import FoldPlan

DAY = 86_400e6  # microseconds


class FoldError(ValueError):
    """Rows that cannot be assigned to the requested folds."""

    exit_code = 3


@dataclass(frozen=True)
class TimeSplits:
    """Rows in the order of time.

    Attributes:
        assignment: `(1, n_rows) int16`, the fold that holds each row out, -1 for the earliest.
        left_out: `(n_folds, n_rows) bool`, rows that a split neither trains on nor holds out.
        refit_rows: `(n_rows,) bool`, what the models of the test rows are trained on: all rows, or
            the newest ones where the window slides.
    """

    assignment: npt.NDArray[np.int16]
    left_out: npt.NDArray[np.bool_]
    refit_rows: npt.NDArray[np.bool_]


def time_splits(
    time: npt.ArrayLike | None, plan: FoldPlan, groups: npt.NDArray[np.int64] | None
) -> TimeSplits:
    """Cut the rows into folds in the order of time.

    Rows of one time stay together. Without `test_share` the rows are cut into `n_folds` + 1 parts
    of about the same size; the first is only trained on, and each other one is held out once.

    Args:
        time: `(n_rows,)` numbers, dates, or texts of dates.
        plan: Window, gap and purge.
        groups: `(n_rows,)` codes of the plan's groups, or None.

    Raises:
        FoldError: A time is missing, or there are fewer distinct times than parts.
    """
    moments = _moments(time, plan)
    starts = _starts(moments, plan)
    part = np.searchsorted(starts, moments, side="right")  # 0 for the first, only trained on
    n_folds = len(starts)
    left_out = np.stack([_left_out(moments, part, starts, fold, plan) for fold in range(n_folds)])
    if plan.purge and groups is not None:
        for fold in range(n_folds):
            held_out = part == fold + 1
            left_out[fold] |= np.isin(groups, groups[held_out]) & ~held_out
    _check_trained(part, left_out, plan)
    return TimeSplits((part - 1)[None].astype(np.int16), left_out, _refit_rows(moments, part, plan))


def _refit_rows(
    moments: npt.NDArray[np.float64], part: npt.NDArray[np.intp], plan: FoldPlan
) -> npt.NDArray[np.bool_]:
    rows = np.ones(len(moments), dtype=bool)
    if plan.window == "sliding":
        n_rows = int((part == 0).sum())
        rows[np.argsort(moments, kind="stable")[:-n_rows]] = False
    return rows


def _moments(time: npt.ArrayLike | None, plan: FoldPlan) -> npt.NDArray[np.float64]:
    """Times as numbers; dates as days."""
    if time is None:
        raise FoldError(f"the fold plan's time is {plan.time!r}, but no values were given")
    values = pd.Series(np.asarray(time))
    if values.dtype.kind in "OTU" or str(values.dtype) == "str":
        values = pd.to_datetime(values, format="ISO8601", errors="coerce", utc=True)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert(None)
    is_date = values.dtype.kind == "M"
    numbers: npt.NDArray[np.float64] = (
        values.astype("datetime64[us]").astype("int64").to_numpy() / DAY
        if is_date
        else values.to_numpy(np.float64)
    )
    missing = np.flatnonzero(values.isna().to_numpy())
    if missing.size:
        raise FoldError(
            f"time {plan.time!r} is missing or no date in {missing.size} training rows (first: row "
            f"{missing[0] + 1}), expected one in each; fill it, or name another column"
        )
    return numbers


def _starts(moments: npt.NDArray[np.float64], plan: FoldPlan) -> npt.NDArray[np.float64]:
    """The time at which each held-out part begins."""
    ordered = np.sort(moments)
    if plan.test_share is not None:
        shares = np.array([1 - plan.test_share])
    else:
        shares = np.arange(1, plan.n_folds + 1) / (plan.n_folds + 1)
    starts = np.unique(
        ordered[np.round(shares * len(ordered)).astype(int).clip(max=len(ordered) - 1)]
    )
    starts = np.asarray(starts[starts > ordered[0]], dtype=np.float64)
    if len(starts) < len(shares):
        n_times = len(np.unique(ordered))
        raise FoldError(
            f"cannot make {len(shares)} folds by time {plan.time!r}: found {n_times} distinct "
            f"times, too few or too unequal; add --folds {max(2, len(starts))}"
        )
    return starts


def _left_out(
    moments: npt.NDArray[np.float64],
    part: npt.NDArray[np.intp],
    starts: npt.NDArray[np.float64],
    fold: int,
    plan: FoldPlan,
) -> npt.NDArray[np.bool_]:
    """Rows that are later, too near, or outside the window."""
    left_out: npt.NDArray[np.bool_] = part > fold + 1
    earlier = part <= fold
    left_out = left_out | (earlier & (moments > starts[fold] - plan.gap) if plan.gap else False)
    if plan.window == "sliding":
        n_rows = int((part == 0).sum())
        kept = np.flatnonzero(earlier & ~left_out)
        newest = kept[np.argsort(moments[kept], kind="stable")][-n_rows:]
        outside = earlier.copy()
        outside[newest] = False
        left_out = left_out | outside
    return left_out


def _check_trained(
    part: npt.NDArray[np.intp], left_out: npt.NDArray[np.bool_], plan: FoldPlan
) -> None:
    for fold, out in enumerate(left_out):
        if not ((part != fold + 1) & ~out).any():
            raise FoldError(
                f"fold {fold} has no row to train on; lower folds.gap (now {plan.gap:g}), or leave "
                "folds.purge out"
            )
