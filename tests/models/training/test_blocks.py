"""A network's blocks end with the same bytes wherever they are done, and go on after a kill."""

from __future__ import annotations

import json
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from models.architectures.mlp import MLPSettings
from models.architectures.recurrent import RecurrentSettings
from models.architectures.tabm import TabMSettings
from models.checkpoints import Layout, Snapshot
from models.data import InputShape, TrainingFailedError
from models.executor import LOCAL, Executor
from models.losses import LOSSES
from models.metrics import METRICS
from models.training import block_layout, trained
from models.training.block_layout import Blocks
from models.training.blocks import BlockData, BlockFit, fit_blocks
from models.training.fit import FoldData, Objective, Replicas, TrainSettings, start
from models.training.plan import TrainingPlan
from tests.unruly_executor import Unruly

N_ROWS, N_CLASSES = 60, 3
RNG = np.random.default_rng(5)
TARGET = RNG.integers(0, N_CLASSES, N_ROWS)
NUMBERS = {"x_num": RNG.normal(size=(N_ROWS, 5)).astype(np.float32)}
TEXTS = {"tokens": RNG.integers(0, 11, (N_ROWS, 7)), "lengths": RNG.integers(1, 8, N_ROWS)}
EDGES = (0, 11, 30, N_ROWS)  # folds of unlike sizes
SEEDS = (0, 1)
MLP = MLPSettings(hidden=(6,), dropout=0.3, norm="batch")
TABM = TabMSettings(hidden=(6,), k=2)
GRU = RecurrentSettings(embedding_size=3, hidden=4, word_dropout=0.3)
STOPS = {"patience": 2, "lr": 0.2, "schedule": "one_cycle", "weight_decay": 0.1}
CASES: dict[str, tuple[Any, dict[str, np.ndarray], dict[str, Any]]] = {
    "mlp in one block": (MLP, NUMBERS, {}),
    "mlp": (MLP, NUMBERS, {"max_stack": 4}),
    "mlp, each alone": (MLP, NUMBERS, {"max_stack": 1}),
    "mlp that stops early": (MLP, NUMBERS, STOPS | {"max_stack": 4}),
    "tabm": (TABM, NUMBERS, {"max_stack": 2}),
    "gru": (GRU, TEXTS, {}),
    "gru over texts by length": (GRU, TEXTS, STOPS | {"length_pool": 2}),
}
SHAPES = {"x_num": InputShape(5), "tokens": InputShape(n_tokens=11)}


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def shape_of(case: str) -> InputShape:
    return SHAPES[next(iter(CASES[case][1]))]


def data_of(case: str, **further: Any) -> BlockData:
    model, inputs, settings = CASES[case]
    rows = np.arange(N_ROWS)
    folds = [
        FoldData(inputs, np.delete(rows, rows[low:high]), rows[low:high])
        for low, high in pairwise(EDGES)
    ]
    plan = TrainingPlan(
        partial(model.build, shape_of(case), N_CLASSES),
        folds,
        TARGET,
        TrainSettings(**{"epochs": 4, "batch_size": 16, "lr": 0.05} | settings | further),
        Objective(LOSSES["cross_entropy"], METRICS["accuracy"]),
        Replicas(SEEDS),
        "cpu",
    )
    return BlockData(plan, [{name: rows[:9] for name, rows in inputs.items()}] * len(folds))


def everything(fit: BlockFit, shape: InputShape) -> list[Any]:
    """What a member makes of a training."""
    return [
        fit.test.tobytes(),
        [replica.valid_predictions.tobytes() for replica in fit.replicas],
        repr([(r.fold, r.seed, r.curve, r.best_epoch, r.score, r.fault) for r in fit.replicas]),
        trained.save(fit.networks, shape, N_CLASSES),
    ]


def fitted(case: str, executor: Executor = LOCAL, checkpoints: Any = None) -> list[Any]:
    fit = fit_blocks(data_of(case), executor, checkpoints=checkpoints)
    return everything(fit, shape_of(case))


@pytest.mark.parametrize("case", CASES)
def test_an_unruly_executor_gives_the_same_bytes(case: str) -> None:
    executor = Unruly(seed=3)
    assert fitted(case, executor) == fitted(case)
    assert max(executor.attempts) > 1 or len(executor.attempts) == 1


@pytest.mark.parametrize("case", ["mlp in one block", "gru"])
def test_one_block_is_a_training_as_ever(case: str) -> None:
    data = data_of(case)
    plan = data.plan
    whole = start(
        plan.build, plan.folds, plan.target, plan.settings, plan.objective, plan.replicas, "cpu"
    ).run()
    test = whole.predict_mean(data.tests)
    as_ever = BlockFit(whole.replicas, whole.networks, test * len(whole.replicas))
    found, expected = fitted(case), everything(as_ever, shape_of(case))
    assert found[1:] == expected[1:]
    assert found[0] == test.tobytes()


@pytest.mark.parametrize("case", ["mlp", "mlp, each alone", "tabm"])
def test_blocks_are_the_passes_of_a_wide_stack(case: str) -> None:
    """Without early stopping; with it, survivors of a wide stack change their company."""
    plan = data_of(case).plan
    whole = plan.training().run()
    found = fit_blocks(data_of(case)).replicas
    assert [(r.fold, r.seed) for r in found] == [(r.fold, r.seed) for r in whole.replicas]
    for one, other in zip(found, whole.replicas, strict=True):
        for name, tensor in one.state_dict.items():
            assert torch.equal(tensor, other.state_dict[name])


@pytest.mark.parametrize("case", CASES)
def test_saved_blocks_predict_the_same_bytes(case: str, tmp_path: Any) -> None:
    data = data_of(case)
    fit = fit_blocks(data, Unruly())
    for name, content in trained.save(fit.networks, shape_of(case), N_CLASSES).items():
        (tmp_path / name).write_bytes(content)
    build = CASES[case][0].build
    settings, loss = data.plan.settings, data.plan.objective.loss
    loaded = trained.load(tmp_path, build, settings, loss, torch.device("cpu"))
    assert loaded.predict_mean(data.tests).tobytes() == fit.test.tobytes()


class Memory:
    """Checkpoints that keep what files could hold; stops the training after some saves."""

    def __init__(self, stops_after: int | None = None) -> None:
        self.kept: dict[str, tuple[str, str, dict[str, np.ndarray]]] = {}
        self.facts: list[str] = []
        self.left = stops_after

    def load(self, name: str, layout: Layout) -> Snapshot | None:
        if name not in self.kept or self.kept[name][0] != json.dumps(layout):
            return None
        return Snapshot(json.loads(self.kept[name][1]), self.kept[name][2])

    def is_due(self, n_bytes: int) -> bool:
        return True

    def save(self, name: str, layout: Layout, snapshot: Snapshot) -> None:
        described = json.dumps(snapshot.described, allow_nan=False)
        arrays = {key: np.array(array, order="C") for key, array in snapshot.arrays.items()}
        self.kept[name] = (json.dumps(layout), described, arrays)
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise KilledError

    def tell(self, text: str) -> None:
        self.facts.append(text)


class KilledError(Exception):
    """What a kill is here."""


@pytest.mark.parametrize("case", ["mlp", "mlp that stops early", "tabm", "gru"])
@pytest.mark.parametrize("stops_after", [1, 2])
def test_a_killed_training_goes_on_block_by_block(case: str, stops_after: int) -> None:
    """Begun by one executor, and ended by another."""
    memory = Memory(stops_after)
    with pytest.raises(KilledError):
        fitted(case, Unruly(seed=1), memory)
    n_kept, memory.left = len(memory.kept), None
    again = LOCAL if case != "gru" else Unruly(seed=2)
    assert fitted(case, again, memory) == fitted(case)
    n_blocks = len(Blocks.of(data_of(case).plan, slots=again.slots).places)
    assert memory.facts == [f"{n_kept} of {n_blocks} blocks kept"]


def test_a_block_that_is_killed_here_goes_on_between_its_epochs() -> None:
    memory = Memory(stops_after=6)  # four epochs and the result of the first block, and one more
    with pytest.raises(KilledError):
        fitted("mlp", LOCAL, memory)
    memory.left = None
    assert fitted("mlp", LOCAL, memory) == fitted("mlp")
    assert memory.facts == ["1 of 2 blocks kept", "block-0001: resumed at epoch 1 of 4"]


def test_kept_blocks_are_not_trained_again(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    whole = fitted("mlp", LOCAL, memory)
    monkeypatch.setattr("models.training.blocks.train_block", None)
    assert fitted("mlp", LOCAL, memory) == whole


def test_the_width_follows_from_the_work_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = data_of("mlp in one block").plan
    assert Blocks.of(plan).places == [range(6)]
    products = Blocks.of(plan).products
    monkeypatch.setattr(block_layout, "MOST_PRODUCTS", 2.5 * products)
    monkeypatch.setattr(block_layout, "LEAST_WIDTH", 2)
    for slots in (1, 50):
        assert [len(places) for places in Blocks.of(plan, slots=slots).places] == [2, 2, 2]
    longer = data_of("mlp in one block", epochs=8).plan
    assert Blocks.of(longer).products == 2 * products
    assert [len(places) for places in Blocks.of(longer).places] == [2, 2, 2]  # none is narrower


def test_less_than_a_minute_of_a_core_is_one_block() -> None:
    """Here at 1e10 multiplications a second; the longest blocks of a member are the widest."""
    one = Blocks.of(data_of("mlp in one block").plan)
    epochs = int(59 / one.seconds(0) * data_of("mlp in one block").plan.settings.epochs)
    nearly = Blocks.of(data_of("mlp in one block", epochs=epochs).plan)
    assert 55 < nearly.seconds(0) < 60
    assert nearly.places == [range(6)]
    more = Blocks.of(data_of("mlp in one block", epochs=2 * epochs).plan)
    assert [len(places) for places in more.places] == [3, 3]
    assert more.seconds(0) == pytest.approx(nearly.seconds(0), rel=0.01)


def test_replicas_that_run_one_by_one_anyway_are_split_as_the_executor_likes() -> None:
    plan = data_of("gru").plan
    assert Blocks.of(plan, slots=1).places == [range(6)]
    spread = Blocks.of(plan, slots=2)
    assert [len(places) for places in spread.places] == [1] * 6
    assert spread.block_size is None
    assert [plan.specs[at.start].replica for at in spread.places] == list(range(6))


def test_epochs_of_all_blocks_are_counted_together() -> None:
    heard: list[tuple[int, int]] = []
    fit_blocks(data_of("mlp"), on_epoch=lambda done, total: heard.append((done, total)))
    assert heard == [(done, 8) for done in range(1, 9)]


def test_lost_replicas_are_left_out_of_the_mean() -> None:
    data = data_of("mlp", lr=1e30, grad_clip=None)
    fit = fit_blocks(data, Unruly())
    assert all(replica.fault is not None for replica in fit.replicas)
    with pytest.raises(TrainingFailedError, match="must be finite"):
        _ = fit.test
