"""Boosted trees by LightGBM: one booster per fold and seed, trained side by side.

Each booster runs on threads of its own: boosters do not wait for one another, while the threads of
one booster meet at every node of every tree. On a table of some thousand rows that is twice as
fast as boosters one by one, and it stays so on a machine that is busy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.estimators.boosters import Boosters, Inputs, matrix, predict

if TYPE_CHECKING:
    from models.training.fit import FoldData


class TreesSettings(BaseModel):
    """How the trees grow.

    The names are LightGBM's, the defaults suit tables of a thousand to a hundred thousand rows.

    Source: https://lightgbm.readthedocs.io/en/stable/Parameters.html
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_estimators: int = Field(300, ge=1, description="boosting rounds; each grows a tree per class")
    learning_rate: float = Field(0.05, gt=0, description="shrinkage of each tree")
    num_leaves: int = Field(15, ge=2, le=131_072, description="leaves per tree")
    max_depth: int = Field(-1, ge=-1, description="depth limit; -1 is none")
    min_child_samples: int = Field(20, ge=0, description="training rows per leaf, at least")
    min_split_gain: float = Field(0.0, ge=0, description="gain that a split must bring")
    subsample: float = Field(0.8, gt=0, le=1, description="share of rows, drawn anew each round")
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
    n_threads: int = Field(0, ge=0, description="0 is one per core; never changes the result")

    def parameters(self, *, n_classes: int, seed: int, n_threads: int) -> dict[str, Any]:
        """LightGBM's parameters of one booster, silent and deterministic."""
        binary: dict[str, Any] = {"objective": "binary", "metric": "binary_logloss"}
        multiclass = {"objective": "multiclass", "metric": "multi_logloss", "num_class": n_classes}
        own = self.model_dump(exclude={"n_estimators", "early_stopping", "n_threads"})
        return {
            **own,
            **(binary if n_classes == 2 else multiclass),
            "subsample_freq": 1,
            "seed": seed,
            "num_threads": n_threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }


class TreesError(ValueError):
    """Inputs that trees cannot be trained on; tells all faults at once."""

    exit_code = 3


@dataclass(frozen=True)
class TreesReplica:
    """One booster: the one of `fold` and `seed`.

    Attributes:
        n_trees: boosting rounds that were kept.
        valid_probabilities: `(n_fold_valid, n_classes) float64`, in the order of `valid_rows`.
        gain: `(n_features,) float64`, total gain of the splits on each column.
        model: the booster as LightGBM's text; `lightgbm.Booster(model_str=model)` reads it.
    """

    fold: int
    seed: int
    n_trees: int
    valid_probabilities: np.ndarray
    gain: np.ndarray
    model: str


@dataclass(frozen=True)
class TreeFit:
    """All boosters of a member, fold-major, and what they say together.

    Attributes:
        test_probabilities: `(n_test, n_classes) float64`, mean over folds and seeds.
    """

    replicas: list[TreesReplica]
    test_probabilities: np.ndarray

    @property
    def boosters(self) -> Boosters:
        """All of them, as they are kept."""
        owners = tuple((replica.fold, replica.seed) for replica in self.replicas)
        return Boosters(owners, tuple(replica.model for replica in self.replicas))

    @property
    def importance(self) -> np.ndarray:
        """Share of each column in the gain, mean over boosters: `(n_features,)`, sum 1.

        All zero where no booster found a split.
        """
        gains = np.stack([replica.gain for replica in self.replicas])
        totals = gains.sum(axis=1, keepdims=True)
        shares: np.ndarray = (gains / np.where(totals > 0, totals, 1.0)).mean(axis=0)
        return shares


@dataclass(frozen=True)
class _Job:
    """What one booster is made from."""

    fold: int
    seed: int
    data: FoldData
    test: Inputs


@dataclass(frozen=True)
class _Recipe:
    """What all boosters of a member have in common."""

    target: np.ndarray
    settings: TreesSettings
    n_classes: int
    categorical: Sequence[int] | None
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
    categorical: Sequence[int] | None = None,
    on_fold: Callable[[TreesReplica], None] | None = None,
) -> TreeFit:
    """Train a booster per fold and seed, and let it predict held-out and test rows.

    A booster sees `x_num` (NaN is "missing") and, right of it, `x_cat`.

    Args:
        folds: `inputs` of all training-file rows, as each fold's encoder sees them.
        tests: the test rows, as each fold's encoder sees them.
        target: `(n_rows,) int64` class index.
        settings: how the trees grow.
        n_classes: 2 trains on the second class's log-odds, more on a softmax.
        seeds: one booster per fold for each.
        categorical: columns of `[x_num | x_cat]` whose numbers are names, not sizes; negative
            numbers are "missing". None: those of `x_cat`.
        on_fold: called after each booster, fold-major, in the caller's thread.

    Raises:
        TreesError: folds, tests and target that do not fit together.
    """
    _check(folds, tests, target, n_classes=n_classes, seeds=seeds)
    jobs = [_Job(f, seed, folds[f], tests[f]) for f in range(len(folds)) for seed in seeds]
    n_workers, n_threads = _share_threads(settings.n_threads, len(jobs))
    stop = Event()
    recipe = _Recipe(target, settings, n_classes, categorical, n_threads, stop)
    replicas: list[TreesReplica] = []
    test_sum = np.zeros((_n_rows(tests[0]), n_classes))
    with _workers(n_workers, stop) as pool:
        for replica, test in _in_order(pool, jobs, recipe):
            replicas.append(replica)
            test_sum += test
            if on_fold is not None:
                on_fold(replica)
    return TreeFit(replicas, test_sum / len(jobs))


def _share_threads(n_threads: int, n_jobs: int) -> tuple[int, int]:
    """How many boosters run side by side, and the threads of each."""
    # Knows the limits of containers, which `os.cpu_count` does not.
    from joblib import cpu_count

    total = n_threads or int(cpu_count())
    n_workers = min(total, n_jobs)
    return n_workers, total // n_workers


@contextmanager
def _workers(n_workers: int, stop: Event) -> Iterator[ThreadPoolExecutor]:
    """A pool whose boosters end at their next round when the caller fails or is interrupted."""
    pool = ThreadPoolExecutor(n_workers, thread_name_prefix="booster")
    try:
        yield pool
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ThreadPoolExecutor, jobs: Sequence[_Job], recipe: _Recipe
) -> Iterator[tuple[TreesReplica, np.ndarray]]:
    """Results as they come, in the jobs' order; each is let go of once it is given."""
    waiting: deque[Future[tuple[TreesReplica, np.ndarray]]] = deque(
        pool.submit(_train_one, job, recipe) for job in jobs
    )
    while waiting:
        yield waiting.popleft().result()


def _train_one(job: _Job, recipe: _Recipe) -> tuple[TreesReplica, np.ndarray]:
    """Train one booster; its replica and its test probabilities `(n_test, n_classes)`."""
    booster = _boost(job, recipe)
    n_trees = booster.best_iteration or booster.current_iteration()

    def said_of(inputs: Inputs) -> np.ndarray:
        return predict(booster, inputs, n_trees=n_trees, n_threads=recipe.n_threads)

    held_out = {"x_num": matrix(job.data.inputs, job.data.valid_rows)}
    replica = TreesReplica(
        fold=job.fold,
        seed=job.seed,
        n_trees=n_trees,
        valid_probabilities=said_of(held_out),
        gain=np.asarray(booster.feature_importance("gain", iteration=n_trees)),
        model=booster.model_to_string(num_iteration=n_trees),
    )
    return replica, said_of(job.test)


def _boost(job: _Job, recipe: _Recipe) -> Any:
    """The trained `lightgbm.Booster`."""
    import lightgbm

    settings, data = recipe.settings, job.data
    parameters = settings.parameters(
        n_classes=recipe.n_classes, seed=job.seed, n_threads=recipe.n_threads
    )
    train = lightgbm.Dataset(
        matrix(data.inputs, data.train_rows),
        recipe.target[data.train_rows],
        categorical_feature=_categories(data.inputs, recipe.categorical),
        params=parameters,
    )
    callbacks: list[Callable[[Any], None]] = [_stop_when(recipe.stop)]
    watched = []
    if settings.early_stopping is not None:
        rows = data.valid_rows if data.stop_rows is None else data.stop_rows
        watched = [train.create_valid(matrix(data.inputs, rows), recipe.target[rows])]
        callbacks.append(lightgbm.early_stopping(settings.early_stopping, verbose=False))
    return lightgbm.train(
        parameters, train, settings.n_estimators, valid_sets=watched, callbacks=callbacks
    )


class _StoppedError(Exception):
    """Ends a booster whose result nobody waits for."""


def _stop_when(stop: Event) -> Callable[[Any], None]:
    def callback(_: Any) -> None:
        if stop.is_set():
            raise _StoppedError

    return callback


def _categories(inputs: Inputs, categorical: Sequence[int] | None) -> list[int]:
    if categorical is not None:
        return list(categorical)
    d_num, d_cat = _widths(inputs)
    return list(range(d_num, d_num + d_cat))


def _widths(inputs: Inputs) -> tuple[int, int]:
    """Columns of `x_num` and of `x_cat`."""
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
        faults.append(f"found {len(folds)} folds and {len(seeds)} seeds, expected one at least")
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
        yield f"found {n_classes} class, expected two at least"
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
