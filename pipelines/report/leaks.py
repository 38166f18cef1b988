"""Leak checks: what could have let a row's label reach its own prediction, looked for anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from features.encoders.base import complete, is_stateless
from models.metrics import METRICS
from pipelines.configuration.competition import Competition, Encoder
from pipelines.configuration.encoders import encoder_identities
from pipelines.raw_files import manifest
from pipelines.report.drift import as_numbers
from pipelines.report.evidence import Check
from pipelines.stages.dataset import encode_fold
from pipelines.stages.ensemble import Blend
from pipelines.stages.preprocess import Prepared, not_row_wise
from pipelines.stages.submission import CSV
from pipelines.workspace import arrays
from pipelines.workspace.stage_cache import seconds_of

SLOW_S = 4.0  # an encoder that takes longer for a fold is not fitted a second time
N_ALONE = 100  # rows
GIVEAWAY = 0.998
MAX_ROWS, MAX_COLUMNS = 10_000, 200  # looked at for a column that gives the label away
MIN_ROWS = 20  # of a class; fewer are ordered well by chance


def checks(
    competition: Competition, prepared: Prepared, blend: Blend, folder: Path
) -> tuple[Check, ...]:
    """Every check, on what the run's folder holds."""
    identities = encoder_identities(competition)
    encoders = {identities[member.name].name: member.encoder for member in competition.members}
    return (
        _row_wise(competition, prepared),
        _held_out_once(prepared),
        _groups_whole(competition, prepared),
        *(_fitted_in_fold(*encoder, prepared, folder) for encoder in encoders.items()),
        _scores_again(competition, prepared, blend),
        _not_too_good(competition, blend),
        _twins(competition, prepared),
        _giveaways(prepared),
        _csv_unchanged(prepared, folder),
    )


def _row_wise(competition: Competition, prepared: Prepared) -> Check:
    """Features of every other row, computed without the rows between."""
    name = "Features are row-wise"
    raw = [column.name for column in competition.columns]
    if not set(raw) <= set(prepared.train.columns):
        return Check(
            name=name,
            outcome="passed",
            told="proven while the tables were prepared; raw columns are not kept, so not again",
        )
    faults = [
        column
        for table in (prepared.train[raw], prepared.test[raw])
        for column in not_row_wise(competition.features, table, competition.features(table))
    ]
    if faults:
        return Check(name=name, outcome="look", told=f"other rows change {_listed(faults)}")
    n_rows = (len(prepared.train) + 1) // 2 + (len(prepared.test) + 1) // 2
    return Check(
        name=name,
        outcome="passed",
        told=f"{n_rows:,} rows computed without their neighbours: all {prepared.train.shape[1]} "
        "columns the same",
    )


def _held_out_once(prepared: Prepared) -> Check:
    times = np.zeros((prepared.folds.n_repeats, len(prepared.target)), dtype=np.int64)
    overlap = 0
    for split in prepared.folds.splits():
        times[split.repeat, split.valid_rows] += 1
        overlap += len(np.intersect1d(split.train_rows, split.valid_rows))
    right = bool((times == 1).all()) and overlap == 0
    told = f"{len(prepared.target):,} rows × {len(times)} repeats, {prepared.folds.n_splits} splits"
    if not right:
        told = f"{int((times != 1).sum())} rows not held out exactly once, {overlap} in both parts"
    return Check(
        name="Every row is held out once", outcome="passed" if right else "look", told=told
    )


def _groups_whole(competition: Competition, prepared: Prepared) -> Check:
    name, group = "Groups stay in one fold", competition.folds.group
    if group is None or group not in prepared.train:
        told = "the folds have no group" if group is None else f"{group} is not among the features"
        return Check(name=name, outcome="skipped", told=told)
    codes = pd.factorize(prepared.train[group], use_na_sentinel=False)[0]
    n_split = 0
    for held_out_by in prepared.folds.assignment:
        folds_of = pd.Series(held_out_by).groupby(codes).nunique()
        n_split += int((folds_of > 1).sum())
    told = f"{codes.max() + 1:,} groups by {group}: {n_split or 'none'} split over folds"
    return Check(name=name, outcome="look" if n_split else "passed", told=told)


def _fitted_in_fold(
    encoder_name: str, make: Callable[[], Encoder], prepared: Prepared, folder: Path
) -> Check:
    """Fit the encoder on a fold's training rows alone, and compare with what models were given."""
    name, encoder = f"{encoder_name} is fitted in the fold", complete(make())
    stage = folder / "stages" / f"dataset-{encoder_name}"
    if is_stateless(encoder):
        return _learns_nothing(name, encoder, prepared, stage)
    seconds = seconds_of(stage) / prepared.folds.n_splits
    if seconds > SLOW_S:
        told = f"would take {seconds:.0f} s; the stage fits it on a fold's training rows alone"
        return Check(name=name, outcome="skipped", told=told)
    again = encode_fold(prepared, encoder, next(prepared.folds.splits())).train
    stored = arrays.read(stage / "fold-000.npz")
    same = all(np.array_equal(again[key], stored[key], equal_nan=True) for key in stored)
    told = "fitted again without the first fold's held-out rows: "
    told += "the same numbers" if same else "other numbers than the models were given"
    return Check(name=name, outcome="passed" if same else "look", told=told)


def _learns_nothing(name: str, encoder: Encoder, prepared: Prepared, stage: Path) -> Check:
    """An encoder that says so gives the same for some rows alone."""
    alone = encoder.transform(prepared.train.iloc[:N_ALONE])
    stored = arrays.read(stage / "fold-000.npz")
    same = all(np.array_equal(alone[k], stored[k][:N_ALONE], equal_nan=True) for k in stored)
    told = f"learns nothing from rows: {N_ALONE} rows alone give "
    told += "the same numbers" if same else "other numbers than among all rows"
    return Check(name=name, outcome="passed" if same else "look", told=told)


def _scores_again(competition: Competition, prepared: Prepared, blend: Blend) -> Check:
    """The told score against that of the out-of-fold predictions that are stored."""
    name, score = "The score is that of the held-out rows", METRICS[competition.metric].function
    if prepared.folds.n_repeats > 1:
        told = (
            f"each row's {prepared.folds.n_repeats} predictions are stored as their mean, which "
            f"scores {score(prepared.target, blend.oof):.4f} on all rows at once"
        )
        return Check(name=name, outcome="skipped", told=told)
    rows = [split.valid_rows for split in prepared.folds.splits()]
    again = np.array([score(prepared.target[r], blend.oof[r]) for r in rows])
    same = bool(np.allclose(again, blend.scores, rtol=1e-6, atol=1e-9))
    told = f"computed again from the stored predictions: {again.mean():.4f}"
    return Check(name=name, outcome="passed" if same else "look", told=told)


def _not_too_good(competition: Competition, blend: Blend) -> Check:
    name, limit = "The score is not too good to be true", competition.leak_beyond
    if limit is None:
        return Check(name=name, outcome="skipped", told="the competition names no such score")
    beyond = METRICS[competition.metric].is_better(blend.cv, than=limit)
    told = f"{blend.cv:.4f}, where {limit:g} would be"
    return Check(name=name, outcome="look" if beyond else "passed", told=told)


def _twins(competition: Competition, prepared: Prepared) -> Check:
    """Rows that are alike in every column, one trained on and one held out."""
    group = competition.folds.group
    raw = [c.name for c in competition.columns if c.name in prepared.train and c.name != group]
    train = pd.util.hash_pandas_object(prepared.train[raw], index=False).to_numpy()
    test = pd.util.hash_pandas_object(prepared.test[raw], index=False).to_numpy()
    _, twin, size = np.unique(train, return_inverse=True, return_counts=True)
    apart = pd.Series(prepared.folds.assignment[0]).groupby(twin).nunique().to_numpy()[twin] > 1
    n_apart, n_in_test = int(apart.sum()), int(np.isin(test, train).sum())
    share = n_apart / len(train)
    n_twins = int((size[twin] > 1).sum())
    told = f"no two training rows are alike in all {len(raw)} columns"
    if n_twins:
        told = f"{n_twins:,} training rows have a twin, {n_apart:,} of them in another fold"
    told += f"; {n_in_test or 'no'} test rows equal a training row"
    return Check(
        name="Twins do not straddle folds", outcome="look" if share > 0.01 else "passed", told=told
    )


def _giveaways(prepared: Prepared) -> Check:
    """Columns that alone nearly tell the label."""
    name = "No column gives the label away"
    step = -(-len(prepared.train) // MAX_ROWS)
    numbers = as_numbers(prepared.train.iloc[::step, :MAX_COLUMNS])
    aucs = dict(_alone(numbers, prepared.target[::step]))
    suspects = [column for column, auc in aucs.items() if auc > GIVEAWAY]
    if suspects:
        return Check(name=name, outcome="look", told=f"{_listed(suspects)}: AUC above {GIVEAWAY}")
    best = max(aucs, key=lambda column: aucs[column])
    n_more = prepared.train.shape[1] - numbers.shape[1]
    more = f"; {n_more} more columns not looked at" if n_more else ""
    return Check(
        name=name,
        outcome="passed",
        told=f"the best alone is {best}, AUC {aucs[best]:.3f} for its best class{more}",
    )


def _alone(numbers: pd.DataFrame, target: np.ndarray) -> Iterator[tuple[str, float]]:
    """How well each column alone orders the rows of one class against all others, 0.5 to 1."""
    for name in numbers.columns:
        ranks = numbers[name].fillna(-np.inf).rank().to_numpy()
        best = 0.5
        for label in np.flatnonzero(np.bincount(target) >= MIN_ROWS):
            inside = target == label
            n_inside, n_outside = int(inside.sum()), int((~inside).sum())
            wins = ranks[inside].sum() - n_inside * (n_inside + 1) / 2
            auc = wins / max(1, n_inside * n_outside)
            best = max(best, auc, 1 - auc)
        yield str(name), float(best)


def _csv_unchanged(prepared: Prepared, folder: Path) -> Check:
    stage = folder / "stages" / "submission"
    ids = pd.read_csv(stage / CSV).iloc[:, 0]
    wanted = prepared.sample_submission.iloc[:, 0]
    same = set(ids.astype(str)) == set(wanted.astype(str)) and ids.is_unique
    told = f"{len(ids):,} ids, each once, as in the sample submission"
    return Check(
        name="The submission answers every test row",
        outcome="passed" if same else "look",
        told=f"{told}; sha256 {manifest.sha256(stage / CSV)[:12]}",
    )


def _listed(names: list[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
