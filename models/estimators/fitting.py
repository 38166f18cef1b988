"""Fitting of scikit-learn's estimators: one per fold, seed and target, whatever the task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.checkpoints import Snapshot
from models.estimators.fold_models import Inputs, Owner, with_absent
from models.estimators.unit_fits import Units, fit_units, needs_of, seconds_of
from models.executor import HERE, Call, Place
from models.target import Target
from models.tasks import Task

if TYPE_CHECKING:
    from models.data import FoldData
    from models.estimators.sklearn_models import EstimatorSettings

BLOCK = 4096  # rows predicted at a time
OTHER_TREES = 100  # what an estimator that is no forest is taken to cost


class EstimatorError(ValueError):
    """Inputs or a task that an estimator cannot be trained on."""

    exit_code = 3


@dataclass(frozen=True)
class EstimatorReplica:
    """The estimators of `fold` and `seed`.

    Attributes:
        fold: Position in the folds given to `fit_estimators`.
        seed: Its random seed.
        valid_predictions: `(n_fold_valid, n_columns) float64`, in the order of `valid_rows`.
        learned: For each target, everything that its estimator needs to predict again, by name;
            empty if it is not stored.
    """

    fold: int
    seed: int
    valid_predictions: np.ndarray
    learned: tuple[dict[str, np.ndarray], ...]

    def snapshot(self, test: np.ndarray) -> Snapshot:
        """Everything of the estimators and their test predictions `(n_test, n_columns)`."""
        arrays = {
            f"learned-{column}.{name}": array
            for column, of_target in enumerate(self.learned)
            for name, array in of_target.items()
        }
        described = {"learned": [list(of_target) for of_target in self.learned]}
        return Snapshot(described, {"valid": self.valid_predictions, "test": test, **arrays})

    @classmethod
    def of(cls, fold: int, seed: int, kept: Snapshot) -> EstimatorReplica:
        """What `snapshot` was made of."""
        learned = tuple(
            {name: kept.arrays[f"learned-{column}.{name}"] for name in names}
            for column, names in enumerate(kept.described["learned"])
        )
        return cls(fold, seed, kept.arrays["valid"], learned)


@dataclass(frozen=True)
class EstimatorFit:
    """All estimators of a member, and their mean prediction of the test rows.

    Attributes:
        replicas: The estimators, fold-major.
        test_predictions: `(n_test, n_columns) float64`, the mean over folds and seeds.
    """

    replicas: list[EstimatorReplica]
    test_predictions: np.ndarray


def fit_estimators(
    folds: Sequence[FoldData],
    tests: Sequence[Inputs],
    target: Target,
    settings: EstimatorSettings,
    *,
    seeds: Sequence[int],
    on_fold: Callable[[EstimatorReplica], None] | None = None,
    place: Place = HERE,
) -> EstimatorFit:
    """Fit an estimator for each fold, seed and target, and predict held-out and test rows.

    Args:
        folds: `inputs["x_num"]` of all rows of the training file, as encoded by each fold's
            encoder.
        tests: The test rows, as encoded by each fold's encoder.
        target: What the estimators learn; a class that a fold lacks gets a probability near 0.
        settings: Which estimator, and how.
        seeds: One estimator per fold for each.
        on_fold: Called after each estimator, fold-major.
        place: Where each estimator is fitted, and kept as it ends.

    Raises:
        EstimatorError: The number of test tables is not that of the folds, `x_num` is missing, or
            the estimator does not suit the task.
    """
    _check(folds, tests)
    replicas: list[EstimatorReplica] = []
    test_sum = np.zeros((len(tests[0]["x_num"]), target.task.n_columns))
    owners = [(fold, seed) for fold in range(len(folds)) for seed in seeds]
    shared = _Shared(folds, tests, target, settings)
    cost = seconds_of(folds, getattr(settings, "n_estimators", OTHER_TREES))
    units = Units(_fitted, shared, owners, needs_of(folds, tests), cost)
    with closing(fit_units(units, place)) as models:
        for (fold, seed), found in zip(owners, models, strict=True):
            test_sum += found.arrays["test"]
            replicas.append(EstimatorReplica.of(fold, seed, found))
            if on_fold is not None:
                on_fold(replicas[-1])
    return EstimatorFit(replicas, test_sum / len(replicas))


@dataclass(frozen=True)
class _Shared:
    """What all estimators share."""

    folds: Sequence[FoldData]
    tests: Sequence[Inputs]
    target: Target
    settings: EstimatorSettings


def _fitted(shared: _Shared, owner: Owner, call: Call) -> Snapshot:  # noqa: ARG001
    """The estimators of one fold and one seed, and their predictions."""
    (fold, seed), target, settings = owner, shared.target, shared.settings
    data = shared.folds[fold]
    fitted = fit_one(settings, seed, data, target, fold)
    held_out = data.inputs["x_num"][data.valid_rows]
    valid = target.unscaled(predict(fitted, held_out, target.task), fold)
    test_rows = target.unscaled(predict(fitted, shared.tests[fold]["x_num"], target.task), fold)
    learned = tuple(_learned(settings, estimator) for estimator in fitted)
    return EstimatorReplica(fold, seed, valid, learned).snapshot(test_rows)


def fit_one(
    settings: EstimatorSettings, seed: int, data: FoldData, target: Target, fold: int
) -> list[Any]:
    """The estimators of one fold and one seed, one for each target.

    The same rows give the same estimators.
    """
    x = data.inputs["x_num"]
    rows = x[data.train_rows]
    weight = None if target.weight is None else target.weight[data.train_rows]
    fitted = []
    for column in range(target.n_models):
        learned = target.learned(fold, column)[data.train_rows]
        estimator = settings.build_for(target.task, seed)
        _check_kind(estimator, settings, target.task)
        if is_classifier(estimator) and len(np.unique(learned)) == 1:
            from sklearn.dummy import DummyClassifier

            estimator = DummyClassifier()  # most classifiers refuse a single class
        weights = {} if weight is None else _weights(estimator, weight, settings)
        fitted.append(estimator.fit(rows, learned, **weights))
    return fitted


def predict(estimators: Sequence[Any], x: np.ndarray, task: Task) -> np.ndarray:
    """The predictions of one model, `(n_rows, n_columns)`, as it learned them.

    Args:
        estimators: One for each target.
        x: `(n_rows, d)`.
        task: What they predict.
    """
    if task.chooses_class:
        return _probabilities(estimators[0], x, task.n_classes)
    columns = []
    for estimator in estimators:
        if not is_classifier(estimator):
            columns.append(_in_blocks(estimator, x, 1, _values)[:, 0])
        elif task.kind == "ordinal":
            shares = _probabilities(estimator, x, task.n_classes)
            columns.append(shares @ np.arange(task.n_classes))
        else:
            columns.append(_probabilities(estimator, x, 2)[:, 1])
    return np.column_stack(columns)


def is_classifier(estimator: Any) -> bool:
    """Whether it predicts classes."""
    import sklearn.base

    return bool(sklearn.base.is_classifier(estimator))


def _probabilities(estimator: Any, x: np.ndarray, n_classes: int) -> np.ndarray:
    """Probabilities `(n_rows, n_classes)`; classes that the training rows lacked get a little."""
    found = _in_blocks(estimator, x, n_classes, _shares)
    return with_absent(found, np.setdiff1d(np.arange(n_classes), estimator.classes_).tolist())


def _shares(estimator: Any, x: np.ndarray) -> tuple[Any, np.ndarray]:
    return estimator.classes_, estimator.predict_proba(x)


def _values(estimator: Any, x: np.ndarray) -> tuple[Any, np.ndarray]:
    return [0], np.asarray(estimator.predict(x)).reshape(-1, 1)


def _in_blocks(
    estimator: Any,
    x: np.ndarray,
    n_columns: int,
    ask: Callable[[Any, np.ndarray], tuple[Any, np.ndarray]],
) -> np.ndarray:
    """Predictions `(n_rows, n_columns)`, a block of rows on each core.

    The estimator's own threads are not used: a forest adds up its trees in the order in which they
    finish, so the last digits would change from call to call.
    """
    from joblib import cpu_count

    predictions = np.zeros((len(x), n_columns))
    if hasattr(estimator, "n_jobs"):
        estimator.set_params(n_jobs=1)

    def fill(start: int) -> None:
        rows = slice(start, start + BLOCK)
        columns, values = ask(estimator, x[rows])
        predictions[rows, columns] = values

    with ThreadPoolExecutor(int(cpu_count()), thread_name_prefix="estimator") as pool:
        list(pool.map(fill, range(0, len(x), BLOCK)))
    return predictions


def _learned(settings: EstimatorSettings, estimator: Any) -> dict[str, np.ndarray]:
    """What to store of an estimator; nothing of the constant that stands in for one."""
    is_constant = type(estimator).__name__ == "DummyClassifier"
    return {} if is_constant else settings.learned(estimator)


def _check_kind(estimator: Any, settings: EstimatorSettings, task: Task) -> None:
    predicts_classes, name = is_classifier(estimator), type(settings).__name__
    if task.kind == "regression" and predicts_classes:
        raise EstimatorError(
            f"{name} predicts classes, but the target is a number; use RidgeSettings, "
            "ElasticNetSettings or another regressor"
        )
    if task.predicts_probabilities and not predicts_classes:
        raise EstimatorError(
            f"{name} predicts numbers, but the target is a class; use LogisticSettings or another "
            "classifier"
        )


def _weights(
    estimator: Any, weight: np.ndarray, settings: EstimatorSettings
) -> dict[str, np.ndarray]:
    from sklearn.utils.validation import has_fit_parameter

    if has_fit_parameter(estimator, "sample_weight"):
        return {"sample_weight": weight}
    raise EstimatorError(
        f"{type(settings).__name__} takes no weights, but the competition has some; leave the "
        "member out with --members, or leave `weight` out"
    )


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
