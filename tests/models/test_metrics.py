from __future__ import annotations

import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics

from models.metrics import METRICS, Metric, UnknownMetricError, metric_named, top_k
from models.tasks import Task

TASKS = {
    "binary": Task("binary", 2),
    "multiclass": Task("multiclass", 5),
    "ordinal": Task("ordinal", 5),
    "regression": Task("regression"),
    "targets": Task("regression", n_targets=3),
    "multilabel": Task("multilabel", 2, 3),
}
WEIGHTED = [False, True]


def case(seed: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    columns = rng.dirichlet(np.ones(n_classes), size=200)
    if seed % 2:
        columns = np.round(columns, 1)  # many ties, zeros and ones
        columns /= columns.sum(axis=1, keepdims=True)
    return rng.integers(0, n_classes, 200), columns


def case_of(task: Task, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Target and prediction in the shapes of the task."""
    rng = np.random.default_rng(seed)
    if task.chooses_class:
        return case(seed, task.n_classes)
    if task.kind == "ordinal":
        target = rng.integers(0, task.n_classes, 200)
        return target, (target + rng.normal(0, 1, 200)).clip(0, task.n_classes - 1)[:, None]
    if task.kind == "multilabel":
        target = rng.integers(0, 2, (200, 3)).astype(float)
        return target, (target * 0.3 + rng.uniform(0, 0.7, (200, 3)))
    target = rng.gamma(2.0, size=(200, task.n_targets))
    prediction = target + rng.normal(size=target.shape)
    return (target[:, 0] if task.n_targets == 1 else target), prediction


def weights(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 3, 200)


@pytest.mark.parametrize("is_weighted", WEIGHTED)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_classes", [2, 5])
def test_scores_of_classes_are_scikit_learns(seed: int, n_classes: int, is_weighted: bool) -> None:
    target, columns = case(seed, n_classes)
    labels, guess = np.arange(n_classes), columns.argmax(axis=1)
    weight = weights() if is_weighted else None
    of_rows = {"sample_weight": weight}

    def f1(average: str) -> float:
        return metrics.f1_score(target, guess, average=average, **of_rows)

    expected = {
        "accuracy": metrics.accuracy_score(target, guess, **of_rows),
        "balanced_accuracy": metrics.balanced_accuracy_score(target, guess, **of_rows),
        "log_loss": metrics.log_loss(target, columns, labels=labels, **of_rows),
        "macro_f1": f1("macro"),
        "micro_f1": f1("micro"),
        "weighted_f1": f1("weighted"),
        "mcc": metrics.matthews_corrcoef(target, guess, **of_rows),
        "qwk": metrics.cohen_kappa_score(target, guess, weights="quadratic", **of_rows),
        "brier": metrics.brier_score_loss(target, columns, **of_rows),
        "map@3": metrics.label_ranking_average_precision_score(
            np.eye(n_classes)[target], columns + 1e-6 * np.arange(n_classes)[::-1], **of_rows
        ),
    }
    if n_classes == 2:
        second = columns[:, 1]
        expected["auc"] = metrics.roc_auc_score(target, second, **of_rows)
        expected["gini"] = 2 * expected["auc"] - 1
        expected["average_precision"] = metrics.average_precision_score(target, second, **of_rows)
        expected["f1"] = f1("binary")
        expected["auc_ovr"] = expected["auc"]
    else:
        expected["auc_ovr"] = metrics.roc_auc_score(target, columns, multi_class="ovr", **of_rows)
        expected["average_precision"] = metrics.average_precision_score(target, columns, **of_rows)
        expected["map@5"] = expected.pop("map@3")
    for name, value in expected.items():
        score = metric_named(name).score(target, columns, weight)
        assert score == pytest.approx(value, rel=1e-9), name


@pytest.mark.parametrize("is_weighted", WEIGHTED)
@pytest.mark.parametrize("name", ["regression", "targets"])
def test_scores_of_values_are_scikit_learns(name: str, is_weighted: bool) -> None:
    target, prediction = case_of(TASKS[name])
    weight = weights() if is_weighted else None
    options = {"sample_weight": weight}
    clipped = prediction.clip(min=0)
    expected = {
        "rmse": metrics.root_mean_squared_error(target, prediction, **options),
        "mcrmse": metrics.root_mean_squared_error(target, prediction, **options),
        "rmsle": metrics.root_mean_squared_log_error(target, clipped, **options),
        "mae": metrics.mean_absolute_error(target, prediction, **options),
        "medae": metrics.median_absolute_error(target, prediction, **options),
        "mape": metrics.mean_absolute_percentage_error(target, prediction, **options),
        "r2": metrics.r2_score(target, prediction, **options),
        "pinball": metrics.mean_pinball_loss(target, prediction, alpha=0.5, **options),
        "pinball@0.9": metrics.mean_pinball_loss(target, prediction, alpha=0.9, **options),
    }
    for name, value in expected.items():
        score = metric_named(name).score(target, prediction, weight)
        assert score == pytest.approx(value, rel=1e-12), name


@pytest.mark.parametrize("is_weighted", WEIGHTED)
def test_scores_of_labels_that_do_not_exclude_each_other(is_weighted: bool) -> None:
    target, prediction = case_of(TASKS["multilabel"])
    weight = weights() if is_weighted else None
    guess, options = prediction >= 0.5, {"sample_weight": weight}
    pairs = list(zip(target.T, prediction.T, strict=True))
    expected = {
        "auc": metrics.roc_auc_score(target, prediction, **options),
        "average_precision": metrics.average_precision_score(target, prediction, **options),
        "log_loss": np.mean([metrics.log_loss(t, p, **options) for t, p in pairs]),
        "accuracy": np.average((target == guess).mean(axis=1), weights=weight),
        "f1": metrics.f1_score(target, guess, average="macro", **options),
        "macro_f1": metrics.f1_score(target, guess, average="macro", **options),
        "micro_f1": metrics.f1_score(target, guess, average="micro", **options),
        "weighted_f1": metrics.f1_score(target, guess, average="weighted", **options),
        "mcc": np.mean([metrics.matthews_corrcoef(t, p >= 0.5, **options) for t, p in pairs]),
    }
    for name, value in expected.items():
        score = METRICS[name].score(target, prediction, weight)
        assert score == pytest.approx(value, rel=1e-12), name


def test_correlations_are_scipys() -> None:
    target, prediction = case_of(TASKS["regression"])
    rounded = prediction.round(0)  # ties
    for values in (prediction, rounded):
        pearson, spearman = METRICS["pearson"], METRICS["spearman"]
        linear = stats.pearsonr(target, values[:, 0]).statistic
        ranked = stats.spearmanr(target, values[:, 0]).statistic
        assert pearson.score(target, values) == pytest.approx(linear)
        assert spearman.score(target, values) == pytest.approx(ranked)


def test_whole_weights_repeat_rows() -> None:
    """Also where scikit-learn has no form to compare with."""
    repeats = np.random.default_rng(1).integers(0, 4, 200)
    names = [*METRICS, "map@2", "pinball@0.2"]
    for task in TASKS.values():
        target, prediction = case_of(task)
        longer = target.repeat(repeats, axis=0), prediction.repeat(repeats, axis=0)
        for metric in map(metric_named, names):
            if metric.suits(task) and metric.name not in ("medae", "spearman", "macro_f1"):
                weighted = metric.score(target, prediction, repeats)
                assert weighted == pytest.approx(metric.score(*longer), rel=1e-9), metric.name


@pytest.mark.parametrize(
    ("name", "target", "prediction", "score"),
    [
        ("smape", [0.0, 100.0, 3.0], [0.0, 50.0, 0.0], 100 * (0 + 2 / 3 + 2) / 3),
        ("mcrmse", [[0.0, 0.0], [0.0, 0.0]], [[3.0, 1.0], [3.0, -1.0]], (3 + 1) / 2),
        ("rmse", [[0.0, 0.0], [0.0, 0.0]], [[3.0, 1.0], [3.0, -1.0]], (3 + 1) / 2),
        ("rmsle", [0.0, np.e - 1], [-5.0, np.e - 1], 0.0),
        ("pinball@0.9", [10.0, 10.0], [8.0, 12.0], (0.9 * 2 + 0.1 * 2) / 2),
        ("pinball", [10.0, 10.0], [8.0, 11.0], (0.5 * 2 + 0.5 * 1) / 2),
        ("gini", [0, 0, 1, 1], [[0.9, 0.1], [0.3, 0.7], [0.5, 0.5], [0.2, 0.8]], 2 * 0.75 - 1),
        (
            "map@2",
            [0, 1, 2],
            [[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.6, 0.3, 0.1]],
            (1 + 1 / 2 + 0) / 3,
        ),
        (
            "balanced_log_loss",
            [0, 0, 0, 1],
            [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [0.75, 0.25]],
            (math.log(2) + math.log(4)) / 2,
        ),
        ("brier", [0, 2], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]], (0.5 + 0) / 2),
        ("brier", [0, 1], [[0.5, 0.5], [0.0, 1.0]], (0.25 + 0) / 2),
        # positions 0 to 4, of which 1 to 3 do not occur: (0 - 4)^2 of two of four rows
        ("qwk", [0, 4, 0, 4], [[0.0], [4.0], [4.0], [0.0]], 0.0),
        ("qwk", [0, 4, 0, 3], [[0.0], [4.0], [0.0], [4.0]], 1 - 1 / ((64 + 32 + 20) / 4)),
        ("mape", [2.0, 4.0], [1.0, 4.0], 0.25),
    ],
)
def test_scores_by_hand(
    name: str, target: list[float], prediction: list[float], score: float
) -> None:
    found = metric_named(name).score(np.array(target), np.array(prediction))
    assert found == pytest.approx(score, abs=1e-12)


def test_many_models_at_once_are_each_model_alone() -> None:
    n_at_once = 0
    for task in TASKS.values():
        pairs = zip(*(case_of(task, seed) for seed in range(4)), strict=True)
        target, columns = map(np.array, pairs)
        for metric in METRICS.values():
            if metric.suits(task):
                together = metric.batched_score(torch.tensor(target), torch.tensor(columns))
                alone = [metric.score(t, c) for t, c in zip(target, columns, strict=True)]
                np.testing.assert_allclose(together, alone, rtol=1e-12, err_msg=metric.name)
                n_at_once += metric.batched is not None
    assert n_at_once > 10


@pytest.mark.parametrize("name", [m.name for m in METRICS.values() if m.batched])
def test_a_batched_form_is_the_function(name: str) -> None:
    """`score` takes the batched form without weights and the function with equal weights."""
    metric, n_cases = METRICS[name], 0
    for task in filter(metric.suits, TASKS.values()):
        for seed in range(4):
            target, prediction = case_of(task, seed)
            in_torch = metric.score(target, prediction)
            in_numpy = metric.score(target, prediction, np.ones(len(target)))
            assert in_torch == pytest.approx(in_numpy, rel=1e-12)
            n_cases += 1
    assert n_cases >= 4


UNDEFINED = [
    ("auc", np.ones(5, int), np.full((5, 2), 0.5)),
    ("gini", np.ones(5, int), np.full((5, 2), 0.5)),
    ("auc_ovr", np.ones(5, int), np.full((5, 3), 1 / 3)),
    ("average_precision", np.zeros(5, int), np.full((5, 2), 0.5)),
    ("qwk", np.ones(5, int), np.ones((5, 1))),
    ("spearman", np.ones(5), np.arange(5.0)[:, None]),
    ("r2", np.ones(1), np.ones((1, 1))),
    ("pearson", np.ones(1), np.ones((1, 1))),
    ("mae", np.ones(0), np.ones((0, 1))),
    ("smape", np.ones(2), np.array([[1.0], [np.nan]])),
]


@pytest.mark.parametrize(("name", "target", "prediction"), UNDEFINED)
@pytest.mark.parametrize("is_weighted", WEIGHTED)
def test_what_is_undefined_is_nan_without_warnings_and_never_better(
    name: str, target: np.ndarray, prediction: np.ndarray, is_weighted: bool
) -> None:
    metric = METRICS[name]
    weight = np.ones(len(target)) if is_weighted else None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score = metric.score(target, prediction, weight)
    assert math.isnan(score)
    assert not metric.is_better(score, 0.1)


@pytest.mark.parametrize("name", METRICS)
def test_one_class_and_one_row_never_raise(name: str) -> None:
    metric = METRICS[name]
    for task in filter(metric.suits, TASKS.values()):
        target, prediction = case_of(task)
        for rows in (slice(0, 1), np.flatnonzero(target == target[0])):
            if target.ndim == 1:
                assert isinstance(metric.score(target[rows], prediction[rows]), float)


def test_a_column_of_one_class_is_left_out_of_the_mean() -> None:
    target, prediction = case_of(TASKS["multilabel"])
    target[:, 1] = 0
    kept = METRICS["auc"].score(target[:, [0, 2]], prediction[:, [0, 2]])
    assert METRICS["auc"].score(target, prediction) == kept
    target, prediction = case_of(TASKS["targets"])
    prediction[:, 1] = 7  # a constant answer must not raise the mean
    others = [
        METRICS["pearson"].score(t, p[:, None]) for t, p in zip(target.T, prediction.T, strict=True)
    ]
    assert others[1] == 0
    assert METRICS["pearson"].score(target, prediction) == pytest.approx(np.mean(others))


def test_direction() -> None:
    assert METRICS["accuracy"].is_better(0.9, 0.8)
    assert METRICS["log_loss"].is_better(0.3, 0.4)
    higher = {name for name, metric in METRICS.items() if metric.greater_is_better}
    assert higher == {
        *("accuracy", "balanced_accuracy", "auc", "auc_ovr", "average_precision", "f1"),
        *("macro_f1", "micro_f1", "weighted_f1", "mcc", "qwk", "map@3", "r2", "pearson"),
        *("spearman", "gini"),
    }


def test_positions_are_rounded_and_0_at_least() -> None:
    target = np.array([0, 1, 2, 2])
    assert METRICS["accuracy"].score(target, np.array([[-0.7], [1.4], [1.6], [2.4]])) == 1
    assert METRICS["rmse"].score(target, np.array([[0.0], [1.0], [2.0], [4.0]])) == 1


def test_tasks_that_a_metric_suits() -> None:
    suited = {name: {n for n, t in TASKS.items() if METRICS[name].suits(t)} for name in METRICS}
    values = {"ordinal", "regression", "targets"}
    assert suited["rmse"] == suited["spearman"] == values
    assert suited["f1"] == suited["auc"] == suited["gini"] == {"binary", "multilabel"}
    assert suited["log_loss"] == {"binary", "multiclass", "multilabel"}
    assert suited["qwk"] == {"binary", "multiclass", "ordinal", "multilabel"}
    assert suited["map@3"] == {"binary", "multiclass"}


def test_names() -> None:
    assert metric_named("map@12").k == 12
    assert metric_named("pinball@0.9").level == 0.9
    assert [metric_named(name) for name in METRICS] == list(METRICS.values())
    assert len({*METRICS.values()}) == len(METRICS) == 27
    assert all(metric.name == name for name, metric in METRICS.items())


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("logloss", "log_loss"),
        ("RMSE", "did you mean 'rmse'"),
        ("map@0", "map@5"),
        ("pinball@1.5", "pinball@0.9"),
        ("pinball@0.0", "level from 0 to 1"),
    ],
)
def test_an_unknown_name_says_what_is_near(name: str, near: str) -> None:
    with pytest.raises(UnknownMetricError, match=near) as caught:
        metric_named(name)
    assert isinstance(caught.value, ValueError)
    assert caught.value.exit_code == 2


def test_a_metric_of_ones_own() -> None:
    seen = []

    def share(target: np.ndarray, labels: np.ndarray, weight: np.ndarray | None) -> float:
        seen.append((target.shape, labels.shape, None if weight is None else weight.shape))
        return np.average(target == labels, weights=weight)

    mine, (target, columns) = Metric("mine", share, True, on="labels"), case(0, 5)
    assert mine.score(target, columns) == METRICS["accuracy"].score(target, columns)
    assert mine.score(target, columns, weights()) < 1
    assert seen == [((200,), (200,), None), ((200,), (200,), (200,))]
    together = mine.batched_score(torch.tensor(target)[None], torch.tensor(columns)[None])
    assert together.tolist() == [mine.score(target, columns)]
    second = Metric("second", lambda t, p, w: p.sum(), True)
    target, columns = case(0, 2)
    assert second(target, columns) == columns[:, 1].sum()


def test_the_best_classes_of_a_row() -> None:
    ranked = top_k(np.array([[0.2, 0.4, 0.4], [0.5, 0.1, 0.4]]), 2)
    assert ranked.tolist() == [[1, 2], [0, 2]]
    assert ranked.dtype == np.int64
    assert top_k(np.ones((1, 3)), 5).tolist() == [[0, 1, 2]]


def test_names_are_known_without_torch_and_scikit_learn() -> None:
    code = "import sys, models.metrics as m, models.decisions; m.metric_named('map@5'); "
    code += "print([n for n in ('torch', 'sklearn', 'scipy') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
