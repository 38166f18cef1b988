from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ensembling import blending
from models.ensembling.blending import BlendSettings, blend
from models.ensembling.checks import BlendError
from models.ensembling.goal import Goal, Mixable
from models.metrics import METRICS, metric_named
from models.tasks import Task

N_CLASSES = 3


def goal_of(oof, target, metric=METRICS["log_loss"]):
    n_classes = oof.shape[-1] if oof.ndim else 2
    return Goal(target, Task("binary" if n_classes == 2 else "multiclass", n_classes), metric)


def greedy_weights(oof, target, settings=None, *, members=None):
    return blending.greedy_weights(oof, goal_of(oof, target), settings, members=members)


def nested(oof, target, folds, settings=None, *, metric):
    return blending.nested(oof, goal_of(oof, target, metric), folds, settings)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def make(n_rows, noises, seed=0):
    """Members that see the truth through independent noise, and the target: `(M, n, C)`, `(n,)`."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(scale=1.5, size=(n_rows, N_CLASSES))
    target = (truth + rng.gumbel(size=truth.shape)).argmax(axis=1)
    return softmax(np.stack([truth + s * rng.normal(size=truth.shape) for s in noises])), target


def log_loss(probabilities, target):
    return -np.log(probabilities[np.arange(len(target)), target]).mean()


def test_a_single_member_has_all_the_weight():
    oof, target = make(50, [1.0])
    assert greedy_weights(oof, target).tolist() == [1.0]


def test_identical_members_blend_to_themselves():
    oof, target = make(200, [1.0])
    thrice = np.repeat(oof, 3, axis=0)
    weights = greedy_weights(thrice, target)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    np.testing.assert_allclose(blend(thrice, weights), oof[0])


def test_a_member_worse_than_chance_has_no_weight():
    oof, target = make(600, [0.5, 0.6])
    upside_down = np.roll(oof[:1], 1, axis=2)
    weights = greedy_weights(np.concatenate([upside_down, oof]), target)
    assert weights[0] == 0
    assert (weights[1:] > 0.2).all()


def test_where_all_are_worse_than_chance_the_best_is_taken():
    oof, target = make(300, [0.1, 0.1])
    wrong = np.roll(oof, 1, axis=2)
    mild = 0.5 * wrong[1] + 0.5 / N_CLASSES
    assert greedy_weights(np.stack([wrong[0], mild]), target).tolist() == [0, 1]


def test_finds_the_weights_of_a_mixture():
    """Targets drawn from 0.75 a + 0.25 b: no other blend has a lower expected log-loss."""
    rng = np.random.default_rng(3)
    common = rng.normal(scale=1.5, size=(40_000, N_CLASSES))
    a, b = softmax(common + rng.normal(size=(2, 40_000, N_CLASSES)))
    mixture = 0.75 * a + 0.25 * b
    target = (rng.random((40_000, 1)) > mixture.cumsum(axis=1)).sum(axis=1)
    weights = greedy_weights(np.stack([a, b]), target)
    np.testing.assert_allclose(weights, [0.75, 0.25], atol=0.03)


@pytest.mark.parametrize("noises", [(0.5, 0.5, 0.5), (0.5, 0.6, 1.5), (0.4, 2.0, 2.0, 2.0)])
def test_new_rows_lose_little_against_the_best_member_and_against_equal_weights(noises):
    oof, target = make(20_400, noises, seed=1)
    weights = greedy_weights(oof[:, :400], target[:400])
    new, truth = oof[:, 400:], target[400:]
    best = min(log_loss(member, truth) for member in new)
    equal = log_loss(new.mean(axis=0), truth)
    assert log_loss(blend(new, weights), truth) < min(best, equal) + 0.003


def test_shrinking_helps_equally_good_members():
    losses = {True: [], False: []}
    for seed in range(8):
        oof, target = make(5_200, [0.8] * 5, seed=seed)
        for shrink, kept in losses.items():
            chosen = BlendSettings(shrink=shrink)
            weights = greedy_weights(oof[:, :200], target[:200], chosen)
            kept.append(log_loss(blend(oof[:, 200:], weights), target[200:]))
    assert np.mean(losses[True]) < np.mean(losses[False]) - 0.001


def test_a_gain_within_its_error_is_not_followed():
    """A huge `min_gain` keeps every run where it starts; none at all lets the noise in."""
    oof, target = make(60, [0.6, 1.2, 1.4], seed=5)
    timid, bold = (
        greedy_weights(oof, target, BlendSettings(min_gain=gain, shrink=False))
        for gain in (1e9, 0.0)
    )
    assert timid[0] > bold[0]


def test_weights_do_not_depend_on_how_many_runs_are_worked_on_at_a_time(monkeypatch):
    oof, target = make(500, [0.7, 0.8, 0.9])
    together = greedy_weights(oof, target)
    monkeypatch.setattr("models.ensembling.blending.CHUNK", 1)
    np.testing.assert_allclose(greedy_weights(oof, target), together, rtol=1e-12)


def test_the_seed_decides():
    oof, target = make(300, [0.7, 0.8, 0.9])
    first, again = greedy_weights(oof, target), greedy_weights(oof, target)
    other = greedy_weights(oof, target, BlendSettings(seed=1, shrink=False))
    np.testing.assert_array_equal(first, again)
    assert (other != greedy_weights(oof, target, BlendSettings(shrink=False))).any()


@settings(max_examples=40, deadline=None)
@given(
    n_rows=st.integers(1, 40),
    n_members=st.integers(1, 5),
    fraction=st.floats(0.05, 1.0),
    seed=st.integers(0, 99),
)
def test_weights_are_shares_for_every_size(n_rows, n_members, fraction, seed):
    oof, target = make(n_rows, np.linspace(0.1, 3, n_members), seed=seed)
    chosen = BlendSettings(n_steps=5, n_bags=3, member_fraction=fraction)
    weights = greedy_weights(oof, target, chosen)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)


def test_certain_and_wrong_is_finite():
    target = np.arange(30) % 2
    certain = np.eye(2)[target]
    weights = greedy_weights(np.stack([certain, 1 - certain]), target)
    assert weights.tolist() == [1, 0]


def test_nested_scores_a_fold_by_weights_that_never_saw_it():
    oof, target = make(300, [0.6, 0.9])
    folds = np.arange(300) % 3
    before = nested(oof, target, folds, metric=METRICS["log_loss"])
    changed = target.copy()
    changed[folds == 0] = (changed[folds == 0] + 1) % N_CLASSES
    after = nested(oof, changed, folds, metric=METRICS["log_loss"])
    np.testing.assert_array_equal(after.weights[0], before.weights[0])
    np.testing.assert_array_equal(after.oof[folds == 0], before.oof[folds == 0])
    assert (after.weights[1:] != before.weights[1:]).any()
    assert after.fold_scores[0] > before.fold_scores[0] + 0.1


def test_nested_with_repeats():
    oof, target = make(120, [0.6, 0.9])
    assignment = np.stack([np.arange(120) % 3, np.arange(120) // 40])
    both = nested(oof, target, assignment, metric=METRICS["accuracy"])
    single = [nested(oof, target, folds, metric=METRICS["accuracy"]) for folds in assignment]
    assert both.weights.shape == (6, 2)
    np.testing.assert_allclose(both.oof, (single[0].oof + single[1].oof) / 2)
    np.testing.assert_array_equal(both.fold_scores, np.concatenate([s.fold_scores for s in single]))
    assert both.mean == pytest.approx(both.fold_scores.mean())
    assert both.spread == pytest.approx(both.fold_scores.std())
    np.testing.assert_allclose(both.oof.sum(axis=1), 1)


def test_nested_is_not_fooled_by_noise_that_plain_weights_follow():
    """Twenty members that know nothing: the honest score is no better than chance."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 100)
    oof = softmax(rng.normal(scale=0.3, size=(20, 100, 2)))
    plain = log_loss(blend(oof, greedy_weights(oof, target)), target)
    honest = nested(oof, target, np.arange(100) % 5, metric=METRICS["log_loss"]).mean
    assert plain < np.log(2)
    assert honest > plain + 0.005


def test_every_bad_member_is_named():
    oof, target = make(20, [0.5, 0.6, 0.7, 0.8])
    oof[1, 7, 0] = np.nan
    oof[2, 3] = [1.5, -0.5, 0.0]
    oof[3, 4:6] *= 2
    oof[3, 4:6] /= 1.5
    with pytest.raises(BlendError) as caught:
        greedy_weights(oof, target, members=["good", "mlp", "trees", "knn"])
    message = str(caught.value)
    assert "mlp: 1 rows of probabilities are not finite, the first is row 7" in message
    assert "trees: 1 rows of probabilities are not from 0 to 1, the first is row 3" in message
    assert "knn: 2 rows of probabilities do not sum to 1, the first is row 4" in message
    assert "good" not in message
    assert "\n" not in message
    assert BlendError.exit_code == 3


@pytest.mark.parametrize("shape", [(5, 3), (0, 5, 3), (2, 4, 3)])
def test_a_wrong_shape_is_an_error(shape):
    with pytest.raises(BlendError, match="expected \\(n_members, 5, 3\\)"):
        goal = Goal(np.zeros(5, dtype=np.int64), Task("multiclass", 3), METRICS["log_loss"])
        blending.greedy_weights(np.full(shape, 1 / 3), goal)


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (np.arange(9) % 3, "folds are for 9 rows, predictions for 10"),
        (np.full(10, -1), "found none"),
    ],
)
def test_folds_that_do_not_fit_are_an_error(folds, message):
    oof, target = make(10, [1.0])
    with pytest.raises(BlendError, match=message):
        nested(oof, target, folds, metric=METRICS["accuracy"])


def values_of(noises, n_rows=4000, seed=0):
    """Members that see the values through independent noise, and the values."""
    rng = np.random.default_rng(seed)
    target = rng.gamma(2.0, size=n_rows)
    return np.stack([target + s * rng.normal(size=n_rows) for s in noises])[..., None], target


@pytest.mark.parametrize("metric", ["rmse", "mae", "rmsle", "pearson", "pinball@0.7"])
def test_a_blend_of_values_beats_its_members_by_the_metric_s_loss(metric):
    oof, target = values_of([0.5, 0.7, 3.0])
    goal = Goal(target, Task("regression"), metric_named(metric))
    weights = blending.greedy_weights(oof, goal)
    assert weights.sum() == pytest.approx(1)
    assert weights[2] < 0.1 < weights[1] < weights[0]
    honest = blending.nested(oof, goal, np.arange(len(target)) % 5).mean
    best = goal.metric.score(target, oof[0])
    assert goal.metric.is_better(honest, best)


def test_a_member_of_values_worse_than_a_constant_has_no_weight():
    oof, target = values_of([0.5, 9.0])
    goal = Goal(target, Task("regression"), METRICS["rmse"])
    assert blending.greedy_weights(oof, goal).tolist() == [1, 0]


def test_several_labels_and_weighted_rows():
    rng = np.random.default_rng(1)
    target = (rng.random((2000, 3)) < 0.3).astype(float)
    good = np.clip(0.6 * target + 0.2 + 0.1 * rng.random(target.shape), 0, 1)
    oof = np.stack([good, rng.random(target.shape)])
    goal = Goal(target, Task("multilabel", 2, 3), METRICS["auc"])
    assert blending.greedy_weights(oof, goal)[0] > 0.95
    values, truth = values_of([1.0, 1.0])
    values[0, :2000], values[1, 2000:] = truth[:2000, None], truth[2000:, None]
    weight = np.repeat([9.0, 1.0], 2000)
    weighted = Goal(truth, Task("regression"), METRICS["rmse"], weight)
    assert blending.greedy_weights(values, weighted)[0] > 0.7


def test_rows_that_no_fold_holds_out_are_not_looked_at():
    oof, target = make(200, [0.5, 0.8])
    folds = np.where(np.arange(200) < 50, -1, np.arange(200) % 3)
    oof[:, :50] = np.nan
    honest = nested(oof, target, folds, metric=METRICS["log_loss"])
    assert np.isnan(honest.oof[:50]).all()
    assert np.isfinite(honest.oof[50:]).all()
    single = np.where(np.arange(200) < 150, -1, 0)
    oof, target = make(200, [0.5, 0.8])
    assert nested(oof, target, single, metric=METRICS["log_loss"]).weights.tolist() == [[0.5, 0.5]]


def test_losses_are_summed_along_memory(monkeypatch):
    strides, mean = [], Mixable.mean

    def noted(self, losses, rows=None):
        if losses.ndim == 3:
            strides.append(losses.strides[-1])
        return mean(self, losses, rows)

    monkeypatch.setattr(Mixable, "mean", noted)
    rng = np.random.default_rng(0)
    oof = rng.dirichlet(np.ones(2), size=(3, 400))
    target = (oof.mean(axis=0)[:, 1] > 0.5).astype(int)
    blending.greedy_weights(oof, Goal(target, Task("binary", 2), METRICS["accuracy"]))
    assert strides
    assert set(strides) == {np.dtype(np.float64).itemsize}
