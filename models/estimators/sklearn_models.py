"""Estimators of scikit-learn as members or stackers, one per fold and seed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.estimators import forests
from models.estimators.fold_models import FoldFit, Inputs, Owner, TrainingSource
from models.estimators.persistence import Estimators, Trainer, predict

if TYPE_CHECKING:
    from models.data import FoldData


class EstimatorSettings(BaseModel, ABC):
    """Settings of an estimator; a competition file may subclass it for an estimator of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @abstractmethod
    def build(self, seed: int) -> Any:
        """An unfitted scikit-learn classifier."""

    def learned(self, estimator: Any) -> dict[str, np.ndarray]:  # noqa: ARG002
        """Everything a fitted estimator needs to predict, by name.

        Empty for an estimator that is trained again from the same rows rather than stored.
        """
        return {}

    def rebuild(self, seed: int, learned: Mapping[str, np.ndarray]) -> Any:
        """The estimator that `learned` describes; each array or number becomes an attribute."""
        estimator = self.build(seed)
        for name, value in learned.items():
            setattr(estimator, name, value if value.ndim else value.item())
        return estimator

    def fit_folds(
        self,
        folds: Sequence[FoldData],
        tests: Sequence[Inputs],
        target: np.ndarray,
        *,
        n_classes: int,
        seeds: Sequence[int],
    ) -> FoldFit:
        """Fit an estimator for each fold and seed; the arguments are those of `fit_estimators`.

        Raises:
            EstimatorError: The number of test tables is not that of the folds, or `x_num` is
                missing.
        """
        fitted = fit_estimators(folds, tests, target, self, n_classes=n_classes, seeds=seeds)
        train = self._trainer(TrainingSource(folds.__getitem__, target, n_classes))
        valid = [replica.valid_probabilities for replica in fitted.replicas]
        models = Estimators.of(self, fitted.replicas, train)
        return FoldFit(valid, fitted.test_probabilities, models)

    def load_models(
        self, folder: Path, owners: Sequence[Owner], source: TrainingSource
    ) -> Estimators:
        """The estimators whose files are in the folder; the others are trained when needed."""
        train = self._trainer(source)
        return Estimators.read(folder, self, owners, train, n_classes=source.n_classes)

    def _trainer(self, source: TrainingSource) -> Trainer:
        return lambda fold, seed: fit_one(self, seed, source.fold_data(fold), source.target)


class ExtraTreesSettings(EstimatorSettings):
    """Many deep trees with random thresholds.

    Source: Geurts, Ernst and Wehenkel, "Extremely randomized trees", Machine Learning, 2006.
    """

    n_estimators: int = Field(200, ge=1, description="trees")
    max_features: float = Field(0.3, gt=0, le=1, description="share of columns tried per split")
    min_samples_leaf: int = Field(1, ge=1, description="training rows per leaf, at least")

    def build(self, seed: int) -> Any:
        """A forest that grows its trees on all cores."""
        from sklearn.ensemble import ExtraTreesClassifier

        return ExtraTreesClassifier(**self.model_dump(), n_jobs=-1, random_state=seed)

    def learned(self, estimator: Any) -> dict[str, np.ndarray]:
        """The trees, in a tenth of their size."""
        return forests.to_arrays(estimator)

    def rebuild(self, seed: int, learned: Mapping[str, np.ndarray]) -> Any:
        """The forest that `learned` describes."""
        return forests.rebuild(self.build(seed), learned)


class NeighboursSettings(EstimatorSettings):
    """The shares of the classes among the nearest training rows."""

    n_neighbors: int = Field(64, ge=1, description="nearest training rows that vote")
    weights: str = Field(
        "distance", pattern="^(uniform|distance)$", description="whether nearer rows count more"
    )

    def build(self, seed: int) -> Any:  # noqa: ARG002
        """A search on all cores; nothing in it is random."""
        from sklearn.neighbors import KNeighborsClassifier

        return KNeighborsClassifier(**self.model_dump(), algorithm="brute", n_jobs=-1)


class LogisticSettings(EstimatorSettings):
    """Multinomial logistic regression with an L2 penalty."""

    C: float = Field(1.0, gt=0, description="inverse strength of the penalty")
    tol: float = Field(1e-3, gt=0, description="largest gradient at which the solver stops")
    max_iter: int = Field(1000, ge=1, description="steps of the solver, at most")

    def build(self, seed: int) -> Any:  # noqa: ARG002
        """Solved by L-BFGS; nothing in it is random."""
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(**self.model_dump())

    def learned(self, estimator: Any) -> dict[str, np.ndarray]:
        """The coefficients and the intercept of each class."""
        names = ("classes_", "coef_", "intercept_", "n_features_in_")
        return {name: np.asarray(getattr(estimator, name)) for name in names}


class EstimatorError(ValueError):
    """Inputs that an estimator cannot be trained on."""

    exit_code = 3


@dataclass(frozen=True)
class EstimatorReplica:
    """The estimator of `fold` and `seed`.

    Attributes:
        fold: Position in the folds given to `fit_estimators`.
        seed: Its random seed.
        valid_probabilities: `(n_fold_valid, n_classes) float64`, in the order of `valid_rows`.
        learned: Everything it needs to predict again, by name; empty if it is not stored.
    """

    fold: int
    seed: int
    valid_probabilities: np.ndarray
    learned: dict[str, np.ndarray]


@dataclass(frozen=True)
class EstimatorFit:
    """All estimators of a member, and their mean prediction of the test rows.

    Attributes:
        replicas: The estimators, fold-major.
        test_probabilities: `(n_test, n_classes) float64`, the mean over folds and seeds.
    """

    replicas: list[EstimatorReplica]
    test_probabilities: np.ndarray


def fit_estimators(
    folds: Sequence[FoldData],
    tests: Sequence[Inputs],
    target: np.ndarray,
    settings: EstimatorSettings,
    *,
    n_classes: int,
    seeds: Sequence[int],
    on_fold: Callable[[EstimatorReplica], None] | None = None,
) -> EstimatorFit:
    """Fit an estimator for each fold and seed, and predict held-out and test rows.

    Args:
        folds: `inputs["x_num"]` of all rows of the training file, as encoded by each fold's
            encoder.
        tests: The test rows, as encoded by each fold's encoder.
        target: `(n_rows,) int64` class index.
        settings: Which estimator, and how.
        n_classes: Columns of the probabilities; a class that a fold lacks gets zeros.
        seeds: One estimator per fold for each.
        on_fold: Called after each estimator, fold-major.

    Raises:
        EstimatorError: The number of test tables is not that of the folds, or `x_num` is missing.
    """
    _check(folds, tests)
    replicas: list[EstimatorReplica] = []
    test_sum = np.zeros((len(tests[0]["x_num"]), n_classes))
    for fold, (data, test) in enumerate(zip(folds, tests, strict=True)):
        x = data.inputs["x_num"]
        for seed in seeds:
            estimator = fit_one(settings, seed, data, target)
            valid = predict(estimator, x[data.valid_rows], n_classes)
            test_sum += predict(estimator, test["x_num"], n_classes)
            replicas.append(EstimatorReplica(fold, seed, valid, settings.learned(estimator)))
            if on_fold is not None:
                on_fold(replicas[-1])
    return EstimatorFit(replicas, test_sum / len(replicas))


def fit_one(settings: EstimatorSettings, seed: int, data: FoldData, target: np.ndarray) -> Any:
    """The estimator of one fold and one seed; the same rows give the same estimator."""
    x = data.inputs["x_num"]
    return settings.build(seed).fit(x[data.train_rows], target[data.train_rows])


def _check(folds: Sequence[FoldData], tests: Sequence[Inputs]) -> None:
    faults = []
    if not folds or len(tests) != len(folds):
        faults.append(f"found {len(folds)} folds and {len(tests)} encoded test tables")
    absent = sum("x_num" not in inputs for inputs in (*(f.inputs for f in folds), *tests))
    if absent:
        faults.append(f"{absent} encoded tables lack x_num")
    if faults:
        raise EstimatorError(
            f"estimators cannot be trained: {'; '.join(faults)}, expected one test table for each "
            "fold, and x_num in every table"
        )
