from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.ensembling.blending import nested
from models.ensembling.checks import BlendError
from models.ensembling.combiners import Weighted, member_logits
from models.ensembling.goal import Goal
from models.ensembling.selection import best_of
from models.ensembling.stacking import (
    Candidate,
    EnsembleInputs,
    make_candidates,
    mean_of,
    stack,
    tempered,
    weighted_mean,
)
from models.estimators.sklearn_models import LogisticSettings
from models.estimators.trees import TreesSettings
from models.metrics import METRICS
from models.tasks import Task

LOG_LOSS = METRICS["log_loss"]
FAMILIES = {
    "trees": TreesSettings(n_estimators=30, num_leaves=4, n_threads=1),
    "lines": LogisticSettings(C=0.1),
}


def make_members(n_rows=600, *, seed=0):
    """Two members, each good at one half of the classes only, which no mean can make up for."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 4, n_rows)
    members = []
    for learned in ((0, 1), (2, 3)):
        logits = rng.normal(size=(n_rows, 4))
        rows = np.flatnonzero(np.isin(target, learned))
        logits[rows, target[rows]] += 5
        members.append(softmax(logits))
    return np.stack(members), target, np.arange(n_rows) % 5


def softmax(logits):
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def inputs_of(oof, test, target, folds, metric=LOG_LOSS):
    task = Task("multiclass", oof.shape[-1])
    return EnsembleInputs(oof, test, Goal(target, task, metric), folds)


def candidate_of(oof, target, folds, name="blend"):
    scores = inputs_of(oof[None], oof[None], target, folds).fold_scores(oof)
    return Candidate(name, oof, oof[:10], scores, Weighted(np.ones(1)))


@pytest.mark.parametrize("name", list(FAMILIES))
def test_a_stacker_learns_what_no_mean_can_express(name):
    oof, target, folds = make_members()
    test, truth, _ = make_members(seed=1)
    made = stack(name, FAMILIES[name], inputs_of(oof, test, target, folds))
    mean = LOG_LOSS.score(target, oof.mean(axis=0))
    assert made.mean < mean - 0.1
    assert LOG_LOSS.score(truth, made.test) < mean - 0.1
    np.testing.assert_allclose(made.oof.sum(axis=1), 1, atol=1e-6)
    assert made.scores.shape == (5,)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_the_labels_of_a_fold_do_not_influence_its_predictions(name):
    oof, target, folds = make_members()
    swapped = target.copy()
    swapped[folds == 2] = (swapped[folds == 2] + 1) % 4
    one, other = (
        stack(name, FAMILIES[name], inputs_of(oof, oof, labels, folds)).oof
        for labels in (target, swapped)
    )
    np.testing.assert_array_equal(one[folds == 2], other[folds == 2])
    assert not np.array_equal(one[folds == 1], other[folds == 1])


def test_with_repeats_a_row_gets_their_mean():
    oof, target, folds = make_members()
    shifted = (folds + np.arange(len(folds)) // 5) % 5
    both, *apart = (
        stack("x", FAMILIES["lines"], inputs_of(oof, oof, target, f))
        for f in (np.stack([folds, shifted]), folds, shifted)
    )
    np.testing.assert_allclose(both.oof, (apart[0].oof + apart[1].oof) / 2)
    np.testing.assert_array_equal(both.scores, np.concatenate([one.scores for one in apart]))


def test_context_features_are_inputs_of_a_stacker():
    oof, target, folds = make_members()
    context = (5 * np.eye(4)[target], 5 * np.eye(4)[target])
    blind = inputs_of(oof, oof, target, folds)
    seeing = stack("x", FAMILIES["lines"], dataclasses.replace(blind, context=context))
    assert seeing.mean < stack("x", FAMILIES["lines"], blind).mean / 2
    again = seeing.combiner.predict(oof, context[1])
    np.testing.assert_array_equal(again, seeing.test)


def test_logits_of_a_row_sum_to_zero_and_are_ordered_by_member():
    oof, _, _ = make_members(20)
    logits = member_logits(oof)
    assert logits.shape == (20, 8)
    np.testing.assert_allclose(logits[:, :4].sum(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(softmax(logits[:, 4:]), oof[1], atol=1e-5)


def test_an_overconfident_candidate_is_calibrated_without_the_rows_fold():
    rng = np.random.default_rng(0)
    target = rng.integers(0, 3, 600)
    folds = np.arange(600) % 4
    logits = np.eye(3)[target] + rng.normal(scale=0.7, size=(600, 3))
    candidate = candidate_of(softmax(8 * logits), target, folds)
    oof = candidate.oof[None]
    calibrated = tempered(candidate, inputs_of(oof, oof, target, folds))
    assert calibrated.name == "blend, tempered"
    assert calibrated.mean < candidate.mean - 0.1
    swapped = target.copy()
    swapped[folds == 1] = (swapped[folds == 1] + 1) % 3
    again = tempered(candidate, inputs_of(oof, oof, swapped, folds))
    np.testing.assert_array_equal(calibrated.oof[folds == 1], again.oof[folds == 1])


def test_the_mean_of_two_candidates():
    oof, target, folds = make_members()
    both = [candidate_of(p, target, folds, name) for p, name in zip(oof, "ab", strict=True)]
    made = mean_of(both, inputs_of(oof, oof, target, folds))
    assert made.name == "a + b"
    np.testing.assert_allclose(made.oof, oof.mean(axis=0))
    np.testing.assert_allclose(made.test, oof[:, :10].mean(axis=0))


def test_the_weighted_mean_is_scored_with_weights_of_the_other_folds():
    oof, target, folds = make_members()
    inputs, combiner = inputs_of(oof, oof[:, :10], target, folds), Weighted(np.array([0.25, 0.75]))
    made, honest = (
        weighted_mean("blend", combiner, inputs),
        nested(oof, inputs.goal, folds),
    )
    np.testing.assert_array_equal(made.oof, honest.oof)
    np.testing.assert_array_equal(made.scores, honest.fold_scores)
    np.testing.assert_array_equal(made.test, 0.25 * oof[0, :10] + 0.75 * oof[1, :10])


def test_without_stackers_the_blend_is_the_only_candidate():
    oof, target, folds = make_members()
    first = candidate_of(oof.mean(axis=0), target, folds)
    assert make_candidates(first, {}, inputs_of(oof, oof, target, folds)) == [first]


def test_every_candidate_is_tried_and_the_best_one_chosen():
    oof, target, folds = make_members()
    first = candidate_of(oof.mean(axis=0), target, folds)
    candidates = make_candidates(first, FAMILIES, inputs_of(oof, oof[:, :10], target, folds))
    names = ["blend", "trees", "lines", "blend + trees + lines"]
    assert [one.name for one in candidates] == names + [f"{name}, tempered" for name in names]
    assert best_of(candidates, LOG_LOSS).mean == min(one.mean for one in candidates)
    accurate = best_of(candidates, METRICS["accuracy"])
    assert accurate.mean == max(one.mean for one in candidates)


def test_invalid_probabilities_are_refused():
    oof, target, folds = make_members()
    oof[0, 3, 1] = np.nan
    with pytest.raises(BlendError, match="row 3"):
        stack("x", FAMILIES["lines"], inputs_of(oof, oof, target, folds))
