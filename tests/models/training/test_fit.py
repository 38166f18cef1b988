from __future__ import annotations

import copy
import dataclasses
import doctest
import io
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import models.training.fit
from models.architectures.mlp import MLPSettings
from models.data import InputShape
from models.losses import LOSSES
from models.metrics import METRICS
from models.training.fit import (
    EpochReport,
    Fitted,
    FoldData,
    Objective,
    Replicas,
    StrategyError,
    TrainingDataError,
    TrainingFailedError,
    TrainSettings,
    fit,
    start,
)

N_ROWS = 120
RNG = np.random.default_rng(1)
X = RNG.normal(size=(N_ROWS, 5)).astype(np.float32)
TARGET = (X[:, 0] + 0.5 * RNG.normal(size=N_ROWS) > 0).astype(np.int64)
FOLD_OF_ROW = np.arange(N_ROWS) % 3
FOLDS = [
    FoldData({"x_num": X}, np.flatnonzero(k != FOLD_OF_ROW), np.flatnonzero(k == FOLD_OF_ROW))
    for k in range(3)
]
OBJECTIVE = Objective(LOSSES["binary_cross_entropy"], METRICS["accuracy"])
BUILD = partial(MLPSettings(hidden=(12,), dropout=0.2, norm="batch").build, InputShape(5), 1)


@pytest.fixture(autouse=True)
def _threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """One thread, or what a test asks for by `@pytest.mark.parametrize("_threads", ...)`."""
    before = torch.get_num_threads()
    torch.set_num_threads(getattr(request, "param", 1))
    yield
    torch.set_num_threads(before)


def arguments(**settings: Any) -> dict[str, Any]:
    changed = {"epochs": 4, "batch_size": 16, "lr": 0.02} | settings
    return {
        "build": BUILD,
        "folds": FOLDS,
        "target": TARGET,
        "settings": TrainSettings(**changed),
        "objective": OBJECTIVE,
        "replicas": Replicas((0, 1)),
        "device": "cpu",
    }


def train(
    *, settings: dict[str, Any] | None = None, seeds: Sequence[int] = (0, 1), **changed: Any
) -> Fitted:
    """`fit` with small defaults; `changed` replaces arguments of `fit` and `Replicas`."""
    per_replica = {
        name: changed.pop(name) for name in ("lr", "weight_decay", "dropout") & changed.keys()
    }
    replicas = Replicas(seeds, **per_replica)
    return fit(**(arguments(**(settings or {})) | {"replicas": replicas} | changed))


def bytes_of(fitted: Fitted) -> list[bytes]:
    return [r.valid_predictions.tobytes() for r in fitted.replicas] + [
        tensor.numpy().tobytes() for r in fitted.replicas for tensor in r.state_dict.values()
    ]


def test_the_docstring_example_runs() -> None:
    result = doctest.testmod(models.training.fit)
    assert result.attempted > 5
    assert result.failed == 0


def test_replicas_are_fold_major_and_complete() -> None:
    fitted = train()
    assert [(r.fold, r.seed) for r in fitted.replicas] == [(f, s) for f in range(3) for s in (0, 1)]
    for replica in fitted.replicas:
        assert replica.fault is None
        assert replica.valid_predictions.shape == (40, 2)
        assert replica.valid_predictions.dtype == np.float32
        np.testing.assert_allclose(replica.valid_predictions.sum(axis=1), 1, rtol=1e-6)
        assert replica.curve.epoch == [1, 2, 3, 4]
        assert replica.best_epoch == 4
        held_out = TARGET[FOLDS[replica.fold].valid_rows]
        assert replica.score == METRICS["accuracy"](held_out, replica.valid_predictions)


@pytest.mark.parametrize("_threads", [1, 2], indirect=True)
@pytest.mark.parametrize("strategy", ["layers", "sequential"])
def test_the_same_seed_gives_the_same_bytes(strategy: str) -> None:
    settings = {"strategy": strategy}
    before = torch.get_rng_state()
    first = bytes_of(train(settings=settings))
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(3)
    assert first == bytes_of(train(settings=settings))
    assert first != bytes_of(train(settings=settings, seeds=(2, 3)))


def test_workers_give_the_bytes_of_one_thread() -> None:
    one = bytes_of(train(settings={"strategy": "sequential"}))
    torch.set_num_threads(2)
    assert bytes_of(train(settings={"strategy": "sequential"})) == one


@pytest.mark.parametrize("strategy", ["layers", "sequential"])
def test_a_saved_training_goes_on_to_the_same_bytes(strategy: str) -> None:
    kwargs = arguments(
        epochs=14, patience=4, schedule="one_cycle", lr=0.1, weight_decay=0.1, strategy=strategy
    )
    training = start(**kwargs)
    states = []
    while not training.is_finished:
        training.run_epoch()
        file = io.BytesIO()
        torch.save(training.state(), file)
        states.append(file.getvalue())
    whole = training.result()
    best_epochs = {replica.best_epoch for replica in whole.replicas}
    assert min(best_epochs) < len(states) - 4  # some had stopped, others went on
    for raw in states[1:-1:3]:
        state = torch.load(io.BytesIO(raw), weights_only=True)
        training = start(**kwargs)
        training.load_state(state)
        resumed = training.run()
        assert bytes_of(resumed) == bytes_of(whole)
        assert [r.curve for r in resumed.replicas] == [r.curve for r in whole.replicas]


def test_a_state_is_not_changed_by_the_training_that_it_came_from() -> None:
    training = start(**arguments())
    training.run_epoch()
    state = training.state()
    saved = copy.deepcopy(state)
    training.run_epoch()
    for name, tensor in saved["now"].items():
        assert torch.equal(tensor, state["now"][name])
    assert saved["progress"] == state["progress"]


def test_early_stopping_takes_the_best_epoch_and_stops_each_replica_by_itself() -> None:
    reports: list[EpochReport] = []
    kwargs = arguments(epochs=60, patience=3, lr=0.05) | {"replicas": Replicas(range(4))}
    fitted = start(**kwargs).run(reports.append)
    lengths = []
    for replica in fitted.replicas:
        losses = replica.curve.valid_loss
        assert replica.best_epoch == 1 + int(np.argmin(losses))
        assert len(losses) == min(60, replica.best_epoch + 3)
        target = torch.as_tensor(TARGET[FOLDS[replica.fold].valid_rows])
        columns = torch.as_tensor(replica.valid_predictions)
        loss = nn.functional.nll_loss(columns.log(), target).item()
        assert loss == pytest.approx(min(losses), rel=1e-4)
        lengths.append(len(losses))
    assert len(set(lengths)) > 1
    assert [r.n_active for r in reports] == [
        sum(length > epoch for length in lengths) if epoch < 60 else 0
        for epoch in range(1, len(reports) + 1)
    ]
    assert len(reports) == max(lengths)


def test_a_stopped_replica_is_out_of_the_stack_and_stays_as_it_was() -> None:
    training = start(**arguments(epochs=60, patience=2, lr=0.05))
    while len(training.active) == 6:
        training.run_epoch()
    left = {spec.replica for spec in training.active}
    stopped = next(r for r in range(6) if r not in left)
    before = training.result().replicas[stopped]
    assert all(len(w) == len(left) for w in training.stack.weights.values())
    training.run_epoch()
    after = training.result().replicas[stopped]
    assert before.valid_predictions.tobytes() == after.valid_predictions.tobytes()
    assert before.curve == after.curve


def test_stopping_on_the_metric_follows_its_direction() -> None:
    fitted = train(settings={"epochs": 30, "patience": 4, "monitor": "metric"})
    for replica in fitted.replicas:
        assert replica.score == max(replica.curve.valid_score)


def test_stop_rows_are_watched_in_place_of_the_valid_rows() -> None:
    stop = FOLDS[0].train_rows[::4]
    learn = np.setdiff1d(FOLDS[0].train_rows, stop)
    fold = FoldData({"x_num": X}, learn, FOLDS[0].valid_rows, stop_rows=stop)
    replica = train(folds=[fold]).replicas[0]
    columns = (
        train(folds=[FoldData({"x_num": X}, learn, stop)], seeds=(0, 1))
        .replicas[0]
        .valid_predictions
    )
    assert replica.curve.valid_score[-1] == METRICS["accuracy"](TARGET[stop], columns)
    assert len(replica.valid_predictions) == 40


class Explodes(nn.Module):
    """Gives NaN in training once it sees a row that only some folds train on."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(5, 1)

    def forward(self, x_num: Tensor) -> Tensor:
        poison = torch.where(x_num[..., :1] > 100, math.nan, 0.0)
        return self.head(x_num.clamp(-3, 3)) + poison


@pytest.mark.parametrize("strategy", ["layers", "vmap", "sequential"])
def test_a_nan_stops_its_own_replica_and_no_other(strategy: str) -> None:
    x = X.copy()
    folds = [FoldData({"x_num": x}, f.train_rows, f.valid_rows) for f in FOLDS]
    bad = x.copy()
    bad[FOLDS[1].train_rows[5], 0] = 1000
    folds[1] = FoldData({"x_num": bad}, FOLDS[1].train_rows, FOLDS[1].valid_rows)
    settings = {"strategy": strategy}
    healthy = train(build=Explodes, settings=settings)
    fitted = train(build=Explodes, folds=folds, settings=settings)
    for replica, reference in zip(fitted.replicas, healthy.replicas, strict=True):
        if replica.fold == 1:
            assert replica.fault is not None
            assert f"fold 1, seed {replica.seed}:" in replica.fault
            assert "nan in epoch 1" in replica.fault
            assert math.isnan(replica.score)
        else:
            assert replica.fault is None
            np.testing.assert_allclose(
                replica.valid_predictions, reference.valid_predictions, rtol=1e-5
            )
    every = fitted.predict([{"x_num": X}] * 3)
    mean = fitted.predict_mean([{"x_num": X}] * 3)
    np.testing.assert_allclose(mean, every[[0, 1, 4, 5]].mean(axis=0), rtol=1e-6)


def dropping(p: float, norm: Literal["none", "batch"] = "none") -> Callable[[], nn.Module]:
    settings = MLPSettings(hidden=(6,), dropout=p, input_dropout=0.2, norm=norm)
    return partial(settings.build, InputShape(5), 1)


@pytest.mark.parametrize("strategy", ["layers", "vmap", "sequential"])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_each_replica_can_have_its_own_dropout(
    strategy: str, norm: Literal["none", "batch"]
) -> None:
    rates = [0.1, 0.5, 0.1, 0.3, 0.5, 0.3]
    settings = {"precision": "float64", "strategy": strategy}
    fitted = train(build=dropping(0.4, norm), dropout=rates, settings=settings)
    for replica, rate in zip(fitted.replicas, rates, strict=True):
        alone = train(
            build=dropping(rate, norm),
            folds=[FOLDS[replica.fold]],
            seeds=(replica.seed,),
            settings=settings | {"strategy": "sequential"},
        ).replicas[0]
        np.testing.assert_allclose(replica.valid_predictions, alone.valid_predictions, rtol=1e-9)


@pytest.mark.parametrize(
    ("build", "rates", "message"),
    [
        (dropping(0.0), [0.1] * 6, "MLP has none"),
        (dropping(0.4), [0.1] * 5 + [1.0], "between 0 and 1"),
        (dropping(0.4), [0.1], "one value for each of 6 replicas"),
    ],
)
def test_impossible_dropout_rates_are_refused(
    build: Callable[[], nn.Module], rates: list[float], message: str
) -> None:
    with pytest.raises(TrainingDataError, match=message):
        train(build=build, dropout=rates)


def test_if_every_replica_fails_predict_mean_names_the_reason() -> None:
    fitted = train(folds=FOLDS[:1], build=Explodes, settings={"lr": 1e38, "epochs": 2})
    with pytest.raises(TrainingFailedError, match=r"fold 0, seed 0: .* must be finite"):
        fitted.predict_mean([{"x_num": X}])


def test_each_replica_can_have_its_own_rate_and_decay() -> None:
    rates, decays = [0.001, 0.02, 0.02, 0.05, 0.02, 0.1], [0.0, 0.5, 0.0, 0.5, 0.3, 0.3]
    fitted = train(lr=rates, weight_decay=decays, settings={"precision": "float64"})
    for replica, rate, decay in zip(fitted.replicas, rates, decays, strict=True):
        alone = train(
            folds=[FOLDS[replica.fold]],
            seeds=(replica.seed,),
            settings={"lr": rate, "weight_decay": decay, "precision": "float64"},
        ).replicas[0]
        np.testing.assert_allclose(replica.valid_predictions, alone.valid_predictions, rtol=1e-9)


def test_predict_gives_the_valid_rows_again_and_streams_the_mean() -> None:
    fitted = train(settings={"eval_batch_size": 7, "max_stack": 2})
    every = fitted.predict([{"x_num": X}] * 3)
    assert every.shape == (6, N_ROWS, 2)
    for replica, own in zip(fitted.replicas, every, strict=True):
        np.testing.assert_allclose(
            own[FOLDS[replica.fold].valid_rows], replica.valid_predictions, rtol=1e-5
        )
    mean = fitted.predict_mean([{"x_num": X}] * 3)
    np.testing.assert_allclose(mean, every.mean(axis=0), rtol=1e-6)


def test_predict_uses_each_folds_own_encoding() -> None:
    fitted = train()
    inputs = [{"x_num": X + k} for k in range(3)]
    own = fitted.predict(inputs)
    for k in range(3):
        same = fitted.predict([inputs[k]] * 3)
        np.testing.assert_array_equal(own[2 * k : 2 * k + 2], same[2 * k : 2 * k + 2])


def test_evaluation_can_be_rare_but_never_misses_the_last_epoch() -> None:
    reports: list[EpochReport] = []
    fitted = start(**arguments(epochs=5, evaluate_every=2)).run(reports.append)
    assert [r.epoch for r in reports] == [2, 4, 5]
    assert fitted.replicas[0].curve.epoch == [2, 4, 5]
    assert bytes_of(fitted) == bytes_of(train(settings={"epochs": 5}))


def test_an_exception_from_on_epoch_ends_the_training() -> None:
    class PrunedError(Exception):
        pass

    def prune(report: EpochReport) -> None:
        assert report.valid_score.shape == (6,)
        raise PrunedError

    with pytest.raises(PrunedError):
        start(**arguments()).run(prune)


def test_one_message_lists_all_data_faults() -> None:
    fold = FoldData({"x_num": X[:-1]}, np.array([0, 1]), np.array([N_ROWS]))
    objective = dataclasses.replace(OBJECTIVE, sample_weight=np.ones(3))
    with pytest.raises(TrainingDataError) as caught:
        train(folds=[fold], seeds=(1, 1), objective=objective, lr=[0.1])
    for part in ("seeds", "sample_weight", "lr", "fold 0: x_num", "fold 0: valid_rows"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_read_only_array_is_taken() -> None:
    frozen = X.copy()
    frozen.setflags(write=False)
    folds = [FoldData({"x_num": frozen}, f.train_rows, f.valid_rows) for f in FOLDS]
    assert bytes_of(train(folds=folds)) == bytes_of(train())


def test_bf16_without_cuda_is_refused() -> None:
    with pytest.raises(StrategyError, match="bf16"):
        train(settings={"precision": "bf16"})
