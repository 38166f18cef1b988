"""Cheap members that err in other ways: estimators of scikit-learn, one per fold and seed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.estimators import forests

if TYPE_CHECKING:
    from models.training.fit import FoldData

Inputs = Mapping[str, np.ndarray]
BLOCK = 4096  # rows that are predicted at a time


class EstimatorSettings(BaseModel, ABC):
    """Settings of an estimator; subclass it in a competition's file to bring one of your own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @abstractmethod
    def build(self, seed: int) -> Any:
        """A scikit-learn classifier that was not fitted."""

    def learned(self, estimator: Any) -> dict[str, np.ndarray]:  # noqa: ARG002
        """All that a fitted estimator needs to predict, by name.

        Nothing where it is better trained again, from the same rows, than kept.
        """
        return {}

    def rebuild(self, seed: int, learned: Mapping[str, np.ndarray]) -> Any:
        """The estimator of which `learned` told: arrays and numbers are attributes of it."""
        estimator = self.build(seed)
        for name, value in learned.items():
            setattr(estimator, name, value if value.ndim else value.item())
        return estimator


class ExtraTreesSettings(EstimatorSettings):
    """Many deep trees with random thresholds.

    Source: Geurts, Ernst and Wehenkel, "Extremely randomized trees", Machine Learning, 2006.
    """

    n_estimators: int = Field(200, ge=1, description="trees")
    max_features: float = Field(0.3, gt=0, le=1, description="share of columns tried per split")
    min_samples_leaf: int = Field(1, ge=1, description="training rows per leaf, at least")

    def build(self, seed: int) -> Any:
        """Trees that grow on all cores."""
        from sklearn.ensemble import ExtraTreesClassifier

        return ExtraTreesClassifier(**self.model_dump(), n_jobs=-1, random_state=seed)

    def learned(self, estimator: Any) -> dict[str, np.ndarray]:
        """The trees, a tenth of their size."""
        return forests.to_arrays(estimator)

    def rebuild(self, seed: int, learned: Mapping[str, np.ndarray]) -> Any:
        """The forest of which `learned` told."""
        return forests.rebuild(self.build(seed), learned)


class NeighboursSettings(EstimatorSettings):
    """Shares of the classes among the nearest training rows."""

    n_neighbors: int = Field(64, ge=1, description="training rows asked")
    weights: str = Field(
        "distance", pattern="^(uniform|distance)$", description="whether the nearer count more"
    )

    def build(self, seed: int) -> Any:  # noqa: ARG002
        """The search on all cores; nothing in it is random."""
        from sklearn.neighbors import KNeighborsClassifier

        return KNeighborsClassifier(**self.model_dump(), algorithm="brute", n_jobs=-1)


class LogisticSettings(EstimatorSettings):
    """A straight line for each class, with an L2 penalty."""

    C: float = Field(1.0, gt=0, description="inverse strength of the penalty")
    tol: float = Field(1e-3, gt=0, description="largest gradient at which the solver stops")
    max_iter: int = Field(1000, ge=1, description="steps of the solver, at most")

    def build(self, seed: int) -> Any:  # noqa: ARG002
        """Solved by L-BFGS, in which nothing is random."""
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(**self.model_dump())

    def learned(self, estimator: Any) -> dict[str, np.ndarray]:
        """The line of each class."""
        names = ("classes_", "coef_", "intercept_", "n_features_in_")
        return {name: np.asarray(getattr(estimator, name)) for name in names}


class EstimatorError(ValueError):
    """Inputs that an estimator cannot be trained on."""

    exit_code = 3


@dataclass(frozen=True)
class EstimatorReplica:
    """What the estimator of `fold` and `seed` says of the rows held out.

    Attributes:
        valid_probabilities: `(n_fold_valid, n_classes) float64`, in the order of `valid_rows`.
        learned: what it needs to predict again, by attribute; empty where it is not kept.
    """

    fold: int
    seed: int
    valid_probabilities: np.ndarray
    learned: dict[str, np.ndarray]


@dataclass(frozen=True)
class EstimatorFit:
    """All estimators of a member, fold-major, and what they say together.

    Attributes:
        test_probabilities: `(n_test, n_classes) float64`, mean over folds and seeds.
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
    """Train an estimator per fold and seed, and let it predict held-out and test rows.

    Args:
        folds: `inputs["x_num"]` of all training-file rows, as each fold's encoder sees them.
        tests: the test rows, as each fold's encoder sees them.
        target: `(n_rows,) int64` class index.
        settings: which estimator, and how.
        n_classes: columns of the probabilities; a class that a fold lacks gets zeros.
        seeds: one estimator per fold for each.
        on_fold: called after each estimator, fold-major.

    Raises:
        EstimatorError: another number of test tables than of folds, or no `x_num`.
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


def predict(estimator: Any, x: np.ndarray, n_classes: int) -> np.ndarray:
    """Probabilities `(n_rows, n_classes)`, a block of rows on each core.

    A forest's own threads add up its trees in the order in which they happen to end, and the last
    digits with it.
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


def _check(folds: Sequence[FoldData], tests: Sequence[Inputs]) -> None:
    faults = []
    if not folds or len(tests) != len(folds):
        faults.append(f"found {len(folds)} folds and {len(tests)} encoded test tables")
    absent = sum("x_num" not in inputs for inputs in (*(f.inputs for f in folds), *tests))
    if absent:
        faults.append(f"{absent} encoded tables lack x_num")
    if faults:
        raise EstimatorError(
            f"estimators cannot be trained: {'; '.join(faults)}, expected a test table for each "
            "fold, with x_num in it"
        )
