"""A training that is stopped after every epoch goes on to the bytes of one that is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.architectures.convnets import SmallConvNetSettings
from models.architectures.mlp import MLPSettings
from models.architectures.recurrent import RecurrentSettings
from models.architectures.tabm import TabMSettings
from models.checkpoints import Layout, Renamed, Snapshot
from models.data import InputShape
from models.losses import LOSSES
from models.metrics import METRICS
from models.training.fit import Fitted, FoldData, Objective, Replicas, TrainSettings, start
from models.training.settings import WarpSettings

N_ROWS, N_CLASSES = 60, 3
RNG = np.random.default_rng(5)
TARGET = RNG.integers(0, N_CLASSES, N_ROWS)
NUMBERS = {"x_num": RNG.normal(size=(N_ROWS, 5)).astype(np.float32)}
TEXTS = {"tokens": RNG.integers(0, 11, (N_ROWS, 7)), "lengths": RNG.integers(1, 8, N_ROWS)}
IMAGES = {"image": RNG.normal(size=(N_ROWS, 1, 16, 16)).astype(np.float32)}
STOPS = {"epochs": 9, "patience": 2, "lr": 0.2, "schedule": "one_cycle", "weight_decay": 0.1}


class GlobalGRU(nn.Module):
    """Draws from torch's global generator, in a dropout within the GRU."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 3, padding_idx=0)
        self.gru = nn.GRU(3, 4, num_layers=2, dropout=0.4, batch_first=True)
        self.head = nn.Linear(4, N_CLASSES)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        states = self.gru(self.embed(tokens))[0]
        return self.head(states[torch.arange(len(states)), lengths - 1])


MLP = partial(MLPSettings(hidden=(6,), dropout=0.3, norm="batch").build, InputShape(5), N_CLASSES)
TABM = partial(TabMSettings(hidden=(6,), k=2).build, InputShape(5), N_CLASSES)
GRU = partial(
    RecurrentSettings(embedding_size=3, hidden=4, word_dropout=0.3).build,
    InputShape(n_tokens=11),
    N_CLASSES,
)
CONVNET = partial(
    SmallConvNetSettings(channels=(4, 4), hidden=6).build, InputShape(image=(1, 16, 16)), N_CLASSES
)
CASES: dict[str, tuple[Any, dict[str, np.ndarray], dict[str, Any]]] = {
    "patience and a schedule, stacked": (MLP, NUMBERS, STOPS | {"strategy": "layers"}),
    "the same, alone": (MLP, NUMBERS, STOPS | {"strategy": "sequential", "optimizer": "sgd"}),
    "chunks of replicas": (MLP, NUMBERS, STOPS | {"strategy": "layers", "max_stack": 2}),
    "vmap": (MLP, NUMBERS, STOPS | {"strategy": "vmap", "optimizer": "adam", "grad_clip": 0.5}),
    "seldom evaluated": (MLP, NUMBERS, {"epochs": 5, "evaluate_every": 2, "schedule": "cosine"}),
    "all lost": (MLP, NUMBERS, {"epochs": 4, "lr": 1e30}),
    "float64": (MLP, NUMBERS, STOPS | {"precision": "float64"}),
    "TabM": (TABM, NUMBERS, {"epochs": 3}),
    "texts by length": (GRU, TEXTS, {"epochs": 4, "length_pool": 2, "patience": 1, "lr": 0.1}),
    "texts, drawn globally": (GlobalGRU, TEXTS, {"epochs": 3}),
    "augmented pictures": (CONVNET, IMAGES, {"epochs": 3, "augment": WarpSettings(), "n_views": 2}),
}


class StoppedError(Exception):
    """What a kill is here."""


class Memory:
    """Checkpoints that keep what files could hold, and stop the training as often as asked."""

    def __init__(self, *, stops: bool) -> None:
        self.stops = stops
        self.kept: dict[str, tuple[str, str, dict[str, np.ndarray]]] = {}
        self.facts: list[str] = []

    def load(self, name: str, layout: Layout) -> Snapshot | None:
        if name not in self.kept:
            return None
        kept_layout, described, arrays = self.kept[name]
        assert json.loads(kept_layout) == json.loads(json.dumps(layout))
        return Snapshot(json.loads(described), arrays)

    def is_due(self, n_bytes: int) -> bool:
        return n_bytes >= 0

    def save(self, name: str, layout: Layout, snapshot: Snapshot) -> None:
        described = json.dumps(snapshot.described, allow_nan=False)
        # In C order, as a file holds them.
        arrays = {key: np.array(array, order="C") for key, array in snapshot.arrays.items()}
        self.kept[name] = (json.dumps(layout, allow_nan=False), described, arrays)
        if self.stops:
            raise StoppedError

    def tell(self, text: str) -> None:
        self.facts.append(text)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(case: str, checkpoints: Any = None) -> Fitted:
    build, inputs, settings = CASES[case]
    edges = (0, 11, 30, N_ROWS)  # folds of unlike sizes: steps of several groups
    rows = np.arange(N_ROWS)
    folds = [
        FoldData(inputs, np.delete(rows, rows[low:high]), rows[low:high])
        for low, high in pairwise(edges)
    ]
    training = start(
        build,
        folds,
        TARGET,
        TrainSettings(**{"batch_size": 16, "lr": 0.02} | settings),
        Objective(LOSSES["cross_entropy"], METRICS["accuracy"]),
        Replicas((0, 1)),
        "cpu",
    )
    return training.run(checkpoints=checkpoints)


def stopped_again_and_again(case: str, memory: Any) -> tuple[Fitted, int]:
    """The training, stopped after every epoch; and how often it was."""
    for n_stops in range(100):
        try:
            return run(case, memory), n_stops
        except StoppedError:
            pass
    raise AssertionError("it does not end")


def everything(fitted: Fitted) -> list[Any]:
    """What a member makes of a training."""
    replicas = fitted.replicas
    tensors = [tensor for replica in replicas for tensor in replica.state_dict.values()]
    return [
        [tensor.numpy().tobytes() for tensor in tensors],
        [replica.valid_predictions.tobytes() for replica in replicas],
        repr([(r.curve, r.best_epoch, r.score, r.fault) for r in replicas]),
    ]


@pytest.mark.parametrize("case", CASES)
def test_a_training_stopped_after_every_epoch_ends_with_the_same_bytes(case: str) -> None:
    whole = run(case)
    memory = Memory(stops=True)
    resumed, n_stops = stopped_again_and_again(case, memory)
    assert everything(resumed) == everything(whole)
    assert n_stops == json.loads(memory.kept["network"][1])["epoch"] > 0
    assert memory.facts[0] == f"resumed at epoch 1 of {CASES[case][2]['epochs']}"


def test_the_cases_stop_some_replicas_before_others() -> None:
    whole = run("patience and a schedule, stacked")
    assert len({len(replica.curve.epoch) for replica in whole.replicas}) > 1
    assert any(r.best_epoch < r.curve.epoch[-1] for r in whole.replicas)
    assert all(replica.fault is not None for replica in run("all lost").replicas)


def test_keeping_changes_nothing() -> None:
    case = "augmented pictures"
    assert everything(run(case, Memory(stops=False))) == everything(run(case))


def test_a_training_that_was_finished_is_only_scored() -> None:
    case, memory = "texts by length", Memory(stops=False)
    first = run(case, memory)
    kept = dict(memory.kept)
    memory.stops = True  # not asked again
    assert everything(run(case, memory)) == everything(first)
    assert memory.kept == kept


def test_weights_lie_in_memory_as_they_did() -> None:
    """Kernels for filters with the channels last round differently."""
    memory = Memory(stops=False)
    run("augmented pictures", memory)
    described = json.loads(memory.kept["network"][1])
    strides = [s for n, s in described["strides"].items() if n.endswith("weight") and len(s) == 5]
    assert any(of_one[2] == 1 for of_one in strides)


def test_two_trainings_of_a_member_are_kept_apart() -> None:
    memory = Memory(stops=False)
    first = run("TabM", memory)
    refit = run("texts, drawn globally", Renamed(memory, "refit"))
    assert set(memory.kept) == {"network", "refit-network"}
    assert everything(run("TabM", memory)) == everything(first)
    again = run("texts, drawn globally", Renamed(memory, "refit"))
    assert everything(again) == everything(refit)
    assert memory.facts[-1] == "refit: resumed at epoch 3 of 3"
