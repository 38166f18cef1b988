"""From predictions to answers: rules gain on the rows that did not choose them."""

import json

import numpy as np
import pytest

from models.confusion import FROM_CONFUSION, confusion
from models.decisions import Decision, choose_decision, nested_decision
from models.metrics import METRICS
from models.tasks import Task

N = 6000
FOLDS = (np.arange(N) % 5)[None]
BINARY, THREE, FIVE = Task("binary", 2), Task("multiclass", 3), Task("ordinal", 5)


def rare(seed=0):
    """Honest probabilities of a rare class, and the labels."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(3 - 1.5 * rng.normal(size=N)))
    return np.column_stack([1 - p, p]), (rng.random(N) < p).astype(np.int64)


def skewed():
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(N, 3)) + np.array([2, 0, -1])
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return p, (p.cumsum(axis=1) < rng.random((N, 1))).sum(axis=1)


def squeezed():
    """Positions that a cautious model pulls to the middle."""
    rng = np.random.default_rng(2)
    signal = rng.normal(size=N)
    target = np.digitize(signal + 0.5 * rng.normal(size=N), [-1.5, -0.8, 0.8, 1.5])
    return np.interp(signal, [-3, 3], [1.2, 2.8])[:, None], target


@pytest.mark.parametrize("name", ["f1", "mcc", "balanced_accuracy"])
def test_a_threshold_gains_on_a_rare_class(name):
    p, target = rare()
    decided = nested_decision(METRICS[name], BINARY, target, p, FOLDS)
    assert decided.scores.mean() > decided.plain_scores.mean() + 0.03
    assert "yes from a probability of 0." in decided.decision.describe(["no", "yes"])


@pytest.mark.parametrize("name", ["balanced_accuracy", "macro_f1"])
def test_priors_gain_on_skewed_classes(name):
    p, target = skewed()
    decided = nested_decision(METRICS[name], THREE, target, p, FOLDS)
    assert decided.scores.mean() > decided.plain_scores.mean() + 0.02


def test_borders_gain_on_kappa():
    position, target = squeezed()
    decided = nested_decision(METRICS["qwk"], FIVE, target, position, FOLDS)
    assert decided.scores.mean() > decided.plain_scores.mean() + 0.1
    assert list(decided.decision.numbers) == sorted(decided.decision.numbers)


def test_accuracy_has_no_rule():
    p, target = skewed()
    decided = nested_decision(METRICS["accuracy"], THREE, target, p, FOLDS)
    assert decided.decision == Decision()
    np.testing.assert_array_equal(decided.scores, decided.plain_scores)


def test_the_labels_of_a_fold_do_not_choose_its_rule():
    p, target = rare()
    changed = np.where(FOLDS[0] == 2, 1 - target, target)
    one, other = (nested_decision(METRICS["mcc"], BINARY, t, p, FOLDS) for t in (target, changed))
    others = np.flatnonzero(FOLDS[0] != 2)
    rule = choose_decision(METRICS["mcc"], BINARY, target[others], p[others])
    fold = FOLDS[0] == 2
    for labels, scores in ((target, one.scores), (changed, other.scores)):
        answers = rule.apply(p[fold], BINARY)
        assert METRICS["mcc"].score_answers(labels[fold], answers) == scores[2]


def test_a_rule_of_random_labels_gains_nothing():
    p, _ = rare()
    noise = np.random.default_rng(3).integers(0, 2, N)
    decided = nested_decision(METRICS["mcc"], BINARY, noise, p, FOLDS)
    assert abs(decided.scores.mean()) < 0.03


def test_values_stay_within_the_range_of_the_training_rows():
    target = np.linspace(2, 8, N)
    rule = choose_decision(METRICS["rmse"], Task("regression"), target, target[:, None])
    assert rule.apply(np.array([[-5.0], [5.0], [50.0]]), Task("regression")).tolist() == [
        [2],
        [5],
        [8],
    ]


def test_several_labels_have_thresholds_each():
    rng = np.random.default_rng(4)
    p = rng.random((N, 2)) ** 3
    target = (rng.random((N, 2)) < p).astype(float)
    task = Task("multilabel", 2, 2)
    decided = nested_decision(METRICS["f1"], task, target, p, FOLDS)
    assert decided.scores.mean() > decided.plain_scores.mean()
    assert len(decided.decision.numbers) == 2


def test_rows_that_no_fold_holds_out_are_not_looked_at():
    p, target = rare()
    folds = np.where(np.arange(N) < 1000, -1, FOLDS[0])
    p = np.where(folds[:, None] < 0, np.nan, p)
    decided = nested_decision(METRICS["f1"], BINARY, target, p, folds[None])
    assert np.isfinite(decided.scores).all()


@pytest.mark.parametrize(
    ("name", "task", "made"),
    [("f1", BINARY, rare), ("macro_f1", THREE, skewed), ("qwk", FIVE, squeezed)],
)
def test_a_rule_survives_json(name, task, made):
    prediction, target = made()
    rule = choose_decision(METRICS[name], task, target, prediction)
    again = Decision.from_dict(json.loads(json.dumps(rule.to_dict())))
    assert again == rule != Decision()
    np.testing.assert_array_equal(again.apply(prediction, task), rule.apply(prediction, task))
    assert Decision.from_dict(None) == Decision()


@pytest.mark.parametrize("name", FROM_CONFUSION)
def test_a_metric_of_the_confusion_matrix_is_the_metric(name):
    rng = np.random.default_rng(5)
    n_classes = 2 if name == "f1" else 4
    target, labels = rng.integers(0, n_classes, (2, 300))
    labels = np.where(rng.random(300) < 0.5, target, labels)
    weight = rng.random(300)
    found = FROM_CONFUSION[name](confusion(target, labels, n_classes, weight))
    assert found == pytest.approx(METRICS[name].score_answers(target, labels, weight))
