"""Adversarial validation: can a classifier distinguish test rows from training rows?

Source: Zhang et al., "Adversarial validation approach to concept drift problem in user targeting
automation systems at Uber", 2020; in use on Kaggle long before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipelines.report.evidence import ColumnDrift, Drift

N_FOLDS = 5
MAX_ROWS, MAX_CELLS = 4_000, 400_000  # of each table, so that it takes seconds
N_TREES, N_SHOWN, N_BINS = 60, 6, 8
MAX_WORDS = 50  # a column with more distinct words is represented by their length
SEED = 0

Floats = np.ndarray


def adversarial(train: pd.DataFrame, test: pd.DataFrame, *, group: str | None = None) -> Drift:
    """Cross-validate a classifier of test against training rows, on a sample of both.

    Args:
        train: The prepared training table.
        test: The prepared test table, with the same columns.
        group: Rows that share this column stay in one fold, since they resemble each other.
    """
    some_train, some_test = _sampled(train), _sampled(test)
    both = pd.concat([some_train, some_test], ignore_index=True)
    # The group's own values differ by construction: the tables were split by them.
    numbers = as_numbers(both.drop(columns=[group], errors="ignore") if group else both)
    is_test = np.repeat([0, 1], [len(some_train), len(some_test)])
    groups = both.get(group)
    aucs, gains = _cross_validate(numbers, is_test, groups)
    share = gains / max(gains.sum(), 1e-12)
    shown = np.argsort(-share, kind="stable")[:N_SHOWN]
    return Drift(
        auc=float(np.mean(aucs)),
        std=float(np.std(aucs)),
        n_train=len(some_train),
        n_test=len(some_test),
        n_folds=len(aucs),
        columns=tuple(
            _column(numbers.columns[c], both, numbers, is_test, share=float(share[c]))
            for c in shown
        ),
    )


def _sampled(table: pd.DataFrame) -> pd.DataFrame:
    limit = max(200, min(MAX_ROWS, MAX_CELLS // max(1, table.shape[1])))
    return table if len(table) <= limit else table.sample(limit, random_state=SEED)


def as_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Each column as numbers that trees can split on, `(n_rows, n_columns) float32`.

    Words become their alphabetical rank; a column with too many distinct words becomes their
    number of characters.
    """
    columns = {str(name): _numbers(table[name]) for name in table.columns}
    return pd.DataFrame(columns, index=table.index).astype(np.float32)


def _numbers(values: pd.Series) -> pd.Series:
    if values.dtype.kind == "M":
        moments = values.astype("datetime64[us]").astype("int64").astype(np.float64)
        return (moments / 86_400e6).where(values.notna())
    if not _is_words(values):
        numbers = values.astype(np.float64)
        if not len(numbers.dropna()):
            return numbers
        # float32 holds whole numbers up to 2**24: those further out keep their differences.
        largest = numbers.abs().max()
        shift = numbers.min() if largest > 1 << 24 else 0.0
        return (numbers - shift) / (largest if largest > 1e30 else 1.0)
    words = values.astype("str").where(values.notna())
    if _is_long(words):
        return words.str.len().astype(np.float32)
    codes = pd.Series(pd.Categorical(words, categories=sorted(words.dropna().unique())).codes)
    return codes.set_axis(values.index).astype(np.float32).where(values.notna())


def _cross_validate(
    numbers: pd.DataFrame, is_test: np.ndarray, groups: pd.Series | None
) -> tuple[list[float], Floats]:
    """The AUC on each fold, and each column's gain summed over folds."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    rows = np.ascontiguousarray(numbers.to_numpy())
    codes = None if groups is None else pd.factorize(groups, use_na_sentinel=False)[0]
    n_groups = N_FOLDS if codes is None else int(codes.max()) + 1
    if n_groups < N_FOLDS:  # too few to keep them whole
        codes = None
    n_folds = int(min(N_FOLDS, *np.bincount(is_test)))
    kind = StratifiedKFold if codes is None else StratifiedGroupKFold
    aucs, gains = list[float](), np.zeros(rows.shape[1])
    if n_folds < 2:
        return [0.5], gains
    for train_rows, held_out in kind(n_folds, shuffle=True, random_state=SEED).split(
        rows, is_test, codes
    ):
        if len(np.unique(is_test[held_out])) < 2:  # possible with very unequal groups
            continue
        booster = _boost(rows[train_rows], is_test[train_rows])
        aucs.append(_auc(is_test[held_out], booster.predict(rows[held_out])))
        gains += booster.feature_importance("gain")
    return aucs or [0.5], gains


def _auc(is_test: np.ndarray, predicted: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(is_test, predicted))


def _boost(rows: Floats, is_test: np.ndarray) -> Any:
    import lightgbm

    parameters = {
        "objective": "binary",
        "learning_rate": 0.1,
        "num_leaves": 15,
        "min_data_in_leaf": 20,
        "feature_fraction": 0.8,
        "seed": SEED,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    return lightgbm.train(parameters, lightgbm.Dataset(rows, is_test), N_TREES)


def _column(
    name: str, both: pd.DataFrame, numbers: pd.DataFrame, is_test: np.ndarray, *, share: float
) -> ColumnDrift:
    values = numbers[name].to_numpy(dtype=np.float64)
    edges = _edges(values)
    place = np.where(np.isfinite(values), np.searchsorted(edges, values, side="left"), -1)
    bins = [b for b in range(-1, len(edges) + 1) if (place == b).any()]
    counts = np.array([[(place[is_test == t] == b).sum() for b in bins] for t in (0, 1)])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    alone = _auc(is_test, np.nan_to_num(values, nan=-1e30))
    return ColumnDrift(
        name=_shown_name(name, both),
        share=share,
        auc=max(alone, 1 - alone),
        bins=tuple(_label(name, b, both, values[place == b]) for b in bins),
        train=tuple(map(float, shares[0])),
        test=tuple(map(float, shares[1])),
    )


def _edges(values: Floats) -> Floats:
    """Upper edges of all bins but the last; few distinct values get a bin each."""
    distinct = np.unique(values[np.isfinite(values)])
    if len(distinct) <= N_BINS:
        return distinct[:-1]
    quantiles = np.quantile(values[np.isfinite(values)], np.linspace(0, 1, N_BINS + 1)[1:-1])
    return np.unique(quantiles)


def _shown_name(name: str, both: pd.DataFrame) -> str:
    return f"{name} (characters)" if _is_long(both[name]) else name


def _is_words(values: pd.Series) -> bool:
    return not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values))


def _is_long(values: pd.Series) -> bool:
    return _is_words(values) and values.nunique() > MAX_WORDS


def _label(name: str, place: int, both: pd.DataFrame, values: Floats) -> str:
    """What a bin holds: a word, a number, or a range."""
    if place < 0:
        return "missing"
    column, (low, high) = both[name], (values.min(), values.max())
    if _is_words(column) and not _is_long(column):
        words = sorted(column.dropna().astype("str").unique())
        chosen = words[int(low) : int(high) + 1]
        return chosen[0] if len(chosen) == 1 else f"{chosen[0]} to {chosen[-1]}"
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
