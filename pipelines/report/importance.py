"""Permutation importance: what the members lose on held-out rows when a column is shuffled.

A column of the file is shuffled before the features are computed, so that everything derived from
it is shuffled too. The encoders are refitted on each fold's training rows, as in training.

Source: Breiman, "Random Forests", Machine Learning 45, 2001; on held-out rows, since importances
on training rows also count what was memorised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.decisions import score_with
from pipelines.configuration.competition import Competition
from pipelines.report.evidence import ColumnWorth, Importance
from pipelines.report.fold_models import Panel, panel
from pipelines.stages.ensemble import Blend
from pipelines.stages.input_tables import test_columns
from pipelines.stages.preprocess import Prepared
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.stage_cache import seconds_of

MAX_FOLDS, MAX_ROWS = 10, 1_000  # folds, and held-out rows of all of them together
MAX_PREDICTED = 60_000  # rows predicted in total
ROWS_TOGETHER = 20_000  # rows predicted by one call
MAX_UNITS = 60  # columns, or blocks of neighbouring columns, to shuffle
N_SHUFFLES, N_KEPT = 5, 15
SLOW_S = 2.0  # if the encoders take longer than this per fold, one fold is used
SEED = 0

Predict = Callable[[pd.DataFrame], np.ndarray]


@dataclass(frozen=True)
class _Fold:
    """Held-out rows of one fold, and a function that predicts them: `(n, n_classes)`."""

    table: pd.DataFrame
    target: np.ndarray
    predict: Predict


def importance(
    competition: Competition, prepared: Prepared, blend: Blend, folder: Path
) -> Importance | None:
    """Shuffle every column that the members see; None if no member's models were kept."""
    models = panel(competition, prepared, blend, RunLayout(folder))
    if models is None:
        return None
    units = _units(_raw(competition, prepared))
    n_shuffles = max(1, min(N_SHUFFLES, MAX_PREDICTED // (MAX_ROWS * len(units))))
    targets, predictions = [], []
    for fold in _folds(models, prepared, folder):
        targets.append(fold.target)
        predictions.append(_predict(fold, competition, units, n_shuffles))
    target = np.concatenate(targets)
    sign = 1 if competition.greater_is_better else -1
    scores = np.array(
        [
            score_with(blend.decision, competition.metric, competition.predicts, target, copy)
            for copy in np.concatenate(predictions, axis=1)
        ]
    )
    costs = sign * (scores[0] - scores[1:]).reshape(len(units), n_shuffles)
    # A metric may be undefined on the rows with a shuffled column: such a column is left out.
    known = [
        (unit, cost) for unit, cost in zip(units, costs, strict=True) if np.isfinite(cost).all()
    ]
    worths = [_worth(unit, cost) for unit, cost in known]
    return Importance(
        member=models.name,
        score=float(scores[0]),
        n_rows=len(target),
        n_folds=len(targets),
        n_shuffles=n_shuffles,
        columns=tuple(sorted(worths, key=lambda worth: -worth.cost)[:N_KEPT]),
    )


def _raw(competition: Competition, prepared: Prepared) -> list[str]:
    """The file's columns if the features can be recomputed from them alone, else all columns."""
    raw = [column.name for column in test_columns(competition)]
    is_kept = set(raw) <= set(prepared.train.columns) and not competition.extra_files
    return raw if is_kept else list(prepared.train.columns)


def _units(columns: Sequence[str]) -> list[list[str]]:
    """Columns that are shuffled together: one each, or blocks of neighbours if there are many."""
    n_units = min(MAX_UNITS, len(columns))
    return [list(map(str, part)) for part in np.array_split(np.array(columns), n_units)]


def _folds(models: Panel, prepared: Prepared, folder: Path) -> Iterator[_Fold]:
    """A sample of the first folds' held-out rows, with the models that never saw them."""
    run = RunLayout(folder)
    names = {models.encoders[member.name] for member in models.members}
    n_splits = prepared.folds.n_splits
    seconds = sum(seconds_of(run.dataset(name)) for name in names) / n_splits
    n_folds = 1 if seconds > SLOW_S else min(MAX_FOLDS, prepared.folds.n_folds)
    rng = np.random.default_rng(SEED)
    for number, split in zip(range(n_folds), prepared.folds.splits(), strict=False):
        n_rows = min(len(split.valid_rows), MAX_ROWS // n_folds)
        rows = np.sort(rng.choice(split.valid_rows, n_rows, replace=False))
        predict = models.fold(prepared, split, number, run)
        yield _Fold(prepared.train.iloc[rows], prepared.target[rows], predict)


def _predict(
    fold: _Fold, competition: Competition, units: Sequence[Sequence[str]], n_shuffles: int
) -> np.ndarray:
    """Predict the rows, then copies of them: `(1 + n_units * n_shuffles, n, n_classes)`.

    The first copy is unchanged; in each of the others one unit's columns are shuffled. As many
    copies as fit are predicted in one call, since features and encoders cost by the call.
    """
    rng, n_rows = np.random.default_rng(SEED), len(fold.target)
    copies: list[Sequence[str]] = [(), *(unit for unit in units for _ in range(n_shuffles))]
    n_together, predictions = max(1, ROWS_TOGETHER // n_rows), []
    for start in range(0, len(copies), n_together):
        table = _shuffled(fold.table, competition, copies[start : start + n_together], rng)
        predictions.append(fold.predict(table).reshape(-1, n_rows, competition.predicts.n_columns))
    return np.concatenate(predictions)


def _shuffled(
    table: pd.DataFrame,
    competition: Competition,
    copies: Sequence[Sequence[str]],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Copies of the table below one another, each with some columns shuffled."""
    raw = [column.name for column in test_columns(competition)]
    is_raw = set(raw) <= set(table.columns) and not competition.extra_files
    unchanged = np.arange(len(table))
    orders = [(set(names), rng.permutation(len(table))) for names in copies]
    columns = {
        name: table[name].array.take(
            np.concatenate([order if name in names else unchanged for names, order in orders])
        )
        for name in (raw if is_raw else table.columns)
    }
    changed = pd.DataFrame(columns)
    return competition.features(changed) if is_raw else changed


def _worth(unit: Sequence[str], costs: np.ndarray) -> ColumnWorth:
    name = unit[0] if len(unit) == 1 else f"{unit[0]} to {unit[-1]}"
    return ColumnWorth(
        name=name, cost=float(costs.mean()), std=float(costs.std()), n_columns=len(unit)
    )
