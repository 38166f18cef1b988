"""Which columns matter: what a member loses on held-out rows when a column is shuffled.

A column of the file is shuffled before the features are computed, so that what is derived from it
goes with it. The encoders are fitted again on each fold's training rows, as the models knew them.

Source: Breiman, "Random Forests", Machine Learning 45, 2001; on rows that were held out, since
importances on training rows also count what was learned by heart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.metrics import METRICS
from pipelines.configuration.competition import Competition
from pipelines.report.evidence import ColumnWorth, Importance
from pipelines.report.fold_models import Panel, panel
from pipelines.stages.ensemble import Blend
from pipelines.stages.preprocess import Prepared
from pipelines.workspace.stage_cache import seconds_of

MAX_FOLDS, MAX_ROWS = 10, 1_000  # folds asked, held-out rows of all of them together
MAX_PREDICTED = 60_000  # rows predicted altogether
ROWS_TOGETHER = 20_000  # rows predicted by one call
MAX_UNITS = 60  # columns, or blocks of neighbouring ones, that are shuffled
N_SHUFFLES, N_KEPT = 5, 15
SLOW_S = 2.0  # an encoder that takes longer for a fold is fitted on one fold only
SEED = 0

Predict = Callable[[pd.DataFrame], np.ndarray]


@dataclass(frozen=True)
class _Fold:
    """Held-out rows of one fold, and what its models say of such rows: `(n, n_classes)`."""

    table: pd.DataFrame
    target: np.ndarray
    predict: Predict


def importance(
    competition: Competition, prepared: Prepared, blend: Blend, folder: Path
) -> Importance | None:
    """Shuffle every column that the members see; None where none of them can be asked."""
    asked_of = panel(competition, prepared, blend, folder / "stages")
    if asked_of is None:
        return None
    units = _units(_raw(competition, prepared))
    n_shuffles = max(1, min(N_SHUFFLES, MAX_PREDICTED // (MAX_ROWS * len(units))))
    asked = [
        _ask(fold, competition, units, n_shuffles) for fold in _folds(asked_of, prepared, folder)
    ]
    target = np.concatenate([fold_target for fold_target, _ in asked])
    said = np.concatenate([probabilities for _, probabilities in asked], axis=1)
    score, sign = METRICS[competition.metric].function, 1 if competition.greater_is_better else -1
    scores = np.array([score(target, copy) for copy in said])
    costs = sign * (scores[0] - scores[1:]).reshape(len(units), n_shuffles)
    worths = [_worth(unit, cost) for unit, cost in zip(units, costs, strict=True)]
    return Importance(
        member=asked_of.name,
        score=float(scores[0]),
        n_rows=len(target),
        n_folds=len(asked),
        n_shuffles=n_shuffles,
        columns=tuple(sorted(worths, key=lambda worth: -worth.cost)[:N_KEPT]),
    )


def _raw(competition: Competition, prepared: Prepared) -> list[str]:
    """The file's columns where the features can be computed from them again, else all columns."""
    raw = [column.name for column in competition.columns]
    return raw if set(raw) <= set(prepared.train.columns) else list(prepared.train.columns)


def _units(columns: Sequence[str]) -> list[list[str]]:
    """Columns that are shuffled together: each its own, or neighbours where there are many."""
    n_units = min(MAX_UNITS, len(columns))
    return [list(map(str, part)) for part in np.array_split(np.array(columns), n_units)]


def _folds(asked_of: Panel, prepared: Prepared, folder: Path) -> Iterator[_Fold]:
    """Some held-out rows of the first folds, with the models that never saw them."""
    stages = folder / "stages"
    names = {member.encoder.__name__ for member in asked_of.members}
    n_splits = prepared.folds.n_splits
    seconds = sum(seconds_of(stages / f"dataset-{name}") for name in names) / n_splits
    n_folds = 1 if seconds > SLOW_S else min(MAX_FOLDS, prepared.folds.n_folds)
    rng = np.random.default_rng(SEED)
    for number, split in zip(range(n_folds), prepared.folds.splits(), strict=False):
        n_rows = min(len(split.valid_rows), MAX_ROWS // n_folds)
        rows = np.sort(rng.choice(split.valid_rows, n_rows, replace=False))
        predict = asked_of.fold(prepared, split, number, stages)
        yield _Fold(prepared.train.iloc[rows], prepared.target[rows], predict)


def _ask(
    fold: _Fold, competition: Competition, units: Sequence[Sequence[str]], n_shuffles: int
) -> tuple[np.ndarray, np.ndarray]:
    """The rows' target, and what is said of them: `(1 + n_units * n_shuffles, n, n_classes)`.

    The first copy is as it is; the others have a unit's columns taken from other rows. All copies
    that fit are asked together: features and encoders see each row alone, and cost by the call.
    """
    rng, n_rows = np.random.default_rng(SEED), len(fold.target)
    copies: list[Sequence[str]] = [(), *(unit for unit in units for _ in range(n_shuffles))]
    n_together, said = max(1, ROWS_TOGETHER // n_rows), []
    for start in range(0, len(copies), n_together):
        table = _shuffled(fold.table, competition, copies[start : start + n_together], rng)
        said.append(fold.predict(table).reshape(-1, n_rows, len(competition.classes)))
    return fold.target, np.concatenate(said)


def _shuffled(
    table: pd.DataFrame,
    competition: Competition,
    copies: Sequence[Sequence[str]],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Copies of the table under one another, each with some columns taken from other rows."""
    raw = [column.name for column in competition.columns]
    is_raw = set(raw) <= set(table.columns)
    own = np.arange(len(table))
    orders = [(set(names), rng.permutation(len(table))) for names in copies]
    columns = {
        name: table[name].array.take(
            np.concatenate([order if name in names else own for names, order in orders])
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
