from __future__ import annotations

import signal
import threading

import lightgbm
import numpy as np
import pytest
from pydantic import ValidationError

from models.data import FoldData
from models.estimators import boosting
from models.estimators.boosting import TreesError
from models.estimators.fold_models import ABSENT
from models.estimators.trees import TreesSettings
from models.target import Target
from models.tasks import Task

SMALL = TreesSettings(n_estimators=20, learning_rate=0.2, num_leaves=7, n_threads=2)
N_ROWS, N_TEST, N_FOLDS = 240, 50, 3


def fit_trees(folds, tests, target, settings, *, n_classes, seeds, on_fold=None):
    task = Task("binary" if n_classes == 2 else "multiclass", n_classes)
    return boosting.fit_trees(
        folds, tests, Target(np.asarray(target), task), settings, seeds=seeds, on_fold=on_fold
    )


def make(n_classes=2, *, n_cat=0, seed=0):
    """Inputs of training and test rows, and a target that their first columns decide."""
    rng = np.random.default_rng(seed)
    n = N_ROWS + N_TEST
    x_num = rng.normal(size=(n, 4)).astype(np.float32)
    target = np.digitize(x_num[:, 0], np.linspace(-1, 1, n_classes + 1)[1:-1])
    x_num[rng.random(x_num.shape) < 0.1] = np.nan
    inputs = {"x_num": x_num}
    if n_cat:
        inputs["x_cat"] = rng.integers(0, 12, size=(n, n_cat))
        target = (target + (inputs["x_cat"][:, 0] % 3 == 0)) % n_classes
    train = {key: array[:N_ROWS] for key, array in inputs.items()}
    test = {key: array[N_ROWS:] for key, array in inputs.items()}
    return train, test, target[:N_ROWS].astype(np.int64), target[N_ROWS:]


def make_folds(train, n_folds=N_FOLDS, stop_rows=None):
    assignment = np.arange(N_ROWS) % n_folds
    return [
        FoldData(
            inputs=train,
            train_rows=np.flatnonzero(assignment != fold),
            valid_rows=np.flatnonzero(assignment == fold),
            stop_rows=stop_rows,
        )
        for fold in range(n_folds)
    ]


@pytest.mark.parametrize("n_classes", [2, 4])
def test_learns_from_a_column(n_classes):
    train, test, target, truth = make(n_classes)
    folds = make_folds(train)
    fit = fit_trees(folds, [test] * N_FOLDS, target, SMALL, n_classes=n_classes, seeds=(0, 1))
    assert [(r.fold, r.seed) for r in fit.replicas] == [(f, s) for f in range(3) for s in (0, 1)]
    for replica in fit.replicas:
        rows = folds[replica.fold].valid_rows
        assert replica.valid_predictions.shape == (len(rows), n_classes)
        np.testing.assert_allclose(replica.valid_predictions.sum(axis=1), 1)
        assert (replica.valid_predictions.argmax(axis=1) == target[rows]).mean() > 0.8
    assert fit.test_predictions.shape == (N_TEST, n_classes)
    assert (fit.test_predictions.argmax(axis=1) == truth).mean() > 0.8
    assert fit.importance.argmax() == 0
    assert fit.importance.sum() == pytest.approx(1)


def test_test_rows_are_the_mean_over_folds_each_by_its_own_encoding():
    train, test, target, _ = make()
    tests = [test, {"x_num": test["x_num"] + 1}, {"x_num": test["x_num"] - 1}]
    fit = fit_trees(make_folds(train), tests, target, SMALL, n_classes=2, seeds=(0, 7))
    second = [
        lightgbm.Booster(model_str=replica.models[0]).predict(tests[replica.fold]["x_num"])
        for replica in fit.replicas
    ]
    np.testing.assert_allclose(fit.test_predictions[:, 1], np.mean(second, axis=0))


def test_a_held_out_target_is_not_seen():
    train, test, target, _ = make()
    folds = make_folds(train)
    changed = target.copy()
    changed[folds[0].valid_rows] = 1 - changed[folds[0].valid_rows]
    before, after = (
        fit_trees(folds, [test] * 3, labels, SMALL, n_classes=2, seeds=(0,)).replicas
        for labels in (target, changed)
    )
    assert before[0].models[0] == after[0].models[0]
    assert before[1].models[0] != after[1].models[0]


def test_the_number_of_threads_changes_nothing():
    train, test, target, _ = make(3, n_cat=1)
    one, many = (
        fit_trees(
            make_folds(train),
            [test] * 3,
            target,
            SMALL.model_copy(update={"n_threads": n_threads}),
            n_classes=3,
            seeds=(0, 1),
        )
        for n_threads in (1, 4)
    )
    np.testing.assert_array_equal(one.test_predictions, many.test_predictions)
    for a, b in zip(one.replicas, many.replicas, strict=True):
        np.testing.assert_array_equal(a.valid_predictions, b.valid_predictions)


def test_the_seed_decides():
    train, test, target, _ = make()
    fit = fit_trees(make_folds(train), [test] * 3, target, SMALL, n_classes=2, seeds=(0, 1, 0))
    first, other, again = fit.replicas[:3]
    assert first.models[0] == again.models[0]
    assert first.models[0] != other.models[0]


def test_category_columns_are_split_by_name():
    train, test, target, truth = make(n_cat=2)
    settings = SMALL.model_copy(update={"min_data_per_group": 5, "cat_smooth": 1.0})

    def fit(train, test):
        return fit_trees(make_folds(train), [test] * 3, target, settings, n_classes=2, seeds=(0,))

    def as_numbers(inputs):
        return {"x_num": np.hstack([inputs["x_num"], inputs["x_cat"]], dtype=np.float32)}

    named, sizes = fit(train, test), fit(as_numbers(train), as_numbers(test))
    assert "num_cat=0" in sizes.replicas[0].models[0]
    assert "num_cat=1" in named.replicas[0].models[0]
    assert named.importance.shape == (6,)
    right = [(f.test_predictions.argmax(axis=1) == truth).mean() for f in (named, sizes)]
    assert right[0] > right[1]


def test_only_categories():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, size=(N_ROWS + N_TEST, 1))
    train, test = {"x_cat": codes[:N_ROWS]}, {"x_cat": codes[N_ROWS:]}
    target = codes[:N_ROWS, 0] % 2
    fit = fit_trees(make_folds(train), [test] * 3, target, SMALL, n_classes=2, seeds=(0,))
    assert (fit.test_predictions.argmax(axis=1) == codes[N_ROWS:, 0] % 2).all()


def test_early_stopping_looks_at_the_stop_rows():
    train, test, target, _ = make()
    rng = np.random.default_rng(0)
    noise = np.where(np.arange(N_ROWS) < 40, rng.integers(0, 2, N_ROWS), target)
    settings = SMALL.model_copy(update={"n_estimators": 200, "early_stopping": 5})
    on_noise, on_valid = (
        fit_trees(make_folds(train, 3, rows), [test] * 3, noise, settings, n_classes=2, seeds=(0,))
        for rows in (np.arange(40), None)
    )
    for noisy, valid in zip(on_noise.replicas, on_valid.replicas, strict=True):
        assert noisy.n_trees != valid.n_trees
        assert valid.n_trees < 200
        assert lightgbm.Booster(model_str=valid.models[0]).num_trees() == valid.n_trees
    without = fit_trees(make_folds(train), [test] * 3, noise, SMALL, n_classes=2, seeds=(0,))
    assert {replica.n_trees for replica in without.replicas} == {20}


def test_folds_are_reported_in_order_in_the_callers_thread():
    train, test, target, _ = make()
    reported = []
    fit = fit_trees(
        make_folds(train),
        [test] * 3,
        target,
        SMALL,
        n_classes=2,
        seeds=(0, 1),
        on_fold=lambda replica: reported.append((replica, threading.current_thread())),
    )
    assert [replica for replica, _ in reported] == fit.replicas
    assert {thread for _, thread in reported} == {threading.current_thread()}


def test_nothing_is_printed(capfd):
    train, test, target, _ = make(n_cat=1)
    train["x_num"][:, 1] = 0
    train["x_cat"][3] = -1
    folds = make_folds(train, 30)
    fit_trees(folds, [test] * 30, np.zeros_like(target), SMALL, n_classes=2, seeds=(0,))
    fit_trees(folds, [test] * 30, target, SMALL, n_classes=3, seeds=(0,))
    assert capfd.readouterr() == ("", "")


def test_a_class_that_a_fold_never_saw_has_a_probability_all_the_same():
    train, test, target, _ = make(3)
    fit = fit_trees(
        make_folds(train), [test] * 3, np.minimum(target, 1), SMALL, n_classes=3, seeds=(0,)
    )
    np.testing.assert_allclose(fit.test_predictions[:, 2], ABSENT, rtol=0.01)


@pytest.mark.parametrize(("n_classes", "only"), [(2, 0), (2, 1), (4, 2)])
def test_a_class_without_training_rows_does_not_decide_the_log_loss(n_classes, only):
    train, test, _, _ = make(n_classes)
    target = np.full(N_ROWS, only)
    target[0] = (only + 1) % n_classes
    (fold, _, _) = make_folds(train)  # row 0 is held out
    fitted = fit_trees([fold], [test], target, SMALL, n_classes=n_classes, seeds=[0])
    for predicted in (fitted.replicas[0].valid_predictions, fitted.boosters.predict_mean([test])):
        np.testing.assert_allclose(predicted.sum(axis=1), 1)
        assert predicted.argmax(axis=1).tolist() == [only] * len(predicted)
        assert predicted.min() == pytest.approx(ABSENT, rel=0.01)


def test_no_split_at_all_is_no_error():
    train, test, target, _ = make()
    settings = SMALL.model_copy(update={"min_child_samples": 1000})
    fit = fit_trees(make_folds(train), [test] * 3, target, settings, n_classes=2, seeds=(0,))
    assert fit.importance.tolist() == [0, 0, 0, 0]
    assert np.ptp(fit.test_predictions[:, 1]) < 1e-12


def test_an_interrupt_ends_the_boosters_that_are_under_way(monkeypatch):
    train, test, target, _ = make()
    long = SMALL.model_copy(update={"n_estimators": 50_000})
    grow, n_finished = lightgbm.train, []

    def grow_and_tell(*args, **options):
        booster = grow(*args, **options)
        n_finished.append(booster.num_trees())
        return booster

    monkeypatch.setattr(lightgbm, "train", grow_and_tell)
    main = threading.main_thread().ident
    timer = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        fit_trees(make_folds(train), [test] * 3, target, long, n_classes=2, seeds=(0,))
    timer.join()
    assert n_finished == []
    assert not [t for t in threading.enumerate() if t.name.startswith("booster")]


def test_a_fault_in_the_callers_function_ends_the_boosters():
    train, test, target, _ = make()

    def refuse(replica):
        raise OSError("disk is full")

    with pytest.raises(OSError, match="disk is full"):
        fit_trees(
            make_folds(train), [test] * 3, target, SMALL, n_classes=2, seeds=(0,), on_fold=refuse
        )


def test_all_faults_are_in_one_message():
    train, test, target, _ = make()
    target[17] = 5
    folds = make_folds(train)
    folds[1] = FoldData({"x_num": train["x_num"][:9]}, folds[1].train_rows, folds[1].valid_rows)
    folds[2] = FoldData({"image": train["x_num"]}, folds[2].train_rows, np.arange(0))
    with pytest.raises(TreesError) as caught:
        fit_trees(
            folds, [test, {"x_num": test["x_num"][:, :2]}], target, SMALL, n_classes=2, seeds=(0,)
        )
    message = str(caught.value)
    assert "target of row 17 is 5, expected a class from 0 to 1" in message
    assert "found 2 encoded test tables, expected one for each fold" in message
    assert "fold 1: inputs have 9 rows, the target has 240" in message
    assert "fold 1: test rows have (2, 0) columns (x_num, x_cat), training rows (4, 0)" in message
    assert "\n" not in message
    assert TreesError.exit_code == 3
    with pytest.raises(TreesError, match=r"expected columns in x_num or x_cat.*0 held-out rows"):
        fit_trees(folds[2:], [test], target % 2, SMALL, n_classes=2, seeds=(0,))


def test_no_folds_and_no_seeds_are_an_error():
    with pytest.raises(TreesError, match="found 0 folds and 0 seeds"):
        fit_trees([], [], np.zeros(3, dtype=np.int64), SMALL, n_classes=2, seeds=())


def test_settings_are_closed_and_frozen():
    with pytest.raises(ValidationError, match="n_tress"):
        TreesSettings(n_tress=3)
    with pytest.raises(ValidationError, match="frozen"):
        SMALL.n_estimators = 3


def test_every_setting_reaches_lightgbm():
    """A name that LightGBM does not know would be ignored without a word."""
    train, test, target, _ = make()
    changed = TreesSettings(
        n_estimators=2,
        learning_rate=0.3,
        num_leaves=5,
        max_depth=3,
        min_child_samples=3,
        min_split_gain=0.01,
        subsample=0.6,
        colsample_bytree=0.55,
        reg_alpha=0.02,
        reg_lambda=0.5,
        max_bin=63,
        extra_trees=True,
        cat_smooth=2.5,
        min_data_per_group=7,
    )
    fit = fit_trees(make_folds(train)[:1], [test], target, changed, n_classes=2, seeds=(3,))
    for line in (
        "learning_rate: 0.3",
        "num_leaves: 5",
        "max_depth: 3",
        "min_data_in_leaf: 3",
        "min_gain_to_split: 0.01",
        "bagging_fraction: 0.6",
        "bagging_freq: 1",
        "feature_fraction: 0.55",
        "lambda_l1: 0.02",
        "lambda_l2: 0.5",
        "max_bin: 63",
        "extra_trees: 1",
        "cat_smooth: 2.5",
        "min_data_per_group: 7",
        "seed: 3",
        "deterministic: 1",
        "force_row_wise: 1",
    ):
        assert f"[{line}]" in fit.replicas[0].models[0]
