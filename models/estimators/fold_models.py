"""What models that are fitted in every fold have in common, whatever their kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from models.target import Target

if TYPE_CHECKING:
    from models.data import FoldData

Inputs = Mapping[str, np.ndarray]
Owner = tuple[int, int]  # fold and seed
ABSENT = 1e-3  # the probability of a class of which a model saw no row


class FoldModels(Protocol):
    """Fitted models, one for each fold and seed."""

    def predict_mean(self, inputs_per_fold: Sequence[Inputs]) -> np.ndarray:
        """The mean over all models, `(n_rows, n_columns) float64`.

        Args:
            inputs_per_fold: The same rows, as encoded by each fold's encoder.
        """
        ...

    def files(self) -> dict[str, bytes]:
        """The content of each model's file, by file name; nothing for models without a file."""
        ...


@dataclass(frozen=True)
class FoldFit:
    """Models fitted in every fold, and their predictions.

    Attributes:
        valid_predictions: `(n_fold_valid, n_columns)` of each model, fold-major.
        test_predictions: `(n_test, n_columns) float64`, the mean over models.
        models: The fitted models.
    """

    valid_predictions: Sequence[np.ndarray]
    test_predictions: np.ndarray
    models: FoldModels


@dataclass(frozen=True)
class TrainingSource:
    """The rows that models without a file are trained on again.

    Attributes:
        fold_data: Returns the rows of a fold; called when the first model of the fold is needed.
        target: What they learn.
    """

    fold_data: Callable[[int], FoldData]
    target: Target


class FoldModelSettings(Protocol):
    """Settings of one kind of model, which also fit and load models of that kind."""

    def fit_folds(
        self,
        folds: Sequence[FoldData],
        tests: Sequence[Inputs],
        target: Target,
        *,
        seeds: Sequence[int],
    ) -> FoldFit:
        """Fit a model for each fold and seed, and predict held-out and test rows.

        Args:
            folds: The encoded rows of the training file, as each fold's encoder encodes them.
            tests: The test rows, as each fold's encoder encodes them.
            target: What the models learn.
            seeds: One model per fold for each.
        """
        ...

    def load_models(
        self, folder: Path, owners: Sequence[Owner], source: TrainingSource
    ) -> FoldModels:
        """The models whose `files()` were written into a folder.

        Args:
            folder: Holds the files.
            owners: Fold and seed of every model, fold-major.
            source: Trains those models again that have no file.
        """
        ...


def file_name(owner: Owner, suffix: str, column: int = 0) -> str:
    """The name of a model's file: `fold-002-seed-0.txt`, of a further target `...-target-1.txt`."""
    fold, seed = owner
    target = f"-target-{column}" if column else ""
    return f"fold-{fold:03d}-seed-{seed}{target}{suffix}"


def model_files(folder: Path, suffix: str) -> dict[Owner, list[Path]]:
    """The files in the folder that `file_name` named, by fold and seed, each by target."""
    pattern = re.compile(rf"fold-(\d+)-seed-(\d+)(?:-target-(\d+))?{re.escape(suffix)}")
    matches = ((pattern.fullmatch(path.name), path) for path in folder.iterdir())
    found = sorted((int(m[1]), int(m[2]), int(m[3] or 0), path) for m, path in matches if m)
    files: dict[Owner, list[Path]] = {}
    for fold, seed, _, path in found:
        files.setdefault((fold, seed), []).append(path)
    return files


def with_absent(probabilities: np.ndarray, absent: Sequence[int]) -> np.ndarray:
    """Probabilities `(n_rows, n_classes)`; classes that the training rows lacked get a little.

    Their logarithm would be as good as infinite: one such row would decide a log-loss.
    """
    if not len(absent):
        return probabilities
    found = probabilities.copy()
    found[:, absent] = ABSENT
    shares: np.ndarray = found / found.sum(axis=1, keepdims=True)
    return shares
