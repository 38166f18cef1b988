import numpy as np
import pytest

from models.ensembling.blending import BlendError
from models.ensembling.combiners import Weighted, member_logits
from models.ensembling.stacking import Way, all_ways, best_of, fold_scores, mean_of, stack, tempered
from models.estimators.sklearn_models import LogisticSettings
from models.estimators.trees import TreesSettings
from models.metrics import METRICS

LOG_LOSS = METRICS["log_loss"]
FAMILIES = {
    "trees": TreesSettings(n_estimators=30, num_leaves=4, n_threads=1),
    "lines": LogisticSettings(C=0.1),
}


def make_members(n_rows=600, *, seed=0):
    """Two members: each is sure of its own half of the classes only, which no mean makes good."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 4, n_rows)
    members = []
    for known in ((0, 1), (2, 3)):
        logits = rng.normal(size=(n_rows, 4))
        rows = np.flatnonzero(np.isin(target, known))
        logits[rows, target[rows]] += 5
        members.append(softmax(logits))
    return np.stack(members), target, np.arange(n_rows) % 5


def softmax(logits):
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def way_of(oof, target, folds, name="blend"):
    scores = fold_scores(oof, target, folds, metric=LOG_LOSS)
    return Way(name, oof, oof[:10], scores, Weighted(np.ones(1)))


@pytest.mark.parametrize("name", list(FAMILIES))
def test_a_stacker_learns_what_no_mean_can_say(name):
    oof, target, folds = make_members()
    test, truth, _ = make_members(seed=1)
    made = stack(name, oof, test, target, folds, FAMILIES[name], metric=LOG_LOSS)
    mean = LOG_LOSS.function(target, oof.mean(axis=0))
    assert made.mean < mean - 0.1
    assert LOG_LOSS.function(truth, made.test) < mean - 0.1
    np.testing.assert_allclose(made.oof.sum(axis=1), 1, atol=1e-6)
    assert made.scores.shape == (5,)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_the_labels_of_a_fold_have_no_say_in_its_predictions(name):
    oof, target, folds = make_members()
    swapped = target.copy()
    swapped[folds == 2] = (swapped[folds == 2] + 1) % 4
    one, other = (
        stack(name, oof, oof, labels, folds, FAMILIES[name], metric=LOG_LOSS).oof
        for labels in (target, swapped)
    )
    np.testing.assert_array_equal(one[folds == 2], other[folds == 2])
    assert not np.array_equal(one[folds == 1], other[folds == 1])


def test_with_repeats_a_row_gets_their_mean():
    oof, target, folds = make_members()
    shifted = (folds + np.arange(len(folds)) // 5) % 5
    settings = FAMILIES["lines"]
    both = stack("x", oof, oof, target, np.stack([folds, shifted]), settings, metric=LOG_LOSS)
    apart = [stack("x", oof, oof, target, f, settings, metric=LOG_LOSS) for f in (folds, shifted)]
    np.testing.assert_allclose(both.oof, (apart[0].oof + apart[1].oof) / 2)
    np.testing.assert_array_equal(both.scores, np.concatenate([way.scores for way in apart]))


def test_logits_of_a_row_sum_to_zero_and_stand_member_by_member():
    oof, _, _ = make_members(20)
    logits = member_logits(oof)
    assert logits.shape == (20, 8)
    np.testing.assert_allclose(logits[:, :4].sum(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(softmax(logits[:, 4:]), oof[1], atol=1e-5)


def test_too_sure_a_way_is_toned_down_without_its_own_fold():
    rng = np.random.default_rng(0)
    target = rng.integers(0, 3, 600)
    folds = np.arange(600) % 4
    logits = np.eye(3)[target] + rng.normal(scale=0.7, size=(600, 3))
    way = way_of(softmax(8 * logits), target, folds)
    toned = tempered(way, target, folds, metric=LOG_LOSS)
    assert toned.name == "blend, tempered"
    assert toned.mean < way.mean - 0.1
    swapped = target.copy()
    swapped[folds == 1] = (swapped[folds == 1] + 1) % 3
    again = tempered(way, swapped, folds, metric=LOG_LOSS)
    np.testing.assert_array_equal(toned.oof[folds == 1], again.oof[folds == 1])


def test_the_mean_of_two_ways():
    oof, target, folds = make_members()
    ways = [way_of(p, target, folds, name) for p, name in zip(oof, "ab", strict=True)]
    made = mean_of(ways, target, folds, metric=LOG_LOSS)
    assert made.name == "a + b"
    np.testing.assert_allclose(made.oof, oof.mean(axis=0))
    np.testing.assert_allclose(made.test, oof[:, :10].mean(axis=0))


def test_without_stackers_the_blend_is_all_there_is():
    oof, target, folds = make_members()
    first = way_of(oof.mean(axis=0), target, folds)
    assert all_ways(first, oof, oof, target, folds, {}, metric=LOG_LOSS) == [first]


def test_every_way_is_tried_and_the_best_one_taken():
    oof, target, folds = make_members()
    first = way_of(oof.mean(axis=0), target, folds)
    ways = all_ways(first, oof, oof[:, :10], target, folds, FAMILIES, metric=LOG_LOSS)
    names = ["blend", "trees", "lines", "blend + trees + lines"]
    assert [way.name for way in ways] == names + [f"{name}, tempered" for name in names]
    assert best_of(ways, LOG_LOSS).mean == min(way.mean for way in ways)
    accurate = best_of(ways, METRICS["accuracy"])
    assert accurate.mean == max(way.mean for way in ways)


def test_probabilities_that_are_none_are_refused():
    oof, target, folds = make_members()
    oof[0, 3, 1] = np.nan
    with pytest.raises(BlendError, match="row 3"):
        stack("x", oof, oof, target, folds, FAMILIES["lines"], metric=LOG_LOSS)
