"""The mark to beat: scikit-learn's HistGradientBoosting with its defaults, on the same folds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.preprocessing import OrdinalEncoder

from foldwise import Competition
from models.ensembling.goal import Goal
from pipelines.stages.preprocess import Prepared


def mark(competition: Competition, prepared: Prepared) -> float:
    """The mean score over the folds, with the competition's decision rule.

    It sees the test file's columns: numbers as they are, texts as ordinal codes. Where the metric
    compares logarithms it learns them.
    """
    is_of_classes = competition.predicts.kind in ("binary", "multiclass")
    inputs, is_log = _inputs(competition, prepared.train), competition.metric.name == "rmsle"
    target = np.log1p(prepared.target) if is_log else prepared.target
    kind = HistGradientBoostingClassifier if is_of_classes else HistGradientBoostingRegressor
    oof = np.full((len(inputs), competition.predicts.n_columns), np.nan)
    for split in prepared.folds.splits():
        model = kind(random_state=0).fit(inputs[split.train_rows], target[split.train_rows])
        rows = inputs[split.valid_rows]
        if is_of_classes:
            oof[split.valid_rows] = 0.0
            oof[np.ix_(split.valid_rows, model.classes_)] = model.predict_proba(rows)
        else:
            values = model.predict(rows)
            oof[split.valid_rows, 0] = np.expm1(values) if is_log else values
    goal = Goal(prepared.target, competition.predicts, competition.metric, prepared.weight)
    return float(np.nanmean(goal.decide(oof, prepared.folds.assignment).scores))


def _inputs(competition: Competition, train: pd.DataFrame) -> np.ndarray:
    """The columns that the test file has, as numbers: `(n_rows, d)`, NaN where one is missing."""
    given = [c.name for c in competition.columns if not c.train_only]
    left_out = (competition.id, competition.target)
    names = [name for name in given if name in train and name not in left_out]
    return np.stack([_numbers(train[[name]]) for name in names], axis=1)


def _numbers(column: pd.DataFrame) -> np.ndarray:
    values = column.iloc[:, 0]
    if values.dtype.kind == "M":
        values = values.astype("int64")
    elif not pd.api.types.is_numeric_dtype(values):
        codes: np.ndarray = OrdinalEncoder().fit_transform(column.astype("object"))[:, 0]
        return codes
    return values.to_numpy(np.float64, na_value=np.nan)
