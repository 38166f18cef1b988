import numpy as np
import pytest

from models.metrics import METRICS, Metric
from models.undefined_scores import undefined_scores

TARGET = np.array([0, 0, 0, 1, 1, 1])
PERFECT = np.eye(2)[TARGET]
MIXED, SAME = np.array([0, 3, 4]), np.array([0, 1, 2])
NEVER = Metric("never", lambda *_: float("nan"), True)
SECOND_ONLY = Metric("second", lambda t, p, w: 1.0 if len(np.unique(t)) > 1 else np.nan, True)


@pytest.mark.parametrize(
    ("metric", "held_out", "n_undefined", "by_rows"),
    [
        (METRICS["auc"], [SAME, MIXED], 1, True),
        (METRICS["auc"], [SAME, SAME[:2]], 2, True),
        (SECOND_ONLY, [SAME, MIXED], 1, True),
        (NEVER, [MIXED, MIXED], 2, False),
        (NEVER, [SAME, SAME], 2, False),  # NaN with all rows too, so the rows are not the cause
    ],
)
def test_the_cause_is_the_rows_or_the_metric(metric, held_out, n_undefined, by_rows):
    found = undefined_scores(metric, TARGET, PERFECT, held_out)
    assert (found.n_undefined, found.by_rows) == (n_undefined, by_rows)
    assert ("one target value only" in found.fault) == by_rows
    assert metric.name in found.fault


def test_a_metric_that_is_defined_everywhere_lacks_nothing():
    assert undefined_scores(METRICS["auc"], TARGET, PERFECT, [MIXED, np.arange(6)]) is None


def test_of_several_targets_each_column_counts():
    values = np.column_stack([np.ones(4), np.arange(4.0)])
    held_out = [np.array([0]), np.arange(4)]
    found = undefined_scores(METRICS["r2"], values, values, held_out)
    assert (found.n_undefined, found.by_rows) == (1, True)
