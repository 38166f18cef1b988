"""The boosters of a member as LightGBM's text: what they predict, and the files that hold them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Inputs = Mapping[str, np.ndarray]
BLOCK = 1 << 16  # rows that are predicted at a time
FILE = re.compile(r"fold-(\d+)-seed-(\d+)\.txt")


@dataclass(frozen=True)
class Boosters:
    """One booster per fold and seed.

    Attributes:
        owners: for each its fold and its seed, fold-major.
        models: for each LightGBM's text.
    """

    owners: tuple[tuple[int, int], ...]
    models: tuple[str, ...]

    def predict_mean(self, inputs_per_fold: Sequence[Inputs]) -> np.ndarray:
        """The mean over all boosters, `(n, n_classes) float64`.

        Args:
            inputs_per_fold: the same rows as each fold's encoder sees them.
        """
        import lightgbm

        total: Any = 0.0
        for (fold, _), text in zip(self.owners, self.models, strict=True):
            booster = lightgbm.Booster(model_str=text)
            total = total + predict(booster, inputs_per_fold[fold])
        mean: np.ndarray = total / len(self.owners)
        return mean

    def files(self) -> dict[str, bytes]:
        """By file name, each booster's text."""
        named = zip(self.owners, self.models, strict=True)
        return {f"fold-{f:03d}-seed-{s}.txt": text.encode() for (f, s), text in named}

    @classmethod
    def read(cls, folder: Path) -> Boosters:
        """The boosters whose files are in the folder."""
        found = ((FILE.fullmatch(path.name), path) for path in folder.iterdir())
        owned = {(int(name[1]), int(name[2])): path for name, path in found if name}
        owners = tuple(sorted(owned))
        return cls(owners, tuple(owned[owner].read_text() for owner in owners))


def predict(booster: Any, inputs: Inputs, *, n_trees: int = -1, n_threads: int = 0) -> np.ndarray:
    """What one booster says of rows, `(n, n_classes) float64`; two columns for one log-odds.

    Args:
        booster: a `lightgbm.Booster`.
        inputs: `x_num` and right of it `x_cat`; what is on disk is read a block at a time.
        n_trees: boosting rounds that count; -1 is all.
        n_threads: 0 is one per core.
    """
    own = {key: inputs[key] for key in ("x_num", "x_cat") if key in inputs}
    n_rows = len(next(iter(own.values())))
    parts = []
    for start in range(0, max(n_rows, 1), BLOCK):
        rows = slice(start, start + BLOCK)
        block = matrix({key: array[rows] for key, array in own.items()})
        parts.append(booster.predict(block, num_iteration=n_trees, num_threads=n_threads))
    raw = np.concatenate(parts)
    return np.column_stack([1 - raw, raw]) if raw.ndim == 1 else raw


def matrix(inputs: Inputs, rows: np.ndarray | None = None) -> np.ndarray:
    """`x_num` and `x_cat` side by side: `(n_rows, d_num + d_cat) float32`.

    float32 holds every category number below 2**24.
    """
    parts = [inputs[key] for key in ("x_num", "x_cat") if key in inputs]
    chosen = parts if rows is None else [part[rows] for part in parts]
    joined = (
        chosen[0] if len(chosen) == 1 else np.hstack(chosen, dtype=np.float32, casting="unsafe")
    )
    return np.ascontiguousarray(joined, dtype=np.float32)
