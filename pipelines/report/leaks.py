"""Leak checks: could a row's label have reached its own prediction?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from features.encoders.base import Encoder, complete, is_stateless
from models.metrics import METRICS
from pipelines.configuration.competition import Competition
from pipelines.configuration.encoders import encoder_identities
from pipelines.report.drift import as_numbers
from pipelines.report.evidence import Check
from pipelines.stages.dataset import encode_fold
from pipelines.stages.ensemble import Blend
from pipelines.stages.preprocess import Prepared, not_row_wise
from pipelines.workspace import arrays
from pipelines.workspace.files import sha256
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.stage_cache import seconds_of
from pipelines.workspace.stage_files import DatasetFiles, SubmissionFiles

SLOW_S = 4.0  # an encoder that takes longer per fold is not refitted
N_ALONE = 100  # rows
GIVEAWAY = 0.998
MAX_ROWS, MAX_COLUMNS = 10_000, 200  # searched for a column that gives the label away
MIN_ROWS = 20  # of a class; fewer are ranked well by chance


def checks(
    competition: Competition, prepared: Prepared, blend: Blend, folder: Path
) -> tuple[Check, ...]:
    """Run every check on the results of the stages and the run's folder."""
    identities = encoder_identities(competition)
    encoders = {identities[member.name].name: member.encoder for member in competition.members}
    return (
        _row_wise(competition, prepared),
        _held_out_once(prepared),
        _groups_whole(competition, prepared),
        *(_fitted_in_fold(*encoder, prepared, folder) for encoder in encoders.items()),
        _score_reproduced(competition, prepared, blend),
        _not_too_good(competition, blend),
        _duplicates(competition, prepared),
        _giveaways(prepared),
        _csv_unchanged(prepared, folder),
    )


def _row_wise(competition: Competition, prepared: Prepared) -> Check:
    """Recompute the features on every other row alone."""
    name = "Features are row-wise"
    raw = [column.name for column in competition.columns]
    if not set(raw) <= set(prepared.train.columns):
        return Check(
            name=name,
            outcome="passed",
            detail="checked in preprocessing; not repeated, since the raw columns are not kept",
        )
    faults = [
        column
        for table in (prepared.train[raw], prepared.test[raw])
        for column in not_row_wise(competition.features, table, competition.features(table))
    ]
    if faults:
        return Check(name=name, outcome="look", detail=f"{_listed(faults)} depend on other rows")
    n_rows = (len(prepared.train) + 1) // 2 + (len(prepared.test) + 1) // 2
    return Check(
        name=name,
        outcome="passed",
        detail=f"recomputed on {n_rows:,} rows alone: all {prepared.train.shape[1]} columns agree",
    )


def _held_out_once(prepared: Prepared) -> Check:
    times = np.zeros((prepared.folds.n_repeats, len(prepared.target)), dtype=np.int64)
    overlap = 0
    for split in prepared.folds.splits():
        times[split.repeat, split.valid_rows] += 1
        overlap += len(np.intersect1d(split.train_rows, split.valid_rows))
    is_correct = bool((times == 1).all()) and overlap == 0
    detail = (
        f"{len(prepared.target):,} rows × {len(times)} repeats, {prepared.folds.n_splits} splits"
    )
    if not is_correct:
        detail = (
            f"{int((times != 1).sum())} rows not held out exactly once, {overlap} also trained on"
        )
    return Check(
        name="Every row is held out once", outcome="passed" if is_correct else "look", detail=detail
    )


def _groups_whole(competition: Competition, prepared: Prepared) -> Check:
    name, group = "Groups stay in one fold", competition.folds.group
    if group is None or group not in prepared.train:
        detail = "no group set" if group is None else f"{group} is not among the features"
        return Check(name=name, outcome="skipped", detail=detail)
    codes = pd.factorize(prepared.train[group], use_na_sentinel=False)[0]
    n_split = 0
    for held_out_by in prepared.folds.assignment:
        folds_of = pd.Series(held_out_by).groupby(codes).nunique()
        n_split += int((folds_of > 1).sum())
    detail = f"{codes.max() + 1:,} groups by {group}, {n_split or 'none'} split across folds"
    return Check(name=name, outcome="look" if n_split else "passed", detail=detail)


def _fitted_in_fold(
    encoder_name: str, make: Callable[[], Encoder], prepared: Prepared, folder: Path
) -> Check:
    """Refit the encoder on a fold's training rows alone, and compare with the models' inputs."""
    name, encoder = f"{encoder_name} is fitted on training rows only", complete(make())
    stage = RunLayout(folder).dataset(encoder_name)
    if is_stateless(encoder):
        return _learns_nothing(name, encoder, prepared, stage)
    seconds = seconds_of(stage) / prepared.folds.n_splits
    if seconds > SLOW_S:
        detail = (
            f"refitting would take {seconds:.0f} s; the stage fits it on a fold's training rows"
        )
        return Check(name=name, outcome="skipped", detail=detail)
    again = encode_fold(prepared, encoder, next(prepared.folds.splits())).train
    stored = arrays.read(DatasetFiles(stage).train(0))
    same = all(np.array_equal(again[key], stored[key], equal_nan=True) for key in stored)
    detail = "refitted without the first fold's held-out rows: "
    detail += "the same numbers" if same else "other numbers than the models' inputs"
    return Check(name=name, outcome="passed" if same else "look", detail=detail)


def _learns_nothing(name: str, encoder: Encoder, prepared: Prepared, stage: Path) -> Check:
    """A stateless encoder must encode a few rows alone as it does among all rows."""
    alone = encoder.transform(prepared.train.iloc[:N_ALONE])
    stored = arrays.read(DatasetFiles(stage).train(0))
    same = all(np.array_equal(alone[k], stored[k][:N_ALONE], equal_nan=True) for k in stored)
    detail = f"stateless: {N_ALONE} rows alone are encoded "
    detail += "the same" if same else "differently than among all rows"
    return Check(name=name, outcome="passed" if same else "look", detail=detail)


def _score_reproduced(competition: Competition, prepared: Prepared, blend: Blend) -> Check:
    """Compare the reported score with that of the stored out-of-fold predictions."""
    name, score = "The score can be reproduced", METRICS[competition.metric].function
    if prepared.folds.n_repeats > 1:
        detail = (
            f"only the mean of each row's {prepared.folds.n_repeats} predictions is stored; it "
            f"scores {score(prepared.target, blend.oof):.4f} on all rows"
        )
        return Check(name=name, outcome="skipped", detail=detail)
    rows = [split.valid_rows for split in prepared.folds.splits()]
    again = np.array([score(prepared.target[r], blend.oof[r]) for r in rows])
    same = bool(np.allclose(again, blend.scores, rtol=1e-6, atol=1e-9))
    detail = f"recomputed from the stored out-of-fold predictions: {again.mean():.4f}"
    return Check(name=name, outcome="passed" if same else "look", detail=detail)


def _not_too_good(competition: Competition, blend: Blend) -> Check:
    name, limit = "The score is not too good to be true", competition.leak_beyond
    if limit is None:
        return Check(name=name, outcome="skipped", detail="no `leak_beyond` set")
    beyond = METRICS[competition.metric].is_better(blend.cv, than=limit)
    detail = f"{blend.cv:.4f}; `leak_beyond` is {limit:g}"
    return Check(name=name, outcome="look" if beyond else "passed", detail=detail)


def _duplicates(competition: Competition, prepared: Prepared) -> Check:
    """Count rows with the same values that are in different folds."""
    group = competition.folds.group
    raw = [c.name for c in competition.columns if c.name in prepared.train and c.name != group]
    train = pd.util.hash_pandas_object(prepared.train[raw], index=False).to_numpy()
    test = pd.util.hash_pandas_object(prepared.test[raw], index=False).to_numpy()
    _, value, size = np.unique(train, return_inverse=True, return_counts=True)
    apart = pd.Series(prepared.folds.assignment[0]).groupby(value).nunique().to_numpy()[value] > 1
    n_apart, n_in_test = int(apart.sum()), int(np.isin(test, train).sum())
    share = n_apart / len(train)
    n_duplicates = int((size[value] > 1).sum())
    detail = f"no two training rows agree in all {len(raw)} columns"
    if n_duplicates:
        detail = (
            f"{n_duplicates:,} training rows have a duplicate, {n_apart:,} of them in another fold"
        )
    detail += f"; {n_in_test or 'no'} test rows equal a training row"
    return Check(
        name="Duplicate rows share a fold",
        outcome="look" if share > 0.01 else "passed",
        detail=detail,
    )


def _giveaways(prepared: Prepared) -> Check:
    """Find columns that alone almost determine the label."""
    name = "No column gives the label away"
    step = -(-len(prepared.train) // MAX_ROWS)
    numbers = as_numbers(prepared.train.iloc[::step, :MAX_COLUMNS])
    aucs = dict(_alone(numbers, prepared.target[::step]))
    suspects = [column for column, auc in aucs.items() if auc > GIVEAWAY]
    if suspects:
        return Check(name=name, outcome="look", detail=f"{_listed(suspects)}: AUC above {GIVEAWAY}")
    best = max(aucs, key=lambda column: aucs[column])
    n_more = prepared.train.shape[1] - numbers.shape[1]
    more = f"; {n_more} more columns not checked" if n_more else ""
    return Check(
        name=name,
        outcome="passed",
        detail=f"the best single column is {best}, AUC {aucs[best]:.3f} for its best class{more}",
    )


def _alone(numbers: pd.DataFrame, target: np.ndarray) -> Iterator[tuple[str, float]]:
    """Each column's best AUC for one class against the others, 0.5 to 1."""
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
    csv = SubmissionFiles(RunLayout(folder).submission).csv
    ids = pd.read_csv(csv).iloc[:, 0]
    wanted = prepared.sample_submission.iloc[:, 0]
    same = set(ids.astype(str)) == set(wanted.astype(str)) and ids.is_unique
    detail = f"{len(ids):,} ids, each once, as in the sample submission"
    return Check(
        name="The submission has every test row",
        outcome="passed" if same else "look",
        detail=f"{detail}; sha256 {sha256(csv)[:12]}",
    )


def _listed(names: list[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
