import numpy as np
import pytest

from features.encoders.tabular import TabularEncoder
from features.folds import FoldPlan
from models.architectures.linear import LinearSettings
from models.data import FoldData
from models.estimators.boosting import fit_trees
from models.estimators.trees import TreesSettings
from models.metrics import METRICS
from models.target import Target
from pipelines.configuration.assignments import assign
from pipelines.members.data import DatasetError
from pipelines.members.network import NetworkMember
from pipelines.members.predictions import TrainingError
from pipelines.members.trees import TreesMember
from pipelines.raw_files.sources import choose_source
from pipelines.stages import train
from pipelines.stages.dataset import encode
from pipelines.stages.download import download
from pipelines.stages.preprocess import prepare
from pipelines.stages.saved_models import load_models_of_new_rows


@pytest.fixture
def prepared(toy, tmp_path):
    return prepare(toy, download(toy, choose_source("sample", toy), tmp_path))


@pytest.fixture
def encoded(toy, prepared):
    return encode(prepared, toy.members[0].encoder)


def unscaled():
    return TabularEncoder(["size"], ["kind"], scaling="none")


def member(toy, name):
    return next(member for member in toy.members if member.name == name)


@pytest.mark.parametrize("name", ["linear", "mlp", "trees"])
def test_every_row_is_predicted_once_per_repeat_and_scored_on_its_fold(toy, encoded, name):
    made = train.train(toy, member(toy, name), encoded, device="cpu")
    assert made.oof.shape == (90, 2)
    assert made.test.shape == (45, 2)
    np.testing.assert_allclose(made.oof.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(made.test.sum(axis=1), 1, atol=1e-6)
    assert made.scores.shape == (6,)
    assert made.scores.mean() > 0.6


def test_out_of_fold_rows_were_never_trained_on(toy, encoded):
    """Trees that know every training row by heart know nothing of labels drawn by lot."""
    by_lot = np.random.default_rng(5).integers(0, 2, len(encoded.target))
    data = type(encoded)(by_lot, encoded.folds, encoded.views)
    heart = TreesSettings(
        n_estimators=300, learning_rate=0.3, num_leaves=63, min_child_samples=1, subsample=1.0
    )
    deep = TreesMember(name="deep", encoder=toy.members[0].encoder, trees=heart)
    made = train.train(toy, deep, data)
    assert (made.oof.argmax(axis=1) == by_lot).mean() < 0.65


def test_replicas_that_go_to_nan_are_left_out_with_a_message(toy, encoded):
    wild = member(toy, "mlp")
    wild = wild.model_copy(update={"train": wild.train.model_copy(update={"lr": 1e30})})
    with pytest.raises(TrainingError, match=r"repeat 0 fold 0.*every seed went to NaN"):
        train.train(toy, wild, encoded, device="cpu")


def test_a_missing_number_is_named_before_the_training(toy, encoded):
    row = encoded.views[0].split.train_rows[0]
    encoded.views[0].train["x_num"][row] = np.nan
    with pytest.raises(DatasetError, match=rf"mlp: column 'size' .* training row {row + 1}"):
        train.train(toy, member(toy, "mlp"), encoded, device="cpu")


@pytest.mark.parametrize(("name", "total"), [("mlp", 8), ("trees", 6)])
def test_progress_counts_to_the_end(toy, encoded, name, total):
    message = []
    train.train(
        toy, member(toy, name), encoded, device="cpu", progress=lambda *step: message.append(step)
    )
    assert message[-1] == (total, total)
    assert message == sorted(message)


def test_predictions_are_read_back_as_they_were_written(toy, encoded, tmp_path):
    made = train.train(toy, member(toy, "mlp"), encoded, device="cpu")
    train.save(member(toy, "mlp"), made, tmp_path)
    read = train.load(tmp_path)
    for name in ("oof", "test", "scores"):
        np.testing.assert_array_equal(getattr(read, name), getattr(made, name))
    assert read.curves.keys() == made.curves.keys()
    assert made.curves["valid_loss"].shape == (12, 8)


def test_saved_weights_belong_to_their_fold_and_seed(toy, encoded, tmp_path):
    from safetensors.numpy import load_file

    mlp = member(toy, "mlp")
    train.save(mlp, train.train(toy, mlp, encoded, device="cpu"), tmp_path)
    weights = load_file(tmp_path / "models" / "replicas.safetensors")
    named = {name.split(".")[0] for name in weights}
    assert named == {f"fold-{fold:03d}-seed-{seed}" for fold in range(6) for seed in range(2)}


def test_curves_have_a_gap_where_no_replica_was_evaluated(toy, encoded):
    seldom = assign(toy, {"linear.train.evaluate_every": 3})
    curves = train.train(seldom, member(seldom, "linear"), encoded, device="cpu").curves
    evaluated = np.isfinite(curves["valid_loss"][0])
    assert list(np.flatnonzero(evaluated) + 1) == [3, 6, 8]


def test_three_classes_take_a_softmax(toy, encoded):
    three = toy.model_copy(update={"classes": (0, 1, 2), "metric": METRICS["log_loss"]})
    target = np.arange(len(encoded.target)) % 3
    data = type(encoded)(target, encoded.folds, encoded.views)
    soft = NetworkMember(name="soft", encoder=toy.members[0].encoder, model=LinearSettings())
    assert train.train(three, soft, data, device="cpu").oof.shape == (90, 3)


def test_with_time_the_test_rows_are_predicted_by_models_of_all_rows(toy, tmp_path):
    by_time = toy.model_copy(update={"folds": FoldPlan(n_folds=2, time="size")})
    prepared = prepare(by_time, download(toy, choose_source("sample", toy), tmp_path))
    data = encode(prepared, unscaled)
    trees = member(toy, "trees")
    made = train.train(by_time, trees, data)
    rows = np.arange(len(prepared.train))
    alone = fit_trees(
        [FoldData(data.refit.train, rows, rows[:1])],
        [data.refit.test],
        Target(prepared.target, by_time.predicts),
        trees.trees,
        seeds=[0],
    )
    np.testing.assert_allclose(made.test, alone.test_predictions)
    assert made.scores.shape == (2,)
    (tmp_path / "trees").mkdir()
    train.save(trees, made, tmp_path / "trees")
    saved = load_models_of_new_rows(
        by_time, trees, prepared, folder=tmp_path / "trees", encoded=tmp_path
    )
    np.testing.assert_array_equal(saved.predict_mean([data.refit.test]), made.test)
