"""Training of boosters by LightGBM: one per fold, seed and target, side by side.

Boosters share the cores rather than taking turns: boosters do not wait for one another, while the
threads of one booster synchronise at every node of every tree. On a table of a few thousand rows
this is twice as fast as one booster after another, on a busy machine too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.checkpoints import Snapshot
from models.estimators.boosters import Boosters, matrix, predict_columns
from models.estimators.fold_models import Inputs, Owner
from models.estimators.unit_fits import Units, fit_units, needs_of, seconds_of
from models.executor import HERE, Call, Place
from models.target import Scales, Target

if TYPE_CHECKING:
    from models.data import FoldData
    from models.estimators.trees import TreesSettings


class TreesError(ValueError):
    """Inputs that trees cannot be trained on; the message lists every fault."""

    exit_code = 3


@dataclass(frozen=True)
class TreesReplica:
    """The booster of `fold` and `seed`.

    Attributes:
        fold: Position in the folds given to `fit_trees`.
        seed: Its random seed.
        n_trees: Boosting rounds that predictions use.
        valid_predictions: `(n_fold_valid, n_columns) float64`, in the order of `valid_rows`.
        gain: `(n_features,) float64`, the total gain of the splits on each column.
        models: The booster of each target as LightGBM's text; `lightgbm.Booster(model_str=text)`
            reads it.
    """

    fold: int
    seed: int
    n_trees: int
    valid_predictions: np.ndarray
    gain: np.ndarray
    models: tuple[str, ...]

    def snapshot(self, test: np.ndarray) -> Snapshot:
        """Everything of the booster and its test predictions `(n_test, n_columns)`."""
        texts = [np.frombuffer(text.encode(), np.uint8) for text in self.models]
        arrays = {f"model-{column}": text for column, text in enumerate(texts)}
        return Snapshot(
            {"n_trees": self.n_trees, "n_models": len(texts)},
            {"valid": self.valid_predictions, "gain": self.gain, "test": test, **arrays},
        )

    @classmethod
    def of(cls, owner: Owner, kept: Snapshot) -> TreesReplica:
        """What `snapshot` was made of."""
        fold, seed = owner
        texts = (kept.arrays[f"model-{column}"] for column in range(kept.described["n_models"]))
        return cls(
            fold=fold,
            seed=seed,
            n_trees=kept.described["n_trees"],
            valid_predictions=kept.arrays["valid"],
            gain=kept.arrays["gain"],
            models=tuple(text.tobytes().decode() for text in texts),
        )


@dataclass(frozen=True)
class TreeFit:
    """All boosters of a member, and their mean prediction of the test rows.

    Attributes:
        replicas: The boosters, fold-major.
        test_predictions: `(n_test, n_columns) float64`, the mean over folds and seeds.
        scales: Each fold's scale of each target.
    """

    replicas: list[TreesReplica]
    test_predictions: np.ndarray
    scales: Scales = ()

    @property
    def boosters(self) -> Boosters:
        """All boosters, in the form in which they are stored."""
        owners = tuple((replica.fold, replica.seed) for replica in self.replicas)
        return Boosters(owners, tuple(replica.models for replica in self.replicas), self.scales)

    @property
    def importance(self) -> np.ndarray:
        """The share of each column in the gain, averaged over boosters: `(n_features,)`, sum 1.

        All zeros if no booster found a split.
        """
        gains = np.stack([replica.gain for replica in self.replicas])
        totals = gains.sum(axis=1, keepdims=True)
        shares: np.ndarray = (gains / np.where(totals > 0, totals, 1.0)).mean(axis=0)
        return shares


@dataclass(frozen=True)
class _Shared:
    """What all boosters of a member share."""

    folds: Sequence[FoldData]
    tests: Sequence[Inputs]
    target: Target
    settings: TreesSettings
    n_threads: int


@dataclass(frozen=True)
class _Job:
    """What one booster is trained on."""

    shared: _Shared
    fold: int
    seed: int

    @property
    def data(self) -> FoldData:
        """The rows of its fold."""
        return self.shared.folds[self.fold]


def fit_trees(
    folds: Sequence[FoldData],
    tests: Sequence[Inputs],
    target: Target,
    settings: TreesSettings,
    *,
    seeds: Sequence[int],
    on_fold: Callable[[TreesReplica], None] | None = None,
    place: Place = HERE,
) -> TreeFit:
    """Train a booster for each fold, seed and target, and predict held-out and test rows.

    The columns are `x_num` (NaN is missing) and, right of it, `x_cat`, whose codes are categories
    (negative ones are missing).

    Args:
        folds: `inputs` of all rows of the training file, as encoded by each fold's encoder.
        tests: The test rows, as encoded by each fold's encoder.
        target: What the boosters learn.
        settings: How the trees grow.
        seeds: One booster per fold for each.
        on_fold: Called after each booster, fold-major, in the caller's thread.
        place: Where each booster is trained, and kept as it ends.

    Raises:
        TreesError: Folds, tests and target do not fit together.
    """
    _check(folds, tests, target, seeds=seeds)
    owners = [(fold, seed) for fold in range(len(folds)) for seed in seeds]
    n_workers, n_threads = _share_threads(settings.n_threads, len(owners))
    units = Units(
        _train_one,
        _Shared(folds, tests, target, settings, n_threads),
        owners,
        needs_of(folds, tests, threads=n_threads),
        seconds_of(folds, settings.n_estimators * target.task.n_columns),
        layout={"n_threads": n_threads},
        side_by_side=n_workers,
    )
    replicas: list[TreesReplica] = []
    test_sum = np.zeros((_n_rows(tests[0]), target.task.n_columns))
    with closing(fit_units(units, place)) as boosters:
        for owner, found in zip(owners, boosters, strict=True):
            replicas.append(TreesReplica.of(owner, found))
            test_sum += found.arrays["test"]
            if on_fold is not None:
                on_fold(replicas[-1])
    return TreeFit(replicas, test_sum / len(owners), target.scales)


def _share_threads(n_threads: int, n_jobs: int) -> tuple[int, int]:
    """The number of boosters that run side by side, and the threads of each."""
    # It respects the limits of containers, which `os.cpu_count` does not.
    from joblib import cpu_count

    total = n_threads or int(cpu_count())
    n_workers = min(total, n_jobs)
    return n_workers, total // n_workers


def _train_one(shared: _Shared, owner: Owner, call: Call) -> Snapshot:
    """The boosters of all targets once they are trained, and their test predictions."""
    job = _Job(shared, *owner)
    target = shared.target
    boosters = [_boost(job, column, call) for column in range(target.n_models)]
    n_trees = [booster.best_iteration or booster.current_iteration() for booster in boosters]

    def predictions(inputs: Inputs) -> np.ndarray:
        n_threads = shared.n_threads
        learned = predict_columns(boosters, inputs, n_trees=n_trees, n_threads=n_threads)
        return target.unscaled(learned, job.fold)

    held_out = {"x_num": matrix(job.data.inputs, job.data.valid_rows)}
    pairs = list(zip(boosters, n_trees, strict=True))
    gains = [np.asarray(b.feature_importance("gain", iteration=n)) for b, n in pairs]
    replica = TreesReplica(
        fold=job.fold,
        seed=job.seed,
        n_trees=max(n_trees),
        valid_predictions=predictions(held_out),
        gain=np.sum(gains, axis=0),
        models=tuple(b.model_to_string(num_iteration=n) for b, n in pairs),
    )
    return replica.snapshot(predictions(shared.tests[job.fold]))


def _boost(job: _Job, column: int, call: Call) -> Any:
    """The trained `lightgbm.Booster` of one target."""
    import lightgbm

    shared, data = job.shared, job.data
    settings, target = shared.settings, shared.target
    learned, weight = target.learned(job.fold, column), target.weight
    parameters = settings.parameters(target.task, seed=job.seed, n_threads=shared.n_threads)
    train = lightgbm.Dataset(
        matrix(data.inputs, data.train_rows),
        learned[data.train_rows],
        weight=None if weight is None else weight[data.train_rows],
        categorical_feature=_categories(data.inputs),
        params=parameters,
    )
    callbacks: list[Callable[[Any], None]] = [lambda _: call.check()]
    watched = []
    if settings.early_stopping is not None:
        rows = data.valid_rows if data.stop_rows is None else data.stop_rows
        watched = [train.create_valid(matrix(data.inputs, rows), learned[rows])]
        callbacks.append(lightgbm.early_stopping(settings.early_stopping, verbose=False))
    return lightgbm.train(
        parameters, train, settings.n_estimators, valid_sets=watched, callbacks=callbacks
    )


def _categories(inputs: Inputs) -> list[int]:
    """The columns of `x_cat`, right of those of `x_num`."""
    d_num, d_cat = _widths(inputs)
    return list(range(d_num, d_num + d_cat))


def _widths(inputs: Inputs) -> tuple[int, int]:
    """The number of columns of `x_num` and of `x_cat`."""
    d_num, d_cat = (inputs[key].shape[1] if key in inputs else 0 for key in ("x_num", "x_cat"))
    return d_num, d_cat


def _n_rows(inputs: Inputs) -> int:
    return next((len(inputs[key]) for key in ("x_num", "x_cat") if key in inputs), 0)


def _check(
    folds: Sequence[FoldData],
    tests: Sequence[Inputs],
    target: Target,
    *,
    seeds: Sequence[int],
) -> None:
    faults = list(_faults_of_target(target))
    if not folds or not seeds:
        faults.append(
            f"found {len(folds)} folds and {len(seeds)} seeds, expected at least one of each"
        )
    if len(tests) != len(folds):
        faults.append(f"found {len(tests)} encoded test tables, expected one for each fold")
    if len({_n_rows(test) for test in tests}) > 1:
        faults.append("the folds' encoded test tables differ in their number of rows")
    for fold, (data, test) in enumerate(zip(folds, tests, strict=False)):
        n_rows = len(target.values)
        faults += [f"fold {fold}: {text}" for text in _faults_of_fold(data, test, n_rows)]
    if faults:
        raise TreesError(f"trees cannot be trained: {'; '.join(faults)}")


def _faults_of_target(target: Target) -> Iterator[str]:
    if not target.task.has_classes:
        return
    n_classes, values = target.task.n_classes, target.values
    outside = np.flatnonzero((values < 0) | (values >= n_classes))
    if n_classes < 2:
        yield f"found {n_classes} class, expected at least two"
    elif outside.size:
        row = int(outside[0])
        yield f"target of row {row} is {values[row]}, expected a class from 0 to {n_classes - 1}"


def _faults_of_fold(data: FoldData, test: Inputs, n_rows: int) -> Iterator[str]:
    if not any(_widths(data.inputs)):
        yield f"inputs are {sorted(data.inputs)}, expected columns in x_num or x_cat"
    elif _n_rows(data.inputs) != n_rows:
        yield f"inputs have {_n_rows(data.inputs)} rows, the target has {n_rows}"
    if _widths(test) != _widths(data.inputs):
        yield (
            f"test rows have {_widths(test)} columns (x_num, x_cat), "
            f"training rows {_widths(data.inputs)}"
        )
    if not len(data.train_rows) or not len(data.valid_rows):
        yield f"{len(data.train_rows)} training and {len(data.valid_rows)} held-out rows"
