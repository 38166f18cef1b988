"""Fitted boosters as LightGBM's text: prediction, and the files that store them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.estimators.fold_models import Inputs, Owner, file_name, model_files

SUFFIX = ".txt"
BLOCK = 1 << 16  # rows predicted at a time


@dataclass(frozen=True)
class Boosters:
    """One booster per fold and seed.

    Attributes:
        owners: Fold and seed of each booster, fold-major.
        models: Each booster as LightGBM's text.
    """

    owners: tuple[Owner, ...]
    models: tuple[str, ...]

    def predict_mean(self, inputs_per_fold: Sequence[Inputs]) -> np.ndarray:
        """The mean over all boosters, `(n_rows, n_classes) float64`.

        Args:
            inputs_per_fold: The same rows, as encoded by each fold's encoder.
        """
        import lightgbm

        total: Any = 0.0
        for (fold, _), text in zip(self.owners, self.models, strict=True):
            booster = lightgbm.Booster(model_str=text)
            total = total + predict(booster, inputs_per_fold[fold])
        mean: np.ndarray = total / len(self.owners)
        return mean

    def files(self) -> dict[str, bytes]:
        """Each booster's text, by file name."""
        named = zip(self.owners, self.models, strict=True)
        return {file_name(owner, SUFFIX): text.encode() for owner, text in named}

    @classmethod
    def read(cls, folder: Path) -> Boosters:
        """The boosters whose files are in the folder."""
        paths = model_files(folder, SUFFIX)
        return cls(tuple(paths), tuple(path.read_text() for path in paths.values()))


def predict(booster: Any, inputs: Inputs, *, n_trees: int = -1, n_threads: int = 0) -> np.ndarray:
    """One booster's probabilities, `(n_rows, n_classes) float64`; two columns for one log-odds.

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
    return np.column_stack([1 - raw, raw]) if raw.ndim == 1 else raw


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
