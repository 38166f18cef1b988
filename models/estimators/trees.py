"""Boosted trees by LightGBM: one booster per fold and seed, trained side by side.

Boosters share the cores rather than taking turns: boosters do not wait for one another, while the
threads of one booster synchronise at every node of every tree. On a table of a few thousand rows
this is twice as fast as one booster after another, on a busy machine too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.estimators.boosters import Boosters, matrix, predict
from models.estimators.fold_models import FoldFit, Inputs, Owner, TrainingSource

if TYPE_CHECKING:
    from models.data import FoldData


class TreesSettings(BaseModel):
    """How the trees grow.

    The names are LightGBM's; the defaults suit tables of a thousand to a hundred thousand rows.

    Source: https://lightgbm.readthedocs.io/en/stable/Parameters.html
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_estimators: int = Field(300, ge=1, description="boosting rounds; each grows a tree per class")
    learning_rate: float = Field(0.05, gt=0, description="shrinkage of each tree")
    num_leaves: int = Field(15, ge=2, le=131_072, description="leaves per tree")
    max_depth: int = Field(-1, ge=-1, description="depth limit; -1 is none")
    min_child_samples: int = Field(20, ge=0, description="training rows per leaf, at least")
    min_split_gain: float = Field(0.0, ge=0, description="smallest gain of a split")
    subsample: float = Field(0.8, gt=0, le=1, description="share of rows, redrawn each round")
    colsample_bytree: float = Field(0.7, gt=0, le=1, description="share of columns per tree")
    reg_alpha: float = Field(0.0, ge=0, description="L1 penalty on leaf values")
    reg_lambda: float = Field(1.0, ge=0, description="L2 penalty on leaf values")
    max_bin: int = Field(255, ge=2, description="histogram bins per column")
    extra_trees: bool = Field(False, description="one random threshold per column and node")
    cat_smooth: float = Field(10.0, ge=0, description="pull of small categories to the mean")
    min_data_per_group: int = Field(20, ge=1, description="rows per category, at least")
    early_stopping: int | None = Field(
        None, ge=1, description="rounds without a better log-loss; None grows all trees"
    )
    n_threads: int = Field(0, ge=0, description="0 is one per core; does not change the result")

    def parameters(self, *, n_classes: int, seed: int, n_threads: int) -> dict[str, Any]:
        """LightGBM's parameters of one booster, silent and deterministic."""
        binary: dict[str, Any] = {"objective": "binary", "metric": "binary_logloss"}
        multiclass = {"objective": "multiclass", "metric": "multi_logloss", "num_class": n_classes}
        growth = self.model_dump(exclude={"n_estimators", "early_stopping", "n_threads"})
        return {
            **growth,
            **(binary if n_classes == 2 else multiclass),
            "subsample_freq": 1,
            "seed": seed,
            "num_threads": n_threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }

    def fit_folds(
        self,
        folds: Sequence[FoldData],
        tests: Sequence[Inputs],
        target: np.ndarray,
        *,
        n_classes: int,
        seeds: Sequence[int],
    ) -> FoldFit:
        """Train a booster for each fold and seed; the arguments are those of `fit_trees`.

        Raises:
            TreesError: Folds, tests and target do not fit together.
        """
        fitted = fit_trees(folds, tests, target, self, n_classes=n_classes, seeds=seeds)
        valid = [replica.valid_probabilities for replica in fitted.replicas]
        return FoldFit(valid, fitted.test_probabilities, fitted.boosters)

    def load_models(
        self,
        folder: Path,
        owners: Sequence[Owner],  # noqa: ARG002
        source: TrainingSource,  # noqa: ARG002
    ) -> Boosters:
        """The boosters whose files are in the folder; every booster has one."""
        return Boosters.read(folder)


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
        valid_probabilities: `(n_fold_valid, n_classes) float64`, in the order of `valid_rows`.
        gain: `(n_features,) float64`, the total gain of the splits on each column.
        model: The booster as LightGBM's text; `lightgbm.Booster(model_str=model)` reads it.
    """

    fold: int
    seed: int
    n_trees: int
    valid_probabilities: np.ndarray
    gain: np.ndarray
    model: str


@dataclass(frozen=True)
class TreeFit:
    """All boosters of a member, and their mean prediction of the test rows.

    Attributes:
        replicas: The boosters, fold-major.
        test_probabilities: `(n_test, n_classes) float64`, the mean over folds and seeds.
    """

    replicas: list[TreesReplica]
    test_probabilities: np.ndarray

    @property
    def boosters(self) -> Boosters:
        """All boosters, in the form in which they are stored."""
        owners = tuple((replica.fold, replica.seed) for replica in self.replicas)
        return Boosters(owners, tuple(replica.model for replica in self.replicas))

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
class _Job:
    """What one booster is trained on."""

    fold: int
    seed: int
    data: FoldData
    test: Inputs


@dataclass(frozen=True)
class _Shared:
    """What all boosters of a member share."""

    target: np.ndarray
    settings: TreesSettings
    n_classes: int
    n_threads: int
    stop: Event


def fit_trees(
    folds: Sequence[FoldData],
    tests: Sequence[Inputs],
    target: np.ndarray,
    settings: TreesSettings,
    *,
    n_classes: int,
    seeds: Sequence[int],
    on_fold: Callable[[TreesReplica], None] | None = None,
) -> TreeFit:
    """Train a booster for each fold and seed, and predict held-out and test rows.

    The columns are `x_num` (NaN is missing) and, right of it, `x_cat`, whose codes are categories
    (negative ones are missing).

    Args:
        folds: `inputs` of all rows of the training file, as encoded by each fold's encoder.
        tests: The test rows, as encoded by each fold's encoder.
        target: `(n_rows,) int64` class index.
        settings: How the trees grow.
        n_classes: 2 trains on the second class's log-odds, more on a softmax.
        seeds: One booster per fold for each.
        on_fold: Called after each booster, fold-major, in the caller's thread.

    Raises:
        TreesError: Folds, tests and target do not fit together.
    """
    _check(folds, tests, target, n_classes=n_classes, seeds=seeds)
    jobs = [_Job(f, seed, folds[f], tests[f]) for f in range(len(folds)) for seed in seeds]
    n_workers, n_threads = _share_threads(settings.n_threads, len(jobs))
    stop = Event()
    shared = _Shared(target, settings, n_classes, n_threads, stop)
    replicas: list[TreesReplica] = []
    test_sum = np.zeros((_n_rows(tests[0]), n_classes))
    with _workers(n_workers, stop) as pool:
        for replica, test in _in_order(pool, jobs, shared):
            replicas.append(replica)
            test_sum += test
            if on_fold is not None:
                on_fold(replica)
    return TreeFit(replicas, test_sum / len(jobs))


def _share_threads(n_threads: int, n_jobs: int) -> tuple[int, int]:
    """The number of boosters that run side by side, and the threads of each."""
    # It respects the limits of containers, which `os.cpu_count` does not.
    from joblib import cpu_count

    total = n_threads or int(cpu_count())
    n_workers = min(total, n_jobs)
    return n_workers, total // n_workers


@contextmanager
def _workers(n_workers: int, stop: Event) -> Iterator[ThreadPoolExecutor]:
    """A pool whose boosters stop at their next round when the caller fails or is interrupted."""
    pool = ThreadPoolExecutor(n_workers, thread_name_prefix="booster")
    try:
        yield pool
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ThreadPoolExecutor, jobs: Sequence[_Job], shared: _Shared
) -> Iterator[tuple[TreesReplica, np.ndarray]]:
    """Results in the order of the jobs; each is released once it is yielded."""
    waiting: deque[Future[tuple[TreesReplica, np.ndarray]]] = deque(
        pool.submit(_train_one, job, shared) for job in jobs
    )
    while waiting:
        yield waiting.popleft().result()


def _train_one(job: _Job, shared: _Shared) -> tuple[TreesReplica, np.ndarray]:
    """One trained booster and its test probabilities `(n_test, n_classes)`."""
    booster = _boost(job, shared)
    n_trees = booster.best_iteration or booster.current_iteration()

    def probabilities(inputs: Inputs) -> np.ndarray:
        return predict(booster, inputs, n_trees=n_trees, n_threads=shared.n_threads)

    held_out = {"x_num": matrix(job.data.inputs, job.data.valid_rows)}
    replica = TreesReplica(
        fold=job.fold,
        seed=job.seed,
        n_trees=n_trees,
        valid_probabilities=probabilities(held_out),
        gain=np.asarray(booster.feature_importance("gain", iteration=n_trees)),
        model=booster.model_to_string(num_iteration=n_trees),
    )
    return replica, probabilities(job.test)


def _boost(job: _Job, shared: _Shared) -> Any:
    """The trained `lightgbm.Booster`."""
    import lightgbm

    settings, data = shared.settings, job.data
    parameters = settings.parameters(
        n_classes=shared.n_classes, seed=job.seed, n_threads=shared.n_threads
    )
    train = lightgbm.Dataset(
        matrix(data.inputs, data.train_rows),
        shared.target[data.train_rows],
        categorical_feature=_categories(data.inputs),
        params=parameters,
    )
    callbacks: list[Callable[[Any], None]] = [_stop_when(shared.stop)]
    watched = []
    if settings.early_stopping is not None:
        rows = data.valid_rows if data.stop_rows is None else data.stop_rows
        watched = [train.create_valid(matrix(data.inputs, rows), shared.target[rows])]
        callbacks.append(lightgbm.early_stopping(settings.early_stopping, verbose=False))
    return lightgbm.train(
        parameters, train, settings.n_estimators, valid_sets=watched, callbacks=callbacks
    )


class _StoppedError(Exception):
    """Stops a booster whose result is no longer needed."""


def _stop_when(stop: Event) -> Callable[[Any], None]:
    def callback(_: Any) -> None:
        if stop.is_set():
            raise _StoppedError

    return callback


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
    target: np.ndarray,
    *,
    n_classes: int,
    seeds: Sequence[int],
) -> None:
    faults = list(_faults_of_target(target, n_classes))
    if not folds or not seeds:
        faults.append(
            f"found {len(folds)} folds and {len(seeds)} seeds, expected at least one of each"
        )
    if len(tests) != len(folds):
        faults.append(f"found {len(tests)} encoded test tables, expected one for each fold")
    if len({_n_rows(test) for test in tests}) > 1:
        faults.append("the folds' encoded test tables differ in their number of rows")
    for fold, (data, test) in enumerate(zip(folds, tests, strict=False)):
        faults += [f"fold {fold}: {text}" for text in _faults_of_fold(data, test, len(target))]
    if faults:
        raise TreesError(f"trees cannot be trained: {'; '.join(faults)}")


def _faults_of_target(target: np.ndarray, n_classes: int) -> Iterator[str]:
    outside = np.flatnonzero((target < 0) | (target >= n_classes))
    if n_classes < 2:
        yield f"found {n_classes} class, expected at least two"
    elif outside.size:
        row = int(outside[0])
        yield f"target of row {row} is {target[row]}, expected a class from 0 to {n_classes - 1}"


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
