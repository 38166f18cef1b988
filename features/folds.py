"""Cross-validation folds: which rows are held out when, and which are trained on."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.fold_plan import FoldPlan as FoldPlan
from features.time_folds import FoldError as FoldError
from features.time_folds import time_splits

Int16s = npt.NDArray[np.int16]
Int64s = npt.NDArray[np.int64]
NEVER = -1  # the fold of rows that no split holds out


@dataclass(frozen=True)
class Split:
    """One fold of one repeat; row numbers are sorted."""

    repeat: int
    fold: int
    train_rows: Int64s
    valid_rows: Int64s


@dataclass(frozen=True, eq=False)
class Folds:
    """Which rows are held out when.

    Attributes:
        assignment: `(n_repeats, n_rows) int16`, the fold that holds each row out; -1 where none
            does, as of the earliest rows where folds follow time.
        left_out: `(n_splits, n_rows) bool`, rows that a split neither trains on nor holds out; None
            where each split trains on all rows that it does not hold out.
        refit_rows: `(n_rows,) bool`, the rows of one more training, whose models predict the test
            rows; None where those of the splits do. Folds by time have it, since the models of
            early folds know little, and none of them the newest rows.
        warnings: What a person should know of the folds.
    """

    assignment: Int16s
    left_out: npt.NDArray[np.bool_] | None = None
    refit_rows: npt.NDArray[np.bool_] | None = None
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assignment = np.array(self.assignment, dtype=np.int16)
        if assignment.ndim != 2 or assignment.size == 0 or assignment.min() < NEVER:
            raise FoldError(
                "assignment must be (n_repeats, n_rows) fold numbers from 0, or -1, found shape "
                f"{assignment.shape}; make them with make_folds"
            )
        if assignment.max() < 0:
            raise FoldError("no row is held out by any fold; make folds with make_folds")
        assignment.setflags(write=False)
        object.__setattr__(self, "assignment", assignment)

    @property
    def n_repeats(self) -> int:
        """Times that rows are held out."""
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
    def held_out(self) -> npt.NDArray[np.bool_]:
        """The rows that some split holds out, `(n_rows,)`."""
        return np.asarray((self.assignment >= 0).any(axis=0))

    @property
    def digest(self) -> str:
        """The sha256 of the assignment, the same on every machine."""
        shape = np.array(self.assignment.shape, dtype="<i8").tobytes()
        masks = [m for m in (self.left_out, self.refit_rows) if m is not None]
        packed = b"".join(np.packbits(mask).tobytes() for mask in masks)
        return hashlib.sha256(shape + self.assignment.astype("<i2").tobytes() + packed).hexdigest()

    def splits(self) -> Iterator[Split]:
        """Yield every split, repeat by repeat."""
        for repeat, held_out_by in enumerate(self.assignment):
            for fold in range(self.n_folds):
                trained = held_out_by != fold
                if self.left_out is not None:
                    trained = trained & ~self.left_out[repeat * self.n_folds + fold]
                train_rows = np.flatnonzero(trained).astype(np.int64)
                valid_rows = np.flatnonzero(held_out_by == fold).astype(np.int64)
                yield Split(repeat, fold, train_rows, valid_rows)

    @property
    def refit(self) -> Split | None:
        """The rows of the training whose models predict the test rows, if it is one of its own.

        It holds out what the last fold does, for curves alone: its models have seen these rows.
        """
        if self.refit_rows is None:
            return None
        *_, last = self.splits()
        rows = np.flatnonzero(self.refit_rows).astype(np.int64)
        return Split(last.repeat, last.fold + 1, rows, last.valid_rows)

    def all_splits(self) -> list[Split]:
        """Every split, and behind them the refit where there is one."""
        refit = self.refit
        return [*self.splits(), *([] if refit is None else [refit])]

    def arrays(self) -> dict[str, np.ndarray]:
        """The folds as arrays, for a file."""
        masks = {"left_out": self.left_out, "refit_rows": self.refit_rows}
        return {
            "assignment": self.assignment,
            **{name: mask for name, mask in masks.items() if mask is not None},
        }

    @classmethod
    def from_arrays(cls, stored: Mapping[str, np.ndarray]) -> Folds:
        """What `arrays` gave."""
        return cls(stored["assignment"], stored.get("left_out"), stored.get("refit_rows"))


def make_folds(
    strata: npt.ArrayLike,
    plan: FoldPlan,
    groups: npt.ArrayLike | None = None,
    *,
    time: npt.ArrayLike | None = None,
    given: npt.ArrayLike | None = None,
    names: Sequence[str] | None = None,
) -> Folds:
    """Assign rows to folds; the same arguments give the same folds.

    Args:
        strata: `(n_rows,)` classes; only a stratified plan looks at their values.
        plan: How rows are assigned.
        groups: `(n_rows,)` values of the plan's group column, None if it has none.
        time: `(n_rows,)` values of its time column.
        given: `(n_rows,)` values of its fold column.
        names: What each class is called, where the strata are positions of classes.

    Raises:
        FoldError: There are fewer rows or groups than folds, or a group or time is missing.

    Source: scikit-learn, model_selection (KFold, StratifiedKFold and their Group forms).
    """
    classes, found = pd.factorize(np.asarray(strata), use_na_sentinel=False)
    called = [str(names[int(c)]) if names else str(c) for c in found]
    group_codes = _group_codes(groups, plan, len(classes))
    if plan.column is not None:
        return _given_folds(given, plan.column)
    if plan.time is not None:
        found_splits = time_splits(time, plan, group_codes)
        folds = Folds(found_splits.assignment, found_splits.left_out, found_splits.refit_rows)
        return replace(folds, warnings=_straddling(folds, group_codes, plan))
    _check_enough(len(classes), plan.n_folds, "training rows", fix="give more rows")
    if group_codes is not None:
        _check_enough(group_codes.max() + 1, plan.n_folds, f"groups of {plan.group!r}")
    remarks = _rare(classes, called, plan) if plan.stratify else []
    assign = _assign if plan.test_share is None else _hold_out_share
    repeats = [assign(classes, group_codes, plan, repeat) for repeat in range(plan.n_repeats)]
    assignment = np.stack(repeats)
    remarks += _unseen(assignment, classes, called, plan)
    return Folds(assignment, warnings=tuple(remarks))


def _straddling(folds: Folds, group_codes: Int64s | None, plan: FoldPlan) -> tuple[str, ...]:
    """A warning where rows of a group are trained on while others of it are held out."""
    if group_codes is None or plan.purge:
        return ()
    shared = [
        np.intersect1d(group_codes[split.train_rows], group_codes[split.valid_rows]).size
        for split in folds.splits()
    ]
    if not any(shared):
        return ()
    return (
        f"up to {max(shared):,} groups by {plan.group} are trained on in a fold that holds other "
        "rows of them out; set folds.purge=true to leave those rows out of the training",
    )


def _rare(classes: Int64s, called: Sequence[str], plan: FoldPlan) -> list[str]:
    """Classes with fewer rows than folds: some folds hold none of their rows out."""
    counts = np.bincount(classes)
    return [
        f"class {called[int(at)]!r} has {_rows(counts[at])}, fewer than the {_n_folds(plan)} "
        f"folds, so some folds hold none of them out; set folds.n_folds={max(2, int(counts[at]))} "
        "or leave the class out"
        for at in np.flatnonzero(counts < _n_folds(plan))
        if len(counts) <= _MOST_CLASSES
    ]


_MOST_CLASSES = 1000  # more are values, not classes


def _unseen(
    assignment: Int16s, classes: Int64s, called: Sequence[str], plan: FoldPlan
) -> list[str]:
    """Splits whose training rows lack a class."""
    if len(called) > _MOST_CLASSES:
        return []
    why = f"; rows are kept together by {plan.group}" if plan.group else ""
    lacking: dict[int, int] = {}
    for held_out_by in assignment:
        for fold in range(int(assignment.max()) + 1):
            trained = np.bincount(classes[held_out_by != fold], minlength=len(called))
            for at in np.flatnonzero(trained == 0):
                lacking[int(at)] = lacking.get(int(at), 0) + 1
    return [
        f"class {called[at]!r} is missing from the training rows of {n} "
        f"split{'s' * (n > 1)}, so their models cannot predict it{why}; set folds.n_folds, "
        "folds.group or folds.stratify otherwise"
        for at, n in lacking.items()
    ]


def _rows(n: int) -> str:
    return f"{n} training row{'s' * bool(n != 1)}"


def _n_folds(plan: FoldPlan) -> int:
    return plan.n_folds if plan.test_share is None else max(2, round(1 / plan.test_share))


def _given_folds(given: npt.ArrayLike | None, column: str) -> Folds:
    """The folds that a column names, in the order of its values; missing: never held out."""
    if given is None:
        raise FoldError(f"the fold plan's column is {column!r}, but no values were given")
    codes, values = pd.factorize(np.asarray(given), sort=True)
    if len(values) < 2:
        raise FoldError(
            f"column {column!r} names {len(values)} fold, expected two or more; correct "
            "folds.column, or leave it out"
        )
    return Folds(codes[None].astype(np.int16))


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


def _check_enough(n_found: int, n_folds: int, what: str, *, fix: str = "") -> None:
    if n_found < n_folds:
        step = f"add --folds {n_found}" if n_found >= 2 else fix or "leave folds.group out"
        raise FoldError(
            f"cannot make {n_folds} folds: found {n_found} {what}, "
            f"expected {n_folds} or more; {step}"
        )


def _assign(classes: Int64s, group_codes: Int64s | None, plan: FoldPlan, repeat: int) -> Int16s:
    """The fold that holds out each row in one repeat, (n_rows,) int16."""
    has_strata = plan.stratify and np.bincount(classes).max() >= _n_folds(plan)
    held_out_by = _split(classes, group_codes, plan, repeat, stratified=has_strata)
    if has_strata and group_codes is not None and len(np.unique(held_out_by)) < _n_folds(plan):
        # StratifiedGroupKFold may leave a fold empty when there are few, very unequal groups.
        held_out_by = _split(classes, group_codes, plan, repeat, stratified=False)
    return held_out_by


def _hold_out_share(
    classes: Int64s, group_codes: Int64s | None, plan: FoldPlan, repeat: int
) -> Int16s:
    """0 for the rows of a single split's share, -1 for the others, (n_rows,) int16."""
    from sklearn import model_selection

    seed = int(np.random.SeedSequence((plan.seed, repeat)).generate_state(1)[0])
    kind: Any = model_selection.ShuffleSplit
    if group_codes is not None:
        kind = model_selection.GroupShuffleSplit
    elif plan.stratify and np.bincount(classes).min() > 1:
        kind = model_selection.StratifiedShuffleSplit
    splitter = kind(1, test_size=plan.test_share, random_state=seed)
    _, valid_rows = next(splitter.split(classes, classes, group_codes))
    held_out_by = np.full(len(classes), NEVER, dtype=np.int16)
    held_out_by[valid_rows] = 0
    return held_out_by


def _split(
    classes: Int64s, group_codes: Int64s | None, plan: FoldPlan, repeat: int, *, stratified: bool
) -> Int16s:
    from sklearn import model_selection as sk

    # Not seed + repeat, or the second repeat of seed 0 would be the first of seed 1.
    seed = int(np.random.SeedSequence((plan.seed, repeat)).generate_state(1)[0])
    kind: Any
    if group_codes is None:
        kind = sk.StratifiedKFold if stratified else sk.KFold
    else:
        kind = sk.StratifiedGroupKFold if stratified else sk.GroupKFold
    splitter = kind(_n_folds(plan), shuffle=True, random_state=seed)
    held_out_by = np.zeros(len(classes), dtype=np.int16)
    with _without_warnings():
        for fold, (_, valid_rows) in enumerate(splitter.split(classes, classes, group_codes)):
            held_out_by[valid_rows] = fold
    return held_out_by


@contextmanager
def _without_warnings() -> Iterator[None]:
    """scikit-learn warns of rare classes; `_rare` names them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        yield
