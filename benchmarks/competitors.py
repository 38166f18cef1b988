"""The same ensemble trained by the usual loops: one replica after the other.

Every function trains one replica on one fold and returns the predictions of the held-out rows:
probabilities `(n_rows, n_classes)`, or values `(n_rows, 1)`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from models.architectures.mlp import MLPSettings
from models.data import InputShape
from models.training.fit import FoldData

N_FOLDS = 5


@dataclass(frozen=True)
class Size:
    """A table, a network and a training of one size.

    Attributes:
        name: Its name in the printed table.
        n_rows: Rows of the training file.
        n_num: Columns.
        n_classes: Classes; one logit where there are two. 1: values are learned.
        hidden: Widths of the hidden layers.
        dropout: Share of activations set to zero.
        batch_size: Rows per step.
        epochs: Passes over the rows.
        lr: Learning rate.
    """

    name: str
    n_rows: int
    n_num: int
    n_classes: int
    hidden: tuple[int, ...]
    dropout: float
    batch_size: int
    epochs: int
    lr: float = 1e-3

    @property
    def build(self) -> Callable[[], nn.Module]:
        """Makes the network."""
        settings = MLPSettings(hidden=self.hidden, dropout=self.dropout)
        n_outputs = 1 if self.n_classes == 2 else self.n_classes
        return partial(settings.build, InputShape(self.n_num), n_outputs)

    @property
    def has_values(self) -> bool:
        """Whether values are learned, and not classes."""
        return self.n_classes == 1

    def data(self) -> tuple[NDArray[np.float32], NDArray[np.generic], list[FoldData]]:
        """Synthetic rows, target and folds; the target follows a random network, with noise."""
        rng = np.random.default_rng(0)
        x = rng.normal(size=(self.n_rows, self.n_num)).astype(np.float32)
        hidden = np.tanh(x @ rng.normal(size=(self.n_num, 16)) / self.n_num**0.5)
        scores = 3 * hidden @ rng.normal(size=(16, self.n_classes))
        noisy = scores + rng.gumbel(size=scores.shape)
        target = noisy[:, 0] if self.has_values else noisy.argmax(axis=1)
        fold_of_row = np.arange(self.n_rows) % N_FOLDS
        folds = [
            FoldData(
                {"x_num": x}, np.flatnonzero(fold_of_row != k), np.flatnonzero(fold_of_row == k)
            )
            for k in range(N_FOLDS)
        ]
        return x, target, folds


Target = NDArray[np.generic]
Train = Callable[[Size, NDArray[np.float32], Target, FoldData, int], NDArray[np.floating]]


def _loss(size: Size) -> Callable[[Tensor, Tensor], Tensor]:
    if size.has_values:
        return lambda logits, target: functional.mse_loss(logits.squeeze(-1), target)
    if size.n_classes == 2:
        return lambda logits, target: functional.binary_cross_entropy_with_logits(
            logits.squeeze(-1), target
        )
    return functional.cross_entropy


def _target(size: Size, target: Target) -> Tensor:
    tensor = torch.from_numpy(target)
    return tensor.float() if size.n_classes <= 2 else tensor


@torch.no_grad()
def _predictions(size: Size, model: nn.Module, x: Tensor) -> NDArray[np.floating]:
    model.eval()
    logits = model(x)
    if size.has_values:
        values: NDArray[np.floating] = logits.numpy()
        return values
    if size.n_classes == 2:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    probabilities: NDArray[np.floating] = logits.softmax(dim=1).numpy()
    return probabilities


def train_with_data_loader(
    size: Size,
    x: NDArray[np.float32],
    y: Target,
    fold: FoldData,
    seed: int,
    *,
    num_workers: int = 0,
) -> NDArray[np.floating]:
    """The loop of the PyTorch notes: Dataset, DataLoader, model, loss, optimiser.

    The notes use two workers, which are restarted in each epoch; without them it is faster.
    """
    torch.manual_seed(seed)
    inputs, target = torch.from_numpy(x), _target(size, y)
    rows = torch.from_numpy(fold.train_rows)
    dataset = TensorDataset(inputs[rows], target[rows])
    loader = DataLoader(dataset, batch_size=size.batch_size, shuffle=True, num_workers=num_workers)
    model, loss_fn = size.build(), _loss(size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=size.lr, weight_decay=0.0)
    for _ in range(size.epochs):
        model.train()
        for batch, classes in loader:
            loss = loss_fn(model(batch), classes)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return _predictions(size, model, inputs[torch.from_numpy(fold.valid_rows)])


def train_lean(
    size: Size, x: NDArray[np.float32], y: Target, fold: FoldData, seed: int
) -> NDArray[np.floating]:
    """The leanest loop over tensors: whole batches by index, fused optimiser."""
    torch.manual_seed(seed)
    inputs, target = torch.from_numpy(x), _target(size, y)
    rows = torch.from_numpy(fold.train_rows)
    model, loss_fn = size.build(), _loss(size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=size.lr, weight_decay=0.0, fused=True)
    for _ in range(size.epochs):
        for batch in torch.split(rows[torch.randperm(len(rows))], size.batch_size):
            loss = loss_fn(model(inputs[batch]), target[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return _predictions(size, model, inputs[torch.from_numpy(fold.valid_rows)])


def train_with_skorch(
    size: Size, x: NDArray[np.float32], y: Target, fold: FoldData, seed: int
) -> NDArray[np.floating]:
    """Skorch's classifier or regressor, without its validation split and its output."""
    torch.manual_seed(seed)
    kind, criterion = _skorch(size)
    net = kind(
        size.build(),
        criterion=criterion,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=0.0,
        lr=size.lr,
        batch_size=size.batch_size,
        max_epochs=size.epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    target = y.astype(np.float32) if size.n_classes <= 2 else y
    target = target[:, None] if size.has_values else target
    net.fit(x[fold.train_rows], target[fold.train_rows])
    held_out = x[fold.valid_rows]
    predictions: NDArray[np.floating] = (
        net.predict(held_out) if size.has_values else net.predict_proba(held_out)
    )
    return predictions


def _skorch(size: Size) -> tuple[Callable[..., Any], type[nn.Module]]:
    """Skorch's estimator for the target, and its loss."""
    from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor

    if size.has_values:
        return NeuralNetRegressor, nn.MSELoss
    if size.n_classes == 2:
        return NeuralNetBinaryClassifier, nn.BCEWithLogitsLoss
    return NeuralNetClassifier, nn.CrossEntropyLoss


def train_with_sklearn(
    size: Size, x: NDArray[np.float32], y: Target, fold: FoldData, seed: int
) -> NDArray[np.floating]:
    """Scikit-learn's MLPClassifier or MLPRegressor: the same loss, Adam, no dropout."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPRegressor if size.has_values else MLPClassifier
    model = kind(
        hidden_layer_sizes=size.hidden,
        alpha=0.0,
        batch_size=size.batch_size,
        learning_rate_init=size.lr,
        max_iter=size.epochs,
        n_iter_no_change=size.epochs + 1,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x[fold.train_rows], y[fold.train_rows])
    held_out = x[fold.valid_rows]
    predictions: NDArray[np.floating] = (
        model.predict(held_out)[:, None] if size.has_values else model.predict_proba(held_out)
    )
    return predictions


COMPETITORS: dict[str, Train] = {
    "loop of the notes": train_with_data_loader,
    "notes, 2 workers": partial(train_with_data_loader, num_workers=2),
    "lean loop": train_lean,
    "skorch": train_with_skorch,
    "scikit-learn": train_with_sklearn,
}
