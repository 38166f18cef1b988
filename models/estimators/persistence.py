"""The estimators of a member, as numbers and arrays, or trained again; nothing is unpickled.

What an estimator of a competition's own file does not tell of itself is trained again when it is
asked: the same rows and the same seed give the same estimator.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.estimators.sklearn_models import EstimatorReplica, EstimatorSettings, predict

FILE = re.compile(r"fold-(\d+)-seed-(\d+)\.npz")
Owner = tuple[int, int]


@dataclass(frozen=True)
class Estimators:
    """One estimator per fold and seed.

    Attributes:
        settings: which estimator.
        n_classes: columns of the probabilities.
        owners: for each its fold and its seed, fold-major.
        kept: by owner, what it learned, by name; nothing of those that are trained again.
        train: gives the estimator of a fold and a seed, from the rows that it was trained on.
    """

    settings: EstimatorSettings
    n_classes: int
    owners: tuple[Owner, ...]
    kept: Mapping[Owner, Mapping[str, np.ndarray]]
    train: Callable[[int, int], Any]

    @classmethod
    def of(
        cls,
        settings: EstimatorSettings,
        replicas: Sequence[EstimatorReplica],
        train: Callable[[int, int], Any],
    ) -> Estimators:
        """Those that were just trained."""
        kept = {(replica.fold, replica.seed): replica.learned for replica in replicas}
        n_classes = replicas[0].valid_probabilities.shape[1]
        known = {owner: own for owner, own in kept.items() if own}
        return cls(settings, n_classes, tuple(kept), known, train)

    def predict_mean(self, inputs_per_fold: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray:
        """The mean over all estimators, `(n, n_classes) float64`; one is in memory at a time.

        Args:
            inputs_per_fold: `x_num` of the same rows, as each fold's encoder sees them.
        """
        total: Any = 0.0
        for fold, seed in self.owners:
            x = inputs_per_fold[fold]["x_num"]
            total = total + predict(self._estimator(fold, seed), x, self.n_classes)
        mean: np.ndarray = total / len(self.owners)
        return mean

    def _estimator(self, fold: int, seed: int) -> Any:
        if (fold, seed) in self.kept:
            return self.settings.rebuild(seed, self.kept[fold, seed])
        return self.train(fold, seed)

    def files(self) -> dict[str, bytes]:
        """By file name, what each estimator learned."""
        return {f"fold-{f:03d}-seed-{s}.npz": _npz(own) for (f, s), own in self.kept.items()}

    @classmethod
    def read(
        cls,
        folder: Path,
        settings: EstimatorSettings,
        owners: Sequence[Owner],
        train: Callable[[int, int], Any],
        *,
        n_classes: int,
    ) -> Estimators:
        """Those of the owners; what has no file in the folder is trained when it is asked."""
        found = ((FILE.fullmatch(path.name), path) for path in folder.glob("*.npz"))
        kept = {(int(name[1]), int(name[2])): _arrays(path) for name, path in found if name}
        return cls(settings, n_classes, tuple(owners), kept, train)


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}
