"""Fitted boosters as LightGBM's text: prediction, and the files that store them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.estimators.fold_models import Inputs, Owner, file_name, model_files, with_absent
from models.target import Scales, read_scales, scale_files, unscale

SUFFIX = ".txt"
BLOCK = 1 << 16  # rows predicted at a time
ALMOST_NOTHING = 30.0  # LightGBM counts 1e-15 rows of an absent class: log-odds of 34.5


@dataclass(frozen=True)
class Boosters:
    """One booster per fold, seed and target.

    Attributes:
        owners: Fold and seed of each model, fold-major.
        models: The boosters of each, one for each target, as LightGBM's text.
        scales: Each fold's scale of each target, on which the boosters learned it.
    """

    owners: tuple[Owner, ...]
    models: tuple[tuple[str, ...], ...]
    scales: Scales = ()

    def predict_mean(self, inputs_per_fold: Sequence[Inputs]) -> np.ndarray:
        """The mean over all models, `(n_rows, n_columns) float64`.

        Args:
            inputs_per_fold: The same rows, as encoded by each fold's encoder.
        """
        import lightgbm

        total: Any = 0.0
        for (fold, _), texts in zip(self.owners, self.models, strict=True):
            boosters = [lightgbm.Booster(model_str=text) for text in texts]
            learned = predict_columns(boosters, inputs_per_fold[fold])
            total = total + unscale(learned, self.scales, fold)
        mean: np.ndarray = total / len(self.owners)
        return mean

    def files(self) -> dict[str, bytes]:
        """Each booster's text, by file name, and the scales."""
        named = zip(self.owners, self.models, strict=True)
        texts = {
            file_name(owner, SUFFIX, column): text.encode()
            for owner, of_targets in named
            for column, text in enumerate(of_targets)
        }
        return texts | scale_files(self.scales)

    @classmethod
    def read(cls, folder: Path) -> Boosters:
        """The boosters whose files are in the folder."""
        paths = model_files(folder, SUFFIX)
        models = tuple(tuple(path.read_text() for path in of_one) for of_one in paths.values())
        return cls(tuple(paths), models, read_scales(folder))


def predict_columns(
    boosters: Sequence[Any], inputs: Inputs, *, n_trees: Sequence[int] = (), n_threads: int = 0
) -> np.ndarray:
    """The predictions of one model, `(n_rows, n_columns) float64`.

    Args:
        boosters: One `lightgbm.Booster` for each target.
        inputs: `x_num` and, right of it, `x_cat`.
        n_trees: Boosting rounds to use of each; all if empty.
        n_threads: 0 is one per core.
    """
    rounds = n_trees or [-1] * len(boosters)
    parts = [
        predict(booster, inputs, n_trees=n, n_threads=n_threads)
        for booster, n in zip(boosters, rounds, strict=True)
    ]
    if len(parts) == 1:
        return parts[0]
    return np.column_stack([part[:, -1] for part in parts])


def predict(booster: Any, inputs: Inputs, *, n_trees: int = -1, n_threads: int = 0) -> np.ndarray:
    """One booster's predictions, `(n_rows, n_columns) float64`.

    A probability for each class, of one log-odds two columns; a value as one column.

    Args:
        booster: A `lightgbm.Booster`.
        inputs: `x_num` and, right of it, `x_cat`; memory-mapped arrays are read block by block.
        n_trees: Boosting rounds to use; -1 is all.
        n_threads: 0 is one per core.
    """
    used = {key: inputs[key] for key in ("x_num", "x_cat") if key in inputs}
    n_rows = len(next(iter(used.values())))
    parts = []
    for start in range(0, max(n_rows, 1), BLOCK):
        rows = slice(start, start + BLOCK)
        block = matrix({key: array[rows] for key, array in used.items()})
        parts.append(booster.predict(block, num_iteration=n_trees, num_threads=n_threads))
    raw = np.concatenate(parts)
    first = booster.dump_model(num_iteration=1)
    if not first["objective"].startswith(("binary", "multiclass")):
        return raw if raw.ndim > 1 else raw[:, None]
    probabilities = raw if raw.ndim > 1 else np.column_stack([1 - raw, raw])
    return with_absent(probabilities, _absent_classes(first["tree_info"]))


def _absent_classes(first_trees: Sequence[Any]) -> list[int]:
    """Classes without a training row: their first tree is the log-odds of almost nothing."""
    log_odds = [tree["tree_structure"].get("leaf_value", 0.0) for tree in first_trees]
    if len(log_odds) == 1:
        return [int(log_odds[0] < 0)] if abs(log_odds[0]) > ALMOST_NOTHING else []
    return [label for label, value in enumerate(log_odds) if value < -ALMOST_NOTHING]


def matrix(inputs: Inputs, rows: np.ndarray | None = None) -> np.ndarray:
    """`x_num` and `x_cat` side by side: `(n_rows, d_num + d_cat) float32`.

    float32 is exact for category codes below 2**24.
    """
    parts = [inputs[key] for key in ("x_num", "x_cat") if key in inputs]
    chosen = parts if rows is None else [part[rows] for part in parts]
    joined = (
        chosen[0] if len(chosen) == 1 else np.hstack(chosen, dtype=np.float32, casting="unsafe")
    )
    return np.ascontiguousarray(joined, dtype=np.float32)
