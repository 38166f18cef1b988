"""What a model that is fitted apart is taken to cost, for the order of a cluster's tasks."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import pytest

from models.data import FoldData
from models.estimators.boosting import fit_trees
from models.estimators.fitting import fit_estimators
from models.estimators.sklearn_models import ExtraTreesSettings, LogisticSettings
from models.estimators.trees import TreesSettings
from models.executor import Place, Task
from models.target import Target
from models.tasks import Task as Goal
from tests.unruly_executor import Unruly

N_ROWS, N_COLUMNS = 60, 5
X = np.random.default_rng(1).normal(size=(N_ROWS, N_COLUMNS)).astype(np.float32)
ROWS = np.arange(N_ROWS)
FOLDS = [FoldData({"x_num": X}, ROWS[k::2], ROWS[1 - k :: 2]) for k in range(2)]
TESTS = [{"x_num": X[:4]}] * 2
TARGET = Target(np.arange(N_ROWS) // 2 % 3, Goal("multiclass", 3))


class Asked(Unruly):
    """Keeps what tasks were said to cost."""

    def run(self, tasks: Sequence[Task], *others: Any, **further: Any) -> Generator[Any, Any, None]:
        self.costs = [task.cost for task in tasks]
        return super().run(tasks, *others, **further)


@pytest.mark.parametrize(
    ("settings", "n_trees"),
    [
        (TreesSettings(n_estimators=7, n_threads=1), 3 * 7),  # one tree a class and round
        (ExtraTreesSettings(n_estimators=20), 20),
        (LogisticSettings(), 100),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_cost_grows_with_rows_columns_and_trees(settings: Any, n_trees: int) -> None:
    executor = Asked()
    fit: Any = fit_trees if isinstance(settings, TreesSettings) else fit_estimators
    fit(FOLDS, TESTS, TARGET, settings, seeds=(0,), place=Place(executor))
    assert executor.costs == [pytest.approx(n_trees * N_ROWS * N_COLUMNS / 1e8)] * 2
