"""Cross-validation folds: every row is held out exactly once per repeat."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

Int16s = npt.NDArray[np.int16]
Int64s = npt.NDArray[np.int64]


class FoldError(ValueError):
    """Rows that cannot be assigned to the requested folds."""

    exit_code = 3


class FoldPlan(BaseModel):
    """How rows are assigned to folds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_folds: int = Field(default=5, ge=2, le=1000, description="folds per repeat")
    n_repeats: int = Field(
        default=1, ge=1, le=1000, description="times the rows are assigned again"
    )
    seed: int = Field(default=0, ge=0, description="each repeat derives its seed from this one")
    stratify: bool = Field(default=True, description="each fold has the classes in proportion")
    group: str | None = Field(
        default=None, description="column; rows that share its value stay in one fold"
    )


@dataclass(frozen=True)
class Split:
    """One fold of one repeat; row numbers are sorted."""

    repeat: int
    fold: int
    train_rows: Int64s
    valid_rows: Int64s


@dataclass(frozen=True, eq=False)
class Folds:
    """The fold that holds out each row, per repeat: `assignment` (n_repeats, n_rows) int16."""

    assignment: Int16s

    def __post_init__(self) -> None:
        assignment = np.array(self.assignment, dtype=np.int16)
        if assignment.ndim != 2 or assignment.size == 0 or assignment.min() < 0:
            raise FoldError(
                "assignment must be (n_repeats, n_rows) fold numbers from 0, found shape "
                f"{assignment.shape}; make them with make_folds"
            )
        assignment.setflags(write=False)
        object.__setattr__(self, "assignment", assignment)

    @property
    def n_repeats(self) -> int:
        """Times that all rows are held out."""
        return int(self.assignment.shape[0])

    @property
    def n_folds(self) -> int:
        """Folds per repeat."""
        return int(self.assignment.max()) + 1

    @property
    def n_splits(self) -> int:
        """Number of (train, valid) pairs: n_repeats * n_folds."""
        return self.n_repeats * self.n_folds

    @property
    def digest(self) -> str:
        """The sha256 of the assignment, the same on every machine."""
        shape = np.array(self.assignment.shape, dtype="<i8").tobytes()
        return hashlib.sha256(shape + self.assignment.astype("<i2").tobytes()).hexdigest()

    def splits(self) -> Iterator[Split]:
        """Yield every split, repeat by repeat."""
        for repeat, held_out_by in enumerate(self.assignment):
            for fold in range(self.n_folds):
                train_rows = np.flatnonzero(held_out_by != fold).astype(np.int64)
                valid_rows = np.flatnonzero(held_out_by == fold).astype(np.int64)
                yield Split(repeat, fold, train_rows, valid_rows)


def make_folds(target: npt.ArrayLike, plan: FoldPlan, groups: npt.ArrayLike | None = None) -> Folds:
    """Assign rows to folds; the same arguments give the same folds.

    Args:
        target: `(n_rows,)` classes; only a stratified plan looks at their values.
        plan: Number of folds, repeats, seed, stratification and group.
        groups: `(n_rows,)` values of the plan's group column, None if it has none.

    Raises:
        FoldError: There are fewer rows, groups or rows of a class than folds, or a group is
            missing.

    Source: scikit-learn, model_selection (KFold, StratifiedKFold and their Group forms).
    """
    classes, names = pd.factorize(np.asarray(target), use_na_sentinel=False)
    group_codes = _group_codes(groups, plan, len(classes))
    _check_enough(len(classes), plan.n_folds, "training rows")
    if group_codes is not None:
        _check_enough(group_codes.max() + 1, plan.n_folds, f"groups of {plan.group!r}")
    if plan.stratify:
        smallest = np.bincount(classes).argmin()
        of_class = f"training rows of class {names[smallest]!s}"
        _check_enough(np.bincount(classes)[smallest], plan.n_folds, of_class)
    assignment = np.stack(
        [_assign(classes, group_codes, plan, repeat) for repeat in range(plan.n_repeats)]
    )
    return Folds(assignment)


def _group_codes(groups: npt.ArrayLike | None, plan: FoldPlan, n_rows: int) -> Int64s | None:
    """The groups as (n_rows,) numbers from 0, None for a plan without groups."""
    if (groups is None) != (plan.group is None):
        given = "none were given" if groups is None else "groups were given"
        raise FoldError(
            f"the fold plan's group is {plan.group!r}, but {given}; set both or neither"
        )
    if groups is None:
        return None
    codes = pd.factorize(np.asarray(groups))[0].astype(np.int64)
    if len(codes) != n_rows:
        raise FoldError(
            f"group {plan.group!r} has {len(codes)} values, expected one for each of {n_rows} "
            "training rows; read target and groups from the same table"
        )
    if (missing := np.flatnonzero(codes < 0)).size:
        raise FoldError(
            f"group {plan.group!r} is missing in {missing.size} training rows (first: row "
            f"{missing[0] + 1}), expected a value in each; fill it, or leave `group` out"
        )
    return codes


def _check_enough(n_found: int, n_folds: int, what: str) -> None:
    if n_found < n_folds:
        fix = f"add --folds {n_found}" if n_found >= 2 else "give more rows"
        raise FoldError(
            f"cannot make {n_folds} folds: found {n_found} {what}, "
            f"expected {n_folds} or more; {fix}"
        )


def _assign(classes: Int64s, group_codes: Int64s | None, plan: FoldPlan, repeat: int) -> Int16s:
    """The fold that holds out each row in one repeat, (n_rows,) int16."""
    held_out_by = np.zeros(len(classes), dtype=np.int16)
    splits = _splitter(plan, repeat).split(classes, classes, group_codes)
    for fold, (_, valid_rows) in enumerate(splits):
        if len(valid_rows) == 0:
            # StratifiedGroupKFold may leave a fold empty when there are few, very unequal groups.
            raise FoldError(
                f"fold {fold} of repeat {repeat} got no group of {plan.group!r}, expected one or "
                f"more; add --folds {max(2, plan.n_folds - 1)}, or set another seed"
            )
        held_out_by[valid_rows] = fold
    return held_out_by


def _splitter(plan: FoldPlan, repeat: int) -> Any:
    # Not seed + repeat, or the second repeat of seed 0 would be the first of seed 1.
    seed = int(np.random.SeedSequence((plan.seed, repeat)).generate_state(1)[0])
    if plan.group is None:
        kind = StratifiedKFold if plan.stratify else KFold
    else:
        kind = StratifiedGroupKFold if plan.stratify else GroupKFold
    return kind(plan.n_folds, shuffle=True, random_state=seed)
