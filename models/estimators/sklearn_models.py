"""Estimators of scikit-learn as members or stackers, one per fold and seed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.estimators import forests
from models.estimators.fitting import fit_estimators, is_classifier
from models.estimators.fold_models import FoldFit, Inputs, Owner, TrainingSource
from models.estimators.persistence import Estimators
from models.tasks import Task

if TYPE_CHECKING:
    from models.data import FoldData
    from models.target import Target


class EstimatorSettings(BaseModel, ABC):
    """Settings of an estimator; a competition file may subclass it for an estimator of its own.

    Attributes:
        takes_missing: Whether the estimator takes NaN for a missing number.
        rough_row_s: Seconds of a row in a fit, within a factor of ten: tells cheap estimators from
            dear ones before anything is measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    rough_row_s: ClassVar[float] = 1e-3
    takes_missing: ClassVar[bool] = False

    @abstractmethod
    def build(self, seed: int) -> Any:
        """An unfitted estimator of scikit-learn: a classifier, or a regressor for values."""

    def build_for(self, task: Task, seed: int) -> Any:  # noqa: ARG002
        """The same for settings that serve both: the one that suits the task."""
        return self.build(seed)

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
        target: Target,
        *,
        seeds: Sequence[int],
    ) -> FoldFit:
        """Fit an estimator for each fold and seed; the arguments are those of `fit_estimators`.

        Raises:
            EstimatorError: The number of test tables is not that of the folds, `x_num` is missing,
                or the estimator does not suit the task.
        """
        fitted = fit_estimators(folds, tests, target, self, seeds=seeds)
        source = TrainingSource(folds.__getitem__, target)
        valid = [replica.valid_predictions for replica in fitted.replicas]
        models = Estimators.of(self, fitted.replicas, source)
        return FoldFit(valid, fitted.test_predictions, models)

    def load_models(
        self, folder: Path, owners: Sequence[Owner], source: TrainingSource
    ) -> Estimators:
        """The estimators whose files are in the folder; the others are trained when needed."""
        return Estimators.read(folder, self, owners, source)


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

    def build_for(self, task: Task, seed: int) -> Any:
        """A forest of classes or of values."""
        if task.predicts_probabilities:
            return self.build(seed)
        from sklearn.ensemble import ExtraTreesRegressor

        return ExtraTreesRegressor(**self.model_dump(), n_jobs=-1, random_state=seed)

    def learned(self, estimator: Any) -> dict[str, np.ndarray]:
        """The trees, in a tenth of their size; a forest of values is trained again."""
        return forests.to_arrays(estimator) if is_classifier(estimator) else {}

    def rebuild(self, seed: int, learned: Mapping[str, np.ndarray]) -> Any:
        """The forest that `learned` describes."""
        return forests.rebuild(self.build(seed), learned)


class NeighboursSettings(EstimatorSettings):
    """The shares of the classes among the nearest training rows, or their mean value."""

    n_neighbors: int = Field(64, ge=1, description="nearest training rows that vote")
    weights: str = Field(
        "distance", pattern="^(uniform|distance)$", description="whether nearer rows count more"
    )

    def build(self, seed: int) -> Any:  # noqa: ARG002
        """A search on all cores; nothing in it is random."""
        from sklearn.neighbors import KNeighborsClassifier

        return KNeighborsClassifier(**self.model_dump(), algorithm="brute", n_jobs=-1)

    def build_for(self, task: Task, seed: int) -> Any:
        """The shares of their classes, or the mean of their values."""
        if task.predicts_probabilities:
            return self.build(seed)
        from sklearn.neighbors import KNeighborsRegressor

        return KNeighborsRegressor(**self.model_dump(), algorithm="brute", n_jobs=-1)


class LogisticSettings(EstimatorSettings):
    """Multinomial logistic regression with an L2 penalty."""

    rough_row_s: ClassVar[float] = 1e-4

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


class _LinearRegressor(EstimatorSettings):
    """What linear models of a value store."""

    rough_row_s: ClassVar[float] = 1e-5

    def learned(self, estimator: Any) -> dict[str, np.ndarray]:
        """The coefficients and the intercept."""
        names = ("coef_", "intercept_", "n_features_in_")
        return {name: np.asarray(getattr(estimator, name)) for name in names}


class RidgeSettings(_LinearRegressor):
    """Linear regression with an L2 penalty."""

    alpha: float = Field(1.0, ge=0, description="strength of the penalty")

    def build(self, seed: int) -> Any:  # noqa: ARG002
        """Solved in closed form; nothing in it is random."""
        from sklearn.linear_model import Ridge

        return Ridge(alpha=self.alpha)


class ElasticNetSettings(_LinearRegressor):
    """Linear regression with an L1 and an L2 penalty."""

    alpha: float = Field(1.0, gt=0, description="strength of both penalties")
    l1_ratio: float = Field(0.5, ge=0, le=1, description="the share of L1; 1 is the lasso")
    max_iter: int = Field(5000, ge=1, description="steps of the solver, at most")

    def build(self, seed: int) -> Any:  # noqa: ARG002
        """Solved by coordinate descent; nothing in it is random."""
        from sklearn.linear_model import ElasticNet

        return ElasticNet(**self.model_dump())


class HistGradientBoostingSettings(EstimatorSettings):
    """scikit-learn's gradient boosting on histograms; trained again where it is needed."""

    takes_missing: ClassVar[bool] = True

    max_iter: int = Field(100, ge=1, description="boosting rounds")
    learning_rate: float = Field(0.1, gt=0, description="shrinkage of each tree")
    max_leaf_nodes: int = Field(31, ge=2, description="leaves per tree")
    min_samples_leaf: int = Field(20, ge=1, description="training rows per leaf, at least")
    l2_regularization: float = Field(0.0, ge=0, description="L2 penalty on leaf values")

    def build(self, seed: int) -> Any:
        """Of classes."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(**self.model_dump(), random_state=seed)

    def build_for(self, task: Task, seed: int) -> Any:
        """Of classes or of values."""
        if task.predicts_probabilities:
            return self.build(seed)
        from sklearn.ensemble import HistGradientBoostingRegressor

        return HistGradientBoostingRegressor(**self.model_dump(), random_state=seed)
