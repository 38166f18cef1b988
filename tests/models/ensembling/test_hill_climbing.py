"""Hill climbing on the metric itself: fast scores, and weights that new rows confirm."""

import numpy as np
import pytest
from blend_members import make, noise
from sklearn.metrics import roc_auc_score

from models.ensembling.blending import blend
from models.ensembling.goal import Goal
from models.ensembling.gradient_weights import gradient_weights
from models.ensembling.hill_climbing import ClimbSettings, climb
from models.ensembling.search_objectives import fast_auc, objective_of
from models.metrics import METRICS
from models.tasks import Task


@pytest.mark.parametrize("n_values", [3, 40, 10**6], ids=["many ties", "some ties", "no ties"])
def test_the_fast_auc_is_the_auc(n_values):
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 900)
    values = (rng.integers(0, n_values, 900) + target * n_values / 5).astype(np.float32)
    assert fast_auc(target == 1, values) == pytest.approx(roc_auc_score(target, values), abs=1e-12)
    assert np.isnan(fast_auc(np.ones(5, dtype=bool), values[:5]))


@pytest.mark.parametrize("metric", ["auc", "log_loss", "accuracy", "brier"])
def test_the_slope_ranks_members_as_small_steps_do(metric):
    oof, _, goal, _ = make(12, 3000, metric=metric, noise=2.0)
    objective = objective_of(oof, goal)
    rows = np.arange(oof.shape[1])
    now = objective.members[:3].mean(axis=0)
    gains = objective.members.reshape(12, -1) @ objective.slope(now, rows).ravel()
    if metric == "accuracy":  # a step function: its slope is that of log-loss
        smooth = objective_of(oof, Goal(goal.target, goal.task, METRICS["log_loss"]))
        now, objective = smooth.members[:3].mean(axis=0), smooth
    after = [objective.score(0.98 * now + 0.02 * m, rows) for m in objective.members]
    assert np.corrcoef(gains, after)[0, 1] > 0.8


@pytest.mark.parametrize("metric", ["auc", "log_loss", "accuracy", "brier", "average_precision"])
def test_a_climb_is_better_than_every_member_on_new_rows(metric):
    oof, test, goal, _ = make(6, 1500, metric=metric, noise=2.0, n_test=4000)
    weights = climb(oof, goal)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    rng = np.random.default_rng(0)
    signal = 1.5 * rng.normal(size=5500)
    answers = (rng.random(5500) < 1 / (1 + np.exp(-signal))).astype(int)[1500:]
    sign = 1 if goal.metric.greater_is_better else -1
    blended = sign * goal.metric.score(answers, blend(test, weights))
    assert blended > max(sign * goal.metric.score(answers, member) for member in test)


def test_values_are_climbed_by_their_own_loss():
    rng = np.random.default_rng(1)
    target = rng.normal(10, 2, 800)
    oof = (target + rng.normal(size=(5, 800)))[..., None]
    goal = Goal(target, Task("regression"), METRICS["rmse"])
    for weights in (climb(oof, goal), gradient_weights(oof, goal)):
        assert weights.sum() == pytest.approx(1)
        mixed = blend(oof, weights)
        assert goal.metric.score(target, mixed) < 0.6


def test_negative_weights_take_away_a_shared_error():
    rng = np.random.default_rng(2)
    target, shared = rng.normal(size=2000), rng.normal(size=2000)
    worse = target + 2 * shared + 0.1 * rng.normal(size=2000)
    oof = np.stack([target + shared, worse])[..., None]
    goal = Goal(target, Task("regression"), METRICS["rmse"])
    plain, negative = climb(oof, goal), climb(oof, goal, ClimbSettings(negative=True))
    assert (plain >= 0).all()
    assert negative.min() < 0
    scores = [goal.metric.score(target, blend(oof, w)) for w in (plain, negative)]
    assert scores[1] < scores[0] - 0.1
    by_gradient = gradient_weights(oof, goal, negative=True)
    assert by_gradient.min() < 0


def test_many_members_are_screened_and_noise_gets_little():
    oof, _, goal, _ = make(4, 2000)
    everyone = np.concatenate([oof, noise(40, 2000)])
    weights = climb(everyone, goal)
    assert weights[:4].sum() > 0.75


def test_the_same_rows_give_the_same_bytes():
    oof, _, goal, _ = make(20, 500)
    assert climb(oof, goal).tobytes() == climb(oof, goal).tobytes()
    assert gradient_weights(oof, goal).tobytes() == gradient_weights(oof, goal).tobytes()
