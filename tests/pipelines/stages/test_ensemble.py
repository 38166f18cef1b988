from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from features.folds import FoldPlan, make_folds
from models.ensembling.goal import Goal
from models.estimators.sklearn_models import LogisticSettings
from models.metrics import METRICS
from models.tasks import Task
from pipelines.configuration.competition import SecondLevel
from pipelines.members.predictions import Predictions
from pipelines.stages import ensemble
from pipelines.stages.ensemble import EnsembleSettings
from pipelines.workspace import arrays

N_ROWS, N_TEST = 300, 50
SETTINGS = EnsembleSettings(METRICS["accuracy"], task=Task("binary", 2), second_level=SecondLevel())


def goal_of(settings, target):
    return Goal(target, settings.task, settings.metric)


@pytest.fixture
def target():
    return np.random.default_rng(0).integers(0, 2, N_ROWS)


@pytest.fixture
def folds(target):
    return make_folds(target, FoldPlan(n_folds=5, n_repeats=2))


def predictions(name, target, folds, *, noise):
    rng = np.random.default_rng(len(name))
    positive = np.clip((target * 0.6 + 0.2) + rng.normal(scale=noise, size=N_ROWS), 0.02, 0.98)
    oof = np.column_stack([1 - positive, positive])
    test = np.full((N_TEST, 2), 0.5)
    score = METRICS["accuracy"].score
    scores = [score(target[s.valid_rows], oof[s.valid_rows]) for s in folds.splits()]
    return Predictions(name, oof, test, np.array(scores))


def test_the_better_member_weighs_more_and_weights_sum_to_one(target, folds):
    good = predictions("good", target, folds, noise=0.15)
    poor = predictions("poorer", target, folds, noise=0.6)
    blend = ensemble.ensemble(SETTINGS, goal_of(SETTINGS, target), folds, [good, poor])
    assert blend.members == ("good", "poorer")
    assert blend.weights[0] > blend.weights[1] >= 0
    assert blend.weights.sum() == pytest.approx(1)


def test_the_score_is_that_of_rows_blended_without_their_fold(target, folds):
    members = [
        predictions("a", target, folds, noise=0.3),
        predictions("bb", target, folds, noise=0.3),
    ]
    blend = ensemble.ensemble(SETTINGS, goal_of(SETTINGS, target), folds, members)
    assert blend.scores.shape == (10,)
    assert blend.candidates == ("blend", "best member")
    assert blend.cv == pytest.approx(blend.scores.mean())
    swapped = target.copy()
    held_out = next(folds.splits()).valid_rows
    swapped[held_out] = 1 - swapped[held_out]
    again = ensemble.ensemble(SETTINGS, goal_of(SETTINGS, swapped), folds, members)
    # The labels of a fold have no say in how that fold is predicted, only in how it scores.
    before, after = blend.candidate_scores[:, 0], again.candidate_scores[:, 0]
    np.testing.assert_allclose(after, 1 - before)


def test_a_blend_is_read_back_as_it_was_written(target, folds, tmp_path):
    settings = dataclasses.replace(SETTINGS, extra_metrics=(METRICS["log_loss"],))
    blend = ensemble.ensemble(
        settings, goal_of(settings, target), folds, [predictions("a", target, folds, noise=0.3)]
    )
    ensemble.save(blend, tmp_path)
    read = ensemble.load(tmp_path)
    assert (read.members, read.candidates) == (blend.members, blend.candidates)
    assert (read.chosen, read.overlap_share) == (blend.chosen, blend.overlap_share)
    for name in ensemble.STORED_ARRAYS:
        np.testing.assert_array_equal(getattr(read, name), getattr(blend, name))


def test_a_run_keeps_the_names_on_disk_of_the_first_version(tmp_path):
    """Older checkouts read them, and so do the MLflow models that they logged."""
    members = {"members": ["a"], "ways": ["blend", "lines"], "way": "lines", "known_share": 0.25}
    (tmp_path / "members.json").write_text(json.dumps(members))
    names = ("weights", "oof", "test", "scores", "member_scores", "way_scores", "also")
    stored = {name: np.array([float(n)]) for n, name in enumerate((*names, "member_also"))}
    arrays.write(tmp_path / "blend.npz", stored)
    blend = ensemble.load(tmp_path)
    assert (blend.members, blend.candidates) == (("a",), ("blend", "lines"))
    assert (blend.chosen, blend.overlap_share) == ("lines", 0.25)
    read = (blend.candidate_scores, blend.extra_scores, blend.member_extra_scores)
    assert [array.item() for array in read] == [5, 6, 7]
    again = tmp_path / "again"
    again.mkdir()
    ensemble.save(blend, again)
    rule = {"decision": {"rule": "plain", "numbers": []}}
    assert json.loads((again / "members.json").read_text()) == members | rule
    assert set(arrays.read(again / "blend.npz")) == {*stored, "plain_scores"}


def test_stackers_are_tried_beside_the_blend_and_the_best_candidate_is_chosen(target, folds):
    level = SecondLevel(stackers={"lines": LogisticSettings(C=0.1)})
    settings = EnsembleSettings(METRICS["log_loss"], task=Task("binary", 2), second_level=level)
    # Both are far from confident enough: a logistic regression on their logits corrects that.
    members = [predictions(name, target, folds, noise=0.1) for name in ("a", "bb")]
    blend = ensemble.ensemble(settings, goal_of(settings, target), folds, members)
    assert blend.candidates[:3] == ("blend", "lines", "blend + lines")
    assert blend.candidates[-1] == "best member"
    assert blend.candidate_scores.shape == (7, 10)
    means = dict(zip(blend.candidates, blend.candidate_scores.mean(axis=1), strict=True))
    assert blend.chosen == min(means, key=means.get)
    assert blend.cv == pytest.approx(means[blend.chosen])
    assert means[blend.chosen] < means["blend"] - 0.1
    assert blend.test.shape == (N_TEST, 2)


def test_the_best_member_is_chosen_where_it_is_better_than_the_blend(target, folds):
    """Always right, but hardly sure of it: the accuracy likes that member, log-loss does not."""
    loud = predictions("loud", target, folds, noise=0.25)
    positive = 0.5 + 0.001 * (2 * target - 1)
    shy = dataclasses.replace(
        loud,
        member="shy",
        oof=np.column_stack([1 - positive, positive]),
        test=np.full((N_TEST, 2), 0.4),
        scores=np.ones(10),
    )
    blend = ensemble.ensemble(SETTINGS, goal_of(SETTINGS, target), folds, [loud, shy])
    assert blend.chosen == "best member"
    assert blend.weights.tolist() == [0, 1]
    assert blend.cv == 1.0 > blend.candidate_scores[0].mean()
    np.testing.assert_array_equal(blend.test, shy.test)


def test_one_member_alone_is_the_only_candidate(target, folds):
    blend = ensemble.ensemble(
        SETTINGS, goal_of(SETTINGS, target), folds, [predictions("a", target, folds, noise=0.3)]
    )
    assert blend.candidates == ("blend",) == (blend.chosen,)
    np.testing.assert_array_equal(blend.candidate_scores, blend.scores[None])


def test_the_settings_of_a_competition(toy):
    level = SecondLevel(stackers={"lines": LogisticSettings(C=0.1)})
    changed = toy.model_copy(update={"extra_metrics": (METRICS["auc"],), "second_level": level})
    settings = EnsembleSettings.of(changed)
    assert settings.metric is toy.metric
    assert settings.extra_metrics == (METRICS["auc"],)
    assert (settings.task, settings.blend) == (toy.predicts, toy.blend)
    assert (settings.second_level, settings.overlap) == (level, None)
