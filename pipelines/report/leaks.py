"""Leak checks: could a row's label have reached its own prediction?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from features.encoders.base import Encoder, complete, is_stateless
from models.scores import spearman
from pipelines.configuration.competition import Competition
from pipelines.configuration.encoders import encoder_identities
from pipelines.members.predictions import mean_defined
from pipelines.report.drift import as_numbers
from pipelines.report.evidence import Check
from pipelines.report.parts import Parts
from pipelines.stages.dataset import encode_fold
from pipelines.stages.ensemble import Blend, EnsembleSettings
from pipelines.stages.extra_tables import features_of
from pipelines.stages.input_tables import test_columns
from pipelines.stages.preprocess import Prepared, not_row_wise
from pipelines.stages.train_test_overlap import find_overlap
from pipelines.workspace import arrays
from pipelines.workspace.files import sha256
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.stage_cache import seconds_of
from pipelines.workspace.stage_files import DatasetFiles, SubmissionFiles
from submissions.form import read_sample

SLOW_S = 4.0  # an encoder that takes longer per fold is not refitted
N_ALONE = 100  # rows
GIVEAWAY = 0.998
MAX_ROWS, MAX_COLUMNS = 10_000, 200  # searched for a column that gives the label away
MIN_ROWS = 20  # of a class; fewer are ranked well by chance


def checks(
    competition: Competition,
    prepared: Prepared,
    blend: Blend,
    folder: Path,
    parts: Parts | None = None,
) -> tuple[Check, ...]:
    """Run every check on the results of the stages and the run's folder; a fault stops no other.

    Args:
        competition: With the settings of the run.
        prepared: What stage 2 gave.
        blend: What stage 5 gave.
        folder: The run's.
        parts: Notes the checks that could not be made.
    """
    parts = parts or Parts(RunLayout(folder).error_log)
    return tuple(
        parts.measure(f"leak check: {name}", check, _not_made(name))
        for name, check in _every(competition, prepared, blend, folder)
    )


def _not_made(name: str) -> Check:
    return Check(name=name, outcome="skipped", detail="the check itself failed")


def _every(
    competition: Competition, prepared: Prepared, blend: Blend, folder: Path
) -> Iterator[tuple[str, Callable[[], Check]]]:
    """Each check, by its name."""
    identities = encoder_identities(competition)
    encoders = {identities[member.name].name: member.encoder for member in competition.members}
    yield "Features are row-wise", lambda: _row_wise(competition, prepared)
    yield "Every row is held out once", lambda: _held_out_once(prepared)
    yield "Groups stay in one fold", lambda: _groups_whole(competition, prepared)
    for name, make in encoders.items():
        check = partial(_fitted_in_fold, name, make, prepared, folder)
        yield f"{name} is fitted on training rows only", check
    yield "The score can be reproduced", lambda: _score_reproduced(competition, prepared, blend)
    yield "The score is not too good to be true", lambda: _not_too_good(competition, blend)
    yield "Duplicate rows share a fold", lambda: _duplicates(competition, prepared)
    yield "No column gives the label away", lambda: _giveaways(competition, prepared)
    yield "The submission has every test row", lambda: _csv_unchanged(prepared, folder)


def _row_wise(competition: Competition, prepared: Prepared) -> Check:
    """Recompute the features on every other row alone."""
    name = "Features are row-wise"
    raw = [column.name for column in test_columns(competition)]
    if not set(raw) <= set(prepared.train.columns):
        return Check(
            name=name,
            outcome="passed",
            detail="checked in preprocessing; not repeated, since the raw columns are not kept",
        )
    faults = [
        column
        for table, extra in (
            (prepared.train[raw], prepared.extra.train),
            (prepared.test[raw], prepared.extra.test),
        )
        for features in [features_of(competition, extra)]
        for column in not_row_wise(features, table, features(table))
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
    n_never = int((~prepared.folds.held_out).sum())
    expected = (prepared.folds.assignment >= 0).astype(np.int64)
    is_correct = bool((times == expected).all()) and overlap == 0
    n_rows, n_splits = len(prepared.target), prepared.folds.n_splits
    repeats = f"{len(times)} repeat{'s' * (len(times) > 1)}"
    detail = f"{n_rows:,} rows × {repeats}, {n_splits} splits"
    if n_never:
        detail += f"; {n_never:,} rows are only trained on, as the fold plan says"
    if not is_correct:
        n_wrong = int((times != expected).sum())
        detail = f"{n_wrong} rows not held out exactly once, {overlap} also trained on"
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
        is_held_out = held_out_by >= 0
        folds_of = pd.Series(held_out_by[is_held_out]).groupby(codes[is_held_out]).nunique()
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
    name = "The score can be reproduced"
    if prepared.folds.n_repeats > 1:
        detail = f"only the mean of each row's {prepared.folds.n_repeats} predictions is stored"
        return Check(name=name, outcome="skipped", detail=detail)
    again = _scores_again(competition, prepared, blend)
    same = bool(np.allclose(again, blend.scores, rtol=1e-6, atol=1e-9, equal_nan=True))
    detail = "recomputed from the stored out-of-fold predictions: the same on every split"
    if not same:
        detail = (
            f"the stored out-of-fold predictions score {mean_defined(again):.4f}, "
            f"the run reported {blend.cv:.4f}"
        )
    return Check(name=name, outcome="passed" if same else "look", detail=detail)


def _scores_again(competition: Competition, prepared: Prepared, blend: Blend) -> np.ndarray:
    """The score of each split, computed as stage 5 did, `(n_splits,)`."""
    overlap = competition.train_test_overlap
    if overlap is not None:
        tables = (prepared.train, prepared.test)
        return find_overlap(overlap, tables, prepared.target, prepared.folds).scores(blend.oof)
    goal = EnsembleSettings.of(competition).goal(prepared)
    return np.asarray(goal.decide(blend.oof, prepared.folds.assignment).scores)


def _not_too_good(competition: Competition, blend: Blend) -> Check:
    name, limit = "The score is not too good to be true", competition.leak_beyond
    if limit is None:
        return Check(name=name, outcome="skipped", detail="leak_beyond is not set")
    cv = blend.cv_new if blend.overlap_share else blend.cv
    beyond = competition.metric.is_better(cv, than=limit)
    of_what = " on rows that are new" if blend.overlap_share else ""
    detail = f"{cv:.4f}{of_what}; leak_beyond is {limit:g}"
    return Check(name=name, outcome="look" if beyond else "passed", detail=detail)


def _duplicates(competition: Competition, prepared: Prepared) -> Check:
    """Count rows with the same values that are in different folds."""
    group = competition.folds.group
    raw = [
        c.name for c in test_columns(competition) if c.name in prepared.train and c.name != group
    ]
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
    equal = "1 test row equals" if n_in_test == 1 else f"{n_in_test or 'no'} test rows equal"
    detail += f"; {equal} a training row"
    return Check(
        name="Duplicate rows share a fold",
        outcome="look" if share > 0.01 else "passed",
        detail=detail,
    )


def _giveaways(competition: Competition, prepared: Prepared) -> Check:
    """Find columns that alone almost determine the target."""
    name = "No column gives the label away"
    step = -(-len(prepared.train) // MAX_ROWS)
    numbers = as_numbers(prepared.train.iloc[::step, :MAX_COLUMNS])
    target, what = prepared.target[::step], "AUC"
    if competition.predicts.has_classes:
        found = dict(_alone(numbers, target))
    else:
        found, what = dict(_correlated(numbers, target)), "rank correlation"
    suspects = [column for column, value in found.items() if value > GIVEAWAY]
    if suspects:
        detail = f"{_listed(suspects)}: {what} above {GIVEAWAY}"
        return Check(name=name, outcome="look", detail=detail)
    if not found:
        return Check(name=name, outcome="skipped", detail="there is no column")
    best = max(found, key=lambda column: found[column])
    n_more = prepared.train.shape[1] - numbers.shape[1]
    more = f"; {n_more} more columns not checked" if n_more else ""
    of_what = "for its best class" if competition.predicts.has_classes else "with a target"
    detail = f"the best single column is {best}, {what} {found[best]:.3f} {of_what}{more}"
    return Check(name=name, outcome="passed", detail=detail)


def _correlated(numbers: pd.DataFrame, target: np.ndarray) -> Iterator[tuple[str, float]]:
    """Each column's best absolute rank correlation with a target column, 0 to 1."""
    columns = target.reshape(len(target), -1).T
    for name in numbers.columns:
        ranks = numbers[name].fillna(-np.inf).to_numpy(np.float64)
        yield str(name), max(_absolute(spearman(column, ranks)) for column in columns)


def _absolute(correlation: float) -> float:
    return 0.0 if np.isnan(correlation) else abs(correlation)


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
    sample, form = prepared.sample_submission, prepared.form
    written = read_sample(csv)
    if form.id is None:
        same = len(written) == len(sample)
        detail = f"{len(written):,} rows, in the order of the test file"
    else:
        ids = written[form.id]
        same = set(ids) == set(sample[form.id]) and ids.is_unique
        detail = f"{len(ids):,} ids, each once, as in the sample submission"
    return Check(
        name="The submission has every test row",
        outcome="passed" if same else "look",
        detail=f"{detail}; sha256 {sha256(csv)[:12]}",
    )


def _listed(names: list[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
