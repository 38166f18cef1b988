"""A member's fitted estimators: stored as arrays, or trained again; nothing is unpickled.

An estimator whose settings store nothing is trained again when it is needed: the same rows and
the same seed give the same estimator.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.estimators.fold_models import Inputs, Owner, file_name, model_files

if TYPE_CHECKING:
    from models.estimators.sklearn_models import EstimatorReplica, EstimatorSettings

SUFFIX = ".npz"
BLOCK = 4096  # rows predicted at a time
Trainer = Callable[[int, int], Any]


@dataclass(frozen=True)
class Estimators:
    """One estimator per fold and seed.

    Attributes:
        settings: Which estimator.
        n_classes: Columns of the probabilities.
        owners: Fold and seed of each estimator, fold-major.
        stored: What each stored estimator learned, by owner and name.
        train: Fits the estimator of a fold and a seed again, for those that are not stored.
    """

    settings: EstimatorSettings
    n_classes: int
    owners: tuple[Owner, ...]
    stored: Mapping[Owner, Mapping[str, np.ndarray]]
    train: Trainer

    @classmethod
    def of(
        cls, settings: EstimatorSettings, replicas: Sequence[EstimatorReplica], train: Trainer
    ) -> Estimators:
        """The estimators that were just fitted."""
        learned = {(replica.fold, replica.seed): replica.learned for replica in replicas}
        n_classes = replicas[0].valid_probabilities.shape[1]
        stored = {owner: arrays for owner, arrays in learned.items() if arrays}
        return cls(settings, n_classes, tuple(learned), stored, train)

    def predict_mean(self, inputs_per_fold: Sequence[Inputs]) -> np.ndarray:
        """The mean over all estimators, `(n_rows, n_classes) float64`; one is in memory at a time.

        Args:
            inputs_per_fold: `x_num` of the same rows, as encoded by each fold's encoder.
        """
        total: Any = 0.0
        for owner in self.owners:
            x = inputs_per_fold[owner[0]]["x_num"]
            total = total + predict(self._estimator(owner), x, self.n_classes)
        mean: np.ndarray = total / len(self.owners)
        return mean

    def _estimator(self, owner: Owner) -> Any:
        fold, seed = owner
        if owner in self.stored:
            return self.settings.rebuild(seed, self.stored[owner])
        return self.train(fold, seed)

    def files(self) -> dict[str, bytes]:
        """What each stored estimator learned, by file name."""
        return {file_name(owner, SUFFIX): _to_npz(part) for owner, part in self.stored.items()}

    @classmethod
    def read(
        cls,
        folder: Path,
        settings: EstimatorSettings,
        owners: Sequence[Owner],
        train: Trainer,
        *,
        n_classes: int,
    ) -> Estimators:
        """The owners' estimators; those without a file in the folder are trained when needed."""
        # A folder without files is not copied into an MLflow model.
        paths = model_files(folder, SUFFIX) if folder.is_dir() else {}
        stored = {owner: _from_npz(path) for owner, path in paths.items()}
        return cls(settings, n_classes, tuple(owners), stored, train)


def predict(estimator: Any, x: np.ndarray, n_classes: int) -> np.ndarray:
    """Probabilities `(n_rows, n_classes)`, a block of rows on each core.

    The estimator's own threads are not used: a forest adds up its trees in the order in which they
    finish, so the last digits would change from call to call.
    """
    from joblib import cpu_count

    probabilities = np.zeros((len(x), n_classes))
    if hasattr(estimator, "n_jobs"):
        estimator.set_params(n_jobs=1)

    def fill(start: int) -> None:
        rows = slice(start, start + BLOCK)
        probabilities[rows, estimator.classes_] = estimator.predict_proba(x[rows])

    with ThreadPoolExecutor(int(cpu_count()), thread_name_prefix="estimator") as pool:
        list(pool.map(fill, range(0, len(x), BLOCK)))
    return probabilities


def _to_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _from_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}
