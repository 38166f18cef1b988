from __future__ import annotations

import numpy as np
import pytest

from models.ensembling import calibration
from models.ensembling.calibration import scale
from models.ensembling.checks import BlendError
from models.ensembling.goal import Goal
from models.metrics import METRICS
from models.tasks import Task


def goal_of(oof, target):
    return Goal(target, Task("multiclass", oof.shape[-1]), METRICS["log_loss"])


def temperature(oof, target):
    return calibration.temperature(oof, goal_of(oof, target))


def nested_temperature(oof, target, folds):
    return calibration.nested_temperature(oof, goal_of(oof, target), folds)


def make(n_rows, confidence, seed=0, n_classes=4):
    """Probabilities whose logits are `confidence` times the true ones, and the target."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=1.5, size=(n_rows, n_classes))
    target = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    powers = np.exp(confidence * logits)
    return powers / powers.sum(axis=1, keepdims=True), target


def log_loss(probabilities, target):
    return -np.log(probabilities[np.arange(len(target)), target]).mean()


@pytest.mark.parametrize("confidence", [0.4, 1.0, 3.0])
def test_finds_the_confidence_that_was_put_in(confidence):
    probabilities, target = make(20_000, confidence)
    assert temperature(probabilities, target) == pytest.approx(confidence, rel=0.05)


def test_no_other_temperature_has_a_lower_log_loss():
    probabilities, target = make(500, 2.0, seed=1)
    found = temperature(probabilities, target)
    best = log_loss(scale(probabilities, found), target)
    for other in (0.99 * found, 1.01 * found, 1.0, 5.0):
        assert best < log_loss(scale(probabilities, other), target)


def test_what_is_right_or_knows_nothing_is_left_as_it_is():
    target = np.arange(20) % 2
    assert temperature(np.eye(2)[target], target) == 1
    assert temperature(np.full((20, 2), 0.5), target) == 1


def test_certain_and_wrong_is_toned_down_to_the_limit():
    target = np.arange(20) % 2
    assert temperature(np.eye(2)[1 - target], target) == pytest.approx(10)


def test_certain_and_often_right_is_toned_down_a_little():
    target = np.arange(20) % 2
    predicted = target.copy()
    predicted[0] = 1
    found = temperature(np.eye(2)[predicted], target)
    assert scale(np.eye(2)[predicted], found).max() == pytest.approx(0.95, abs=0.02)


def test_scale_keeps_form_and_order():
    probabilities, _ = make(50, 1.0)
    np.testing.assert_allclose(scale(probabilities, 1.0), probabilities)
    milder = scale(probabilities, 3.0)
    np.testing.assert_allclose(milder.sum(axis=1), 1)
    np.testing.assert_array_equal(milder.argmax(axis=1), probabilities.argmax(axis=1))
    assert (milder.max(axis=1) < probabilities.max(axis=1)).all()


def test_nested_scales_a_fold_by_the_others():
    probabilities, target = make(300, 3.0)
    folds = np.arange(300) % 3
    before = nested_temperature(probabilities, target, folds)
    assert log_loss(before.oof, target) < log_loss(probabilities, target)
    changed = np.where(folds == 0, (target + 1) % 4, target)
    after = nested_temperature(probabilities, changed, folds)
    assert after.temperatures[0] == before.temperatures[0]
    assert (after.temperatures[1:] > before.temperatures[1:]).all()
    for fold in range(3):
        others = folds != fold
        alone = temperature(probabilities[others], target[others])
        assert before.temperatures[fold] == alone


def test_nested_is_the_mean_over_repeats():
    probabilities, target = make(60, 2.0)
    assignment = np.stack([np.arange(60) % 2, np.arange(60) // 30])
    both = nested_temperature(probabilities, target, assignment)
    single = [nested_temperature(probabilities, target, folds) for folds in assignment]
    assert both.temperatures.shape == (4,)
    np.testing.assert_allclose(both.oof, (single[0].oof + single[1].oof) / 2)


def test_not_finite_is_an_error():
    probabilities, target = make(10, 1.0)
    probabilities[3, 1] = np.inf
    with pytest.raises(BlendError, match="not finite, the first is row 3"):
        temperature(probabilities, target)
