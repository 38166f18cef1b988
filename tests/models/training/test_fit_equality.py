"""A replica in the stack is the replica trained alone, and the one of a plain PyTorch loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.architectures.bag import BagSettings
from models.architectures.base import Architecture
from models.architectures.convnets import (
    InceptionNetSettings,
    PixelMLPSettings,
    ResidualNetSettings,
    SmallConvNetSettings,
)
from models.architectures.linear import LinearSettings
from models.architectures.mlp import MLPSettings
from models.architectures.recurrent import RecurrentSettings
from models.data import InputShape
from models.losses import LOSSES
from models.metrics import METRICS
from models.training.augmentation import in_view
from models.training.fit import FoldData, Objective, Replicas, TrainSettings, fit
from models.training.settings import WarpSettings
from models.vectorised.random_streams import epoch_order

N_ROWS, N_CLASSES = 143, 3
SHAPE = InputShape(n_num=6, cardinalities=(4, 3))
RNG = np.random.default_rng(5)
X_NUM = RNG.normal(size=(N_ROWS, 6)).astype(np.float32)
X_CAT = np.stack([RNG.integers(0, c, N_ROWS) for c in SHAPE.cardinalities], axis=1)
TARGET = RNG.integers(0, N_CLASSES, N_ROWS)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class SmallConv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout2d(0.2)
        self.head = nn.Linear(4 * 4, N_CLASSES)

    def forward(self, image: Tensor) -> Tensor:
        maps = self.drop(functional.relu(self.norm(self.conv(image))))
        return self.head(functional.max_pool2d(maps, 2).flatten(1))


class SmallGRU(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 5, padding_idx=0)
        self.gru = nn.GRU(5, 6, num_layers=2, dropout=0.3, batch_first=True)
        self.drop = nn.Dropout(0.25)
        self.head = nn.Linear(6, N_CLASSES)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embed(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        return self.head(self.drop(self.gru(packed)[1][-1]))


class OwnWeights(nn.Module):
    """Owns a parameter and mixes rows' dimensions: only vmap can stack it."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.linspace(0.5, 1.5, 6))
        self.norm = nn.BatchNorm1d(6)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(6, N_CLASSES)

    def forward(self, x_num: Tensor) -> Tensor:
        return self.head(self.drop(torch.tanh(self.norm(x_num * self.scale))))


def table(**settings: object) -> Callable[[], nn.Module]:
    return partial(MLPSettings(hidden=(16, 8), **settings).build, SHAPE, N_CLASSES)


def recurrent(**settings: object) -> Callable[[], nn.Module]:
    changed = {"embedding_size": 5, "hidden": 4, "dropout": 0.3, "word_dropout": 0.2} | settings
    return partial(RecurrentSettings(**changed).build, InputShape(n_tokens=11), N_CLASSES)


def pictures(settings: Architecture) -> tuple[Callable[[], nn.Module], dict[str, np.ndarray]]:
    return partial(settings.build, InputShape(image=(1, 16, 16)), N_CLASSES), IMAGES


BAG = BagSettings(embedding_size=4, n_buckets=50, hidden=5)
READER = RecurrentSettings(
    embedding_size=5, hidden=4, dropout=0.3, word_dropout=0.2, spelling="runs"
)
SPELLED_SHAPE = InputShape(n_tokens=11, is_spelled=True)
TABLE = {"x_num": X_NUM, "x_cat": X_CAT}
IMAGES = {"image": RNG.normal(size=(N_ROWS, 1, 16, 16)).astype(np.float32)}
TOKENS = {"tokens": RNG.integers(0, 11, (N_ROWS, 7)), "lengths": RNG.integers(1, 8, N_ROWS)}
SPELLED = TOKENS | {"spelling": RNG.integers(1, 1 << 61, (N_ROWS, 7))}
FAMILIES: dict[str, tuple[Callable[[], nn.Module], dict[str, np.ndarray]]] = {
    "linear": (partial(LinearSettings().build, SHAPE, N_CLASSES), TABLE),
    "mlp": (table(dropout=0.0), TABLE),
    "dropout": (table(dropout=0.3), TABLE),
    "batch norm": (table(dropout=0.3, norm="batch", activation="gelu"), TABLE),
    "layer norm": (table(dropout=0.1, norm="layer", activation="silu"), TABLE),
    "conv": (SmallConv, {"image": RNG.normal(size=(N_ROWS, 1, 6, 6)).astype(np.float32)}),
    "gru": (SmallGRU, TOKENS),
    "own weights": (OwnWeights, {"x_num": X_NUM}),
    "pixel mlp": pictures(PixelMLPSettings(hidden=(8, 6))),
    "residual": pictures(ResidualNetSettings(channels=(3, 4))),
    "inception": pictures(InceptionNetSettings(channels=(2, 3))),
    "modern": pictures(SmallConvNetSettings(channels=(3, 4), hidden=5)),
    "bag": (partial(BAG.build, InputShape(n_tokens=11), N_CLASSES), TOKENS),
    "recurrent gru": (recurrent(cell="gru", pooling="max_mean", n_layers=2), TOKENS),
    "recurrent lstm": (recurrent(cell="lstm", pooling="attention"), TOKENS),
    "spelled bag": (partial(BAG.build, SPELLED_SHAPE, N_CLASSES), SPELLED),
    "spelled gru": (partial(READER.build, SPELLED_SHAPE, N_CLASSES), SPELLED),
}
STRATEGIES = {
    "conv": ("sequential", "vmap"),
    "gru": ("sequential",),
    "own weights": ("sequential", "vmap"),
    "residual": ("sequential", "vmap"),
    "inception": ("sequential",),
    "modern": ("sequential", "vmap"),
    "bag": ("sequential",),
    "recurrent gru": ("sequential",),
    "recurrent lstm": ("sequential",),
    "spelled bag": ("sequential",),
    "spelled gru": ("sequential",),
}
CASES = [
    (family, strategy)
    for family in FAMILIES
    for strategy in STRATEGIES.get(family, ("sequential", "vmap", "layers"))
]


def folds_of(inputs: dict[str, np.ndarray]) -> list[FoldData]:
    """Three folds of unequal length; the second sees its own encoding of the floats."""
    fold_of_row = np.repeat([0, 1, 2], [40, 43, 60])
    own = {k: v * 1.5 if v.dtype == np.float32 else v for k, v in inputs.items()}
    return [
        FoldData(
            own if k == 1 else inputs,
            np.flatnonzero(fold_of_row != k),
            np.flatnonzero(fold_of_row == k),
        )
        for k in range(3)
    ]


def train(family: str, folds: list[FoldData], seeds: tuple[int, ...], **settings: object):
    changed = {"epochs": 3, "batch_size": 32, "lr": 0.01, "precision": "float64"} | settings
    return fit(
        FAMILIES[family][0],
        folds,
        TARGET,
        TrainSettings(**changed),
        Objective(LOSSES["cross_entropy"], METRICS["log_loss"]),
        Replicas(seeds),
        device="cpu",
    )


@pytest.mark.parametrize(("family", "strategy"), CASES)
def test_a_replica_in_the_stack_is_the_replica_alone(family: str, strategy: str) -> None:
    folds = folds_of(FAMILIES[family][1])
    together = train(family, folds, (3, 8), strategy=strategy, max_stack=4)
    assert len(together.replicas) == 6
    for replica in together.replicas[::2] + together.replicas[-1:]:
        alone = train(
            family, [folds[replica.fold]], (replica.seed,), strategy="sequential"
        ).replicas[0]
        np.testing.assert_allclose(
            replica.valid_predictions, alone.valid_predictions, rtol=1e-9, atol=1e-13
        )
        np.testing.assert_allclose(replica.curve.train_loss, alone.curve.train_loss, rtol=1e-9)
        assert replica.score == pytest.approx(alone.score, rel=1e-9)
        for name, weight in alone.state_dict.items():
            torch.testing.assert_close(replica.state_dict[name], weight, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("strategy", ["sequential", "vmap"])
def test_a_replica_is_warped_in_a_stack_as_it_is_alone(strategy: str) -> None:
    settings = {"augment": WarpSettings(), "n_views": 3, "grad_clip": 0.5, "epochs": 2}
    folds = folds_of(IMAGES)
    together = train("modern", folds, (3, 8), strategy=strategy, **settings)
    still = train("modern", folds, (3, 8), strategy=strategy, **settings | {"augment": None})
    for replica, other in zip(together.replicas, still.replicas, strict=True):
        alone = train("modern", [folds[replica.fold]], (replica.seed,), **settings).replicas[0]
        np.testing.assert_allclose(
            replica.valid_predictions, alone.valid_predictions, rtol=1e-9, atol=1e-13
        )
        assert replica.curve.train_loss[-1] != pytest.approx(other.curve.train_loss[-1], rel=1e-4)


@pytest.mark.parametrize("strategy", ["sequential", "vmap"])
def test_predictions_are_the_mean_over_the_views(strategy: str) -> None:
    folds = folds_of(IMAGES)
    fitted = train("modern", folds, (3,), strategy=strategy, n_views=4, epochs=1)
    plain = train("modern", folds, (3,), strategy=strategy, epochs=1)
    images = torch.from_numpy(IMAGES["image"])
    views = [{"image": in_view(images, view).numpy()} for view in range(4)]
    expected = np.mean([plain.predict([view] * 3) for view in views], axis=0)
    np.testing.assert_allclose(fitted.predict([IMAGES] * 3), expected, rtol=1e-6)
    held_out = fitted.replicas[0].valid_predictions
    np.testing.assert_allclose(held_out, expected[0][folds[0].valid_rows], rtol=1e-6)


def test_replicas_side_by_side_predict_what_they_predict_one_after_the_other() -> None:
    folds = folds_of(IMAGES)
    one_by_one = train("modern", folds, (3, 8), epochs=1, n_views=2)
    torch.set_num_threads(3)
    side_by_side = train("modern", folds, (3, 8), epochs=1, n_views=2)
    for replica, other in zip(side_by_side.replicas, one_by_one.replicas, strict=True):
        assert np.array_equal(replica.valid_predictions, other.valid_predictions)
    rows = [IMAGES] * 3
    assert np.array_equal(side_by_side.predict(rows), one_by_one.predict(rows))
    assert np.array_equal(side_by_side.predict_mean(rows), one_by_one.predict_mean(rows))


@pytest.mark.parametrize("family", ["recurrent gru", "recurrent lstm"])
def test_batches_of_like_length_leave_a_replica_as_it_is_alone(family: str) -> None:
    folds = folds_of(FAMILIES[family][1])
    together = train(family, folds, (3, 8), length_pool=2)
    in_any_order = train(family, folds, (3, 8))
    for replica, other in zip(together.replicas, in_any_order.replicas, strict=True):
        alone = train(family, [folds[replica.fold]], (replica.seed,), length_pool=2).replicas[0]
        np.testing.assert_allclose(
            replica.valid_predictions, alone.valid_predictions, rtol=1e-9, atol=1e-13
        )
        assert not np.allclose(replica.valid_predictions, other.valid_predictions, rtol=1e-6)


@pytest.mark.parametrize(
    ("family", "rtol"),
    # The biases before a batch norm have no gradient but rounding, which Adam takes for one.
    [("dropout", 1e-3), ("layer norm", 1e-3), ("batch norm", 5e-2)],
)
def test_float32_agrees_to_rounding(family: str, rtol: float) -> None:
    folds = folds_of(FAMILIES[family][1])
    together = train(family, folds, (3, 8), precision="float32", strategy="layers")
    alone = train(family, folds[2:], (8,), precision="float32", strategy="sequential").replicas[0]
    np.testing.assert_allclose(
        together.replicas[-1].valid_predictions, alone.valid_predictions, rtol=rtol, atol=1e-5
    )


@pytest.mark.parametrize("family", ["linear", "mlp", "own weights"])
def test_a_plain_loop_gives_the_same_replica(family: str) -> None:
    """The pattern of the PyTorch tutorial; dropout, whose masks differ, is switched off."""
    build, inputs = FAMILIES[family]
    fold = folds_of(inputs)[1]
    torch.manual_seed(8)
    model = build().double()
    silence_dropout(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    loss_fn = nn.CrossEntropyLoss()
    tensors = {k: torch.as_tensor(v) for k, v in fold.inputs.items()}
    tensors = {k: v.double() if v.is_floating_point() else v for k, v in tensors.items()}
    rows = torch.as_tensor(fold.train_rows)
    for epoch in range(1, 4):
        model.train()
        for batch in rows[epoch_order(8, epoch, len(rows))].split(32):
            loss = loss_fn(model(**{k: v[batch] for k, v in tensors.items()}), target_of(batch))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    model.eval()
    with torch.no_grad():
        expected = model(**{k: v[fold.valid_rows] for k, v in tensors.items()}).softmax(-1)

    def without_dropout() -> nn.Module:
        network = build()
        silence_dropout(network)
        return network

    settings = TrainSettings(
        epochs=3, batch_size=32, lr=0.01, weight_decay=0.1, precision="float64"
    )
    fitted = fit(
        without_dropout,
        folds_of(inputs),
        TARGET,
        settings,
        Objective(LOSSES["cross_entropy"], METRICS["log_loss"]),
        Replicas((3, 8)),
        device="cpu",
    )
    np.testing.assert_allclose(fitted.replicas[3].valid_predictions, expected, rtol=1e-9)


def silence_dropout(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


def target_of(rows: Tensor) -> Tensor:
    return torch.as_tensor(TARGET)[rows]


def test_dropout_masks_differ_between_seeds_and_drop_the_right_share() -> None:
    class Constant(nn.Module):
        """Ones through dropout: the loss shows the masks."""

        def __init__(self) -> None:
            super().__init__()
            self.drop = nn.Dropout(0.3)
            self.head = nn.Linear(1000, 2, bias=False)
            nn.init.constant_(self.head.weight, 0.001)

        def forward(self, x_num: Tensor) -> Tensor:
            seen.append(self.drop(x_num).detach().clone())
            return self.head(seen[-1])

    seen: list[Tensor] = []
    x = np.ones((20, 1000), dtype=np.float32)
    fold = FoldData({"x_num": x}, np.arange(16), np.arange(16, 20))
    fit(
        Constant,
        [fold],
        np.arange(20) % 2,
        TrainSettings(epochs=1, batch_size=None, strategy="layers", max_stack=2),
        Objective(LOSSES["cross_entropy"], METRICS["log_loss"]),
        Replicas((0, 1, 2, 3)),
        device="cpu",
    )
    masks = torch.cat([own for own in seen if own.shape == (2, 16, 1000) and (own == 0).any()])
    assert masks.shape == (4, 16, 1000)
    assert (masks == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    torch.testing.assert_close(masks.max().item(), 1 / 0.7, rtol=1e-4, atol=0)
    assert len({tuple((own == 0).flatten().tolist()) for own in masks}) == 4
