"""A member's fitted estimators: stored as arrays, or trained again; nothing is unpickled.

An estimator whose settings store nothing is trained again when it is needed: the same rows and
the same seed give the same estimator.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models import npz
from models.estimators.fitting import EstimatorReplica, fit_one, predict
from models.estimators.fold_models import (
    Inputs,
    Owner,
    TrainingSource,
    file_name,
    model_files,
)
from models.target import Scales, read_scales, scale_files, unscale

if TYPE_CHECKING:
    from models.estimators.sklearn_models import EstimatorSettings

SUFFIX = ".npz"


@dataclass(frozen=True)
class Estimators:
    """The estimators of each fold and seed, one for each target.

    Attributes:
        settings: Which estimator.
        owners: Fold and seed of each, fold-major.
        stored: What each stored estimator learned, by owner, target and name.
        source: Trains the estimators of a fold and a seed again that are not stored.
        scales: Each fold's scale of each target, on which they learned it.
    """

    settings: EstimatorSettings
    owners: tuple[Owner, ...]
    stored: Mapping[Owner, Sequence[Mapping[str, np.ndarray]]]
    source: TrainingSource
    scales: Scales = ()

    @classmethod
    def of(
        cls,
        settings: EstimatorSettings,
        replicas: Sequence[EstimatorReplica],
        source: TrainingSource,
    ) -> Estimators:
        """The estimators that were just fitted."""
        learned = {(replica.fold, replica.seed): replica.learned for replica in replicas}
        stored = {owner: parts for owner, parts in learned.items() if all(parts)}
        return cls(settings, tuple(learned), stored, source, source.target.scales)

    def predict_mean(self, inputs_per_fold: Sequence[Inputs]) -> np.ndarray:
        """The mean over all, `(n_rows, n_columns) float64`; those of one are in memory at a time.

        Args:
            inputs_per_fold: `x_num` of the same rows, as encoded by each fold's encoder.
        """
        total: Any = 0.0
        for owner in self.owners:
            x = inputs_per_fold[owner[0]]["x_num"]
            learned = predict(self._estimators(owner), x, self.source.target.task)
            total = total + unscale(learned, self.scales, owner[0])
        mean: np.ndarray = total / len(self.owners)
        return mean

    def _estimators(self, owner: Owner) -> list[Any]:
        fold, seed = owner
        if owner in self.stored:
            return [self.settings.rebuild(seed, learned) for learned in self.stored[owner]]
        source = self.source
        return fit_one(self.settings, seed, source.fold_data(fold), source.target, fold)

    def files(self) -> dict[str, bytes]:
        """What each stored estimator learned, by file name, and the scales."""
        parts = {
            file_name(owner, SUFFIX, column): _to_npz(learned)
            for owner, of_targets in self.stored.items()
            for column, learned in enumerate(of_targets)
        }
        return parts | scale_files(self.scales)

    @classmethod
    def read(
        cls,
        folder: Path,
        settings: EstimatorSettings,
        owners: Sequence[Owner],
        source: TrainingSource,
    ) -> Estimators:
        """The owners' estimators; those without a file in the folder are trained when needed."""
        # A folder without files is not copied into an MLflow model.
        paths = model_files(folder, SUFFIX) if folder.is_dir() else {}
        stored = {owner: [_from_npz(path) for path in of_one] for owner, of_one in paths.items()}
        scales = read_scales(folder)
        source = replace(source, target=replace(source.target, scales=scales))
        return cls(settings, tuple(owners), stored, source, scales)


def _to_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    npz.save(buffer, arrays, is_compressed=True)
    return buffer.getvalue()


def _from_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}
