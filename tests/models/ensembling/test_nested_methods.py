"""Methods of blending: scored without a fold's labels, and chosen without them too."""

import dataclasses

import numpy as np
import pytest
from blend_members import make, noise

from models.ensembling.contributions import correlations, what_each_adds
from models.ensembling.goal import Goal
from models.ensembling.methods import (
    EqualWeights,
    GradientWeights,
    HillClimbing,
    Levels,
    methods_for,
    with_levels,
)
from models.ensembling.nested_methods import (
    best_alone,
    choose_nested,
    evaluate,
    simplest_of_the_best,
)
from models.metrics import METRICS
from models.tasks import Task


def every_method(goal, n_levels=2):
    listed = [method for methods in methods_for(goal).values() for method in methods]
    quick = [m for m in listed if m.name not in ("lightgbm", "mlp")]
    return listed + with_levels(quick[:2], n_levels)


def member_scores(oof, goal, folds):
    return np.stack([goal.decide(member, folds).scores for member in oof])


@pytest.mark.parametrize("method", every_method(make()[2]), ids=lambda method: method.name)
def test_a_folds_labels_do_not_influence_its_prediction(method):
    oof, _, goal, folds = make(3, 300)
    swapped = goal.target.copy()
    swapped[folds[0] == 2] = 1 - swapped[folds[0] == 2]
    other = dataclasses.replace(goal, target=swapped)
    one, two = (evaluate(method, oof, g, folds).by_repeat[0] for g in (goal, other))
    in_fold = folds[0] == 2
    np.testing.assert_array_equal(one[in_fold], two[in_fold])
    assert np.isfinite(one).all()
    np.testing.assert_allclose(one.sum(axis=1), 1, atol=1e-6)


def test_the_level_below_does_not_see_the_held_out_fold_either():
    """A method that gives back the labels it was fitted on is found out by the level above it."""

    @dataclasses.dataclass(frozen=True)
    class Cheat:
        name: str = "cheat"

        def fit(self, oof, goal, fold_of_row):
            assert len(fold_of_row) == len(goal.target) == oof.shape[1]
            seen.append(set(np.unique(fold_of_row)))
            return EqualWeights().fit(oof, goal, fold_of_row)

    seen = []
    oof, _, goal, folds = make(2, 200)
    evaluate(Levels((Cheat(),), GradientWeights()), oof, goal, folds)
    below = [folds_seen for folds_seen in seen if len(folds_seen) == 3]
    assert len(below) == 20  # for each of 5 folds one of the 4 others is held out as well
    assert {len(folds_seen) for folds_seen in seen} == {3, 4, 5}


@pytest.mark.parametrize("seed", range(5))
def test_noise_members_do_not_gain_on_a_shuffled_target(seed):
    """With labels that mean nothing, the nested score stays that of the constant answer."""
    _, _, goal, folds = make(4, 500, metric="log_loss", seed=seed)
    target = np.random.default_rng(seed).permutation(goal.target)
    goal = Goal(target, goal.task, METRICS["auc"])
    oof = noise(30, 500, seed=seed + 10)
    candidates = [best_alone(member_scores(oof, goal, folds), oof, goal, folds)]
    candidates += [evaluate(m, oof, goal, folds) for m in (HillClimbing(), GradientWeights())]
    scores = choose_nested(candidates, goal.metric, folds).scores
    error = scores.std(ddof=1) / np.sqrt(len(scores))
    assert abs(scores.mean() - 0.5) < max(2 * error, 2 * 0.026)  # of an AUC of 500 rows
    in_sample = GradientWeights().fit(oof, goal, folds[0]).predict(oof)
    assert goal.metric.score(target, in_sample) > 0.55  # what a score on the same rows pretends


def test_noise_does_not_make_the_blend_worse_than_its_best_member():
    oof, _, goal, folds = make(1, 1500)
    everyone = np.concatenate([oof, noise(25, 1500)])
    scores = member_scores(everyone, goal, folds)
    candidates = [best_alone(scores, everyone, goal, folds)]
    candidates += [evaluate(m, everyone, goal, folds) for m in (EqualWeights(), HillClimbing())]
    choice = choose_nested(candidates, goal.metric, folds)
    assert choice.method.name == "best member"
    assert choice.scores.mean() == pytest.approx(scores[0].mean())


def test_the_choice_of_a_fold_does_not_know_its_score():
    scores = np.array([[0.8, 0.8, 0.8, 0.8, 0.8], [0.7, 0.7, 0.7, 0.7, 1.0]])
    oof, _, goal, folds = make(2, 100)
    made = [evaluate(EqualWeights(name), oof, goal, folds) for name in "ab"]
    made = [dataclasses.replace(m, scores=s) for m, s in zip(made, scores, strict=True)]
    choice = choose_nested(made, goal.metric, folds)
    assert choice.names[4] == "a"  # b is the best there, but only there
    assert choice.scores[4] == 0.8


def test_the_simplest_within_one_error_is_chosen():
    rng = np.random.default_rng(0)
    noisy = 0.8 + 0.01 * rng.normal(size=10)
    level = noisy + 0.0005 * rng.normal(size=10)
    better = noisy + 0.02 + 0.001 * rng.normal(size=10)
    auc = METRICS["auc"]
    assert simplest_of_the_best(np.stack([noisy, level]), auc, 5)[0] == 0
    assert simplest_of_the_best(np.stack([noisy, level, better]), auc, 5)[0] == 2
    lower = METRICS["log_loss"]
    assert simplest_of_the_best(np.stack([better, noisy]), lower, 5)[0] == 1


def test_ranks_are_for_metrics_of_ranks():
    binary, values = Task("binary", 2), Task("regression")
    zeros = np.zeros(4, dtype=np.int64)
    assert "ranks" in methods_for(Goal(zeros, binary, METRICS["auc"]))
    assert "ranks" not in methods_for(Goal(zeros, binary, METRICS["log_loss"]))
    assert "logistic" not in methods_for(Goal(zeros.astype(float), values, METRICS["rmse"]))


@pytest.mark.parametrize("kind", ["regression", "multiclass", "multilabel", "ordinal"])
def test_every_method_suits_its_task(kind):
    rng = np.random.default_rng(0)
    n, folds = 200, (np.arange(200) % 4)[None]
    if kind == "regression":
        target, task, metric = rng.normal(size=n), Task(kind), "mae"
        oof = (target + rng.normal(size=(3, n)))[..., None]
    elif kind == "ordinal":
        target, task, metric = rng.integers(0, 4, n), Task(kind, 4), "mae"
        oof = (target + 0.5 * rng.normal(size=(3, n)))[..., None]
    elif kind == "multiclass":
        target, task, metric = rng.integers(0, 3, n), Task(kind, 3), "log_loss"
        odds = np.exp(np.eye(3)[target] + rng.normal(size=(3, n, 3)))
        oof = odds / odds.sum(axis=2, keepdims=True)
    else:
        target, task, metric = (
            rng.integers(0, 2, (n, 2)).astype(float),
            Task(kind, 2, 2),
            "log_loss",
        )
        oof = 1 / (1 + np.exp(1 - 2 * target + rng.normal(size=(3, n, 2))))
    goal = Goal(target, task, METRICS[metric])
    for method in every_method(goal):
        made = evaluate(method, oof, goal, folds)
        assert made.by_repeat.shape == (1, *oof.shape[1:])
        assert np.isfinite(made.scores).all(), method.name


def test_what_a_member_adds():
    oof, _, goal, folds = make(2, 1500, noise=1.5)
    everyone = np.concatenate([oof, oof[:1], noise(1, 1500)])
    made = evaluate(EqualWeights(), everyone, goal, folds)
    adds = what_each_adds(made, everyone, goal, folds)
    assert adds[1] > 0  # the only one of its kind
    assert adds[3] < 0
    alike = correlations(everyone)
    assert alike[0, 2] == pytest.approx(1)
    assert abs(alike[0, 3]) < 0.1
