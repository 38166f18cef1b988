"""Models are kept as they end, and a member goes on with the missing ones to the same bytes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from models.checkpoints import Layout, Snapshot
from models.data import FoldData
from models.estimators.boosting import fit_trees
from models.estimators.fitting import fit_estimators
from models.estimators.fold_models import TrainingSource
from models.estimators.persistence import Estimators
from models.estimators.sklearn_models import (
    ElasticNetSettings,
    ExtraTreesSettings,
    LogisticSettings,
    NeighboursSettings,
)
from models.estimators.trees import TreesSettings
from models.executor import LOCAL, Executor, Place
from models.kept_results import KeptResults
from models.target import Target, fit_scales
from models.tasks import Task
from tests.unruly_executor import Unruly

N_ROWS, N_FOLDS, SEEDS = 90, 3, (0, 4)
RNG = np.random.default_rng(2)
X = RNG.normal(size=(N_ROWS, 4)).astype(np.float32)
LABELS = (X[:, 0] + RNG.normal(scale=0.5, size=N_ROWS) > 0).astype(np.int64)
VALUES = np.stack([X[:, 0] + X[:, 1], X[:, 2] - 3], axis=1).astype(np.float64)
ROWS = np.arange(N_ROWS)
FOLDS = [
    FoldData({"x_num": X}, ROWS[k != ROWS % N_FOLDS], ROWS[k == ROWS % N_FOLDS])
    for k in range(N_FOLDS)
]
TESTS = [{"x_num": X[:20] + 0.1}] * N_FOLDS
CLASSES = Target(LABELS, Task("binary", n_classes=2))
NUMBERS = Target(
    VALUES,
    Task("regression", n_targets=2),
    scales=fit_scales(VALUES, FOLDS, "none", standardise=True),
)
TREES = TreesSettings(n_estimators=6, num_leaves=4)
CASES: dict[str, tuple[Any, Target]] = {
    "trees": (TREES, CLASSES),
    "trees that stop early": (TREES.model_copy(update={"early_stopping": 2}), CLASSES),
    "trees of two targets": (TREES, NUMBERS),
    "a stored estimator": (LogisticSettings(), CLASSES),
    "a forest": (ExtraTreesSettings(n_estimators=5), CLASSES),
    "an estimator that is not stored": (NeighboursSettings(n_neighbors=5), CLASSES),
    "estimators of two targets": (ElasticNetSettings(), NUMBERS),
}


class Memory:
    """Checkpoints that keep what files could hold."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, str, dict[str, np.ndarray]]] = {}
        self.facts: list[str] = []
        self.is_cheap = True

    def load(self, name: str, layout: Layout) -> Snapshot | None:
        if name not in self.kept or json.loads(self.kept[name][0]) != layout:
            return None
        return Snapshot(json.loads(self.kept[name][1]), self.kept[name][2])

    def is_due(self, n_bytes: int) -> bool:
        return self.is_cheap and n_bytes > 0

    def save(self, name: str, layout: Layout, snapshot: Snapshot) -> None:
        described = json.dumps(snapshot.described, allow_nan=False)
        self.kept[name] = (json.dumps(layout), described, dict(snapshot.arrays))

    def tell(self, text: str) -> None:
        self.facts.append(text)


def fitted(
    case: str, memory: Memory | None = None, on_fold: Any = None, executor: Executor = LOCAL
) -> list[Any]:
    """Everything that a member makes of its models."""
    settings, target = CASES[case]
    place = Place(executor, memory)
    fit = fit_trees if isinstance(settings, TreesSettings) else fit_estimators
    made = fit(FOLDS, TESTS, target, settings, seeds=SEEDS, on_fold=on_fold, place=place)
    if isinstance(settings, TreesSettings):
        files, further = made.boosters.files(), [made.importance.tobytes()]
    else:
        source = TrainingSource(FOLDS.__getitem__, target)
        files, further = Estimators.of(settings, made.replicas, source).files(), []
    valid = [replica.valid_predictions.tobytes() for replica in made.replicas]
    return [made.test_predictions.tobytes(), valid, files, further]


class StoppedError(Exception):
    """What a kill is here."""


def stop_after(n_models: int) -> Any:
    seen = []

    def on_fold(replica: object) -> None:
        seen.append(replica)
        if len(seen) == n_models:
            raise StoppedError

    return on_fold


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("n_models", [1, 4, 6])
def test_a_member_stopped_after_a_model_ends_with_the_same_bytes(case: str, n_models: int) -> None:
    memory = Memory()
    with pytest.raises(StoppedError):
        fitted(case, memory, stop_after(n_models))
    n_kept = len(memory.kept)
    assert n_kept >= n_models  # boosters beside it may have ended, too
    reported: list[Any] = []
    assert fitted(case, memory, reported.append) == fitted(case)
    assert memory.facts == [f"{n_kept} of 6 models kept"]
    assert [(r.fold, r.seed) for r in reported] == [(f, s) for f in range(3) for s in SEEDS]


@pytest.mark.parametrize("case", CASES)
def test_another_executor_gives_the_same_bytes(case: str) -> None:
    executor, memory = Unruly(seed=1), Memory()
    assert fitted(case, memory, executor=executor) == fitted(case)
    assert len(executor.attempts) == 6
    assert max(executor.attempts) > 1
    assert len(memory.kept) == 6


@pytest.mark.parametrize("case", ["trees", "a forest"])
def test_kept_models_are_not_trained_again(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    whole = fitted(case, memory)
    assert len(memory.kept) == 6
    monkeypatch.delattr("models.estimators.boosting._boost")
    monkeypatch.delattr("models.estimators.fitting.fit_one")
    assert fitted(case, memory) == whole


def test_models_that_keeping_is_too_dear_for_are_kept_on_a_fault() -> None:
    """Ctrl-C keeps what is finished, whatever it costs; a kill loses what keeping was not worth."""
    memory = Memory()
    memory.is_cheap = False
    kept = KeptResults(memory, ["one", "two", "three"], {})
    with pytest.raises(KeyboardInterrupt), kept:
        kept.keep("one", Snapshot({}, {"x": np.zeros(3)}))
        kept.keep("two", Snapshot({}, {"x": np.ones(3)}))
        assert memory.kept == {}
        raise KeyboardInterrupt
    assert list(memory.kept) == ["one", "two"]
    again = KeptResults(memory, ["one", "two", "three"], {})
    assert memory.facts == ["2 of 3 models kept"]
    found = again.of("two")
    assert found is not None
    np.testing.assert_array_equal(found.arrays["x"], 1)
    assert again.of("three") is None


def test_quick_models_are_kept_together_once_it_is_cheap() -> None:
    memory = Memory()
    memory.is_cheap = False
    with KeptResults(memory, ["one", "two", "three"], {}) as kept:
        kept.keep("one", Snapshot({}, {"x": np.zeros(3)}))
        memory.is_cheap = True
        kept.keep("two", Snapshot({}, {"x": np.zeros(3)}))
        assert len(memory.kept) == 2
        memory.is_cheap = False
        kept.keep("three", Snapshot({}, {"x": np.zeros(3)}))
    assert len(memory.kept) == 2


def test_boosters_of_another_number_of_threads_are_not_mixed_with_new_ones() -> None:
    """The number stands in LightGBM's text of a model."""
    memory = Memory()
    one = TREES.model_copy(update={"n_threads": 1})
    fit_trees(FOLDS, TESTS, CLASSES, one, seeds=SEEDS, place=Place(checkpoints=memory))
    assert {json.loads(layout)["n_threads"] for layout, _, _ in memory.kept.values()} == {1}
    many = TREES.model_copy(update={"n_threads": 12})
    made = fit_trees(FOLDS, TESTS, CLASSES, many, seeds=SEEDS, place=Place(checkpoints=memory))
    assert memory.facts == []
    assert all("[num_threads: 2]" in replica.models[0] for replica in made.replicas)
