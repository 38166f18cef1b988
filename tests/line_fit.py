"""A line that a small network learns in a moment: what the tests of `foldwise.fit` share."""

import numpy as np
from torch import nn

N_ROWS = 240
X = np.random.default_rng(0).normal(size=(N_ROWS, 3))
LABELS = np.where(X[:, 0] > X[:, 1], "left", "right")
VALUES = 100 + 5 * X[:, 0]
QUICK = {"epochs": 25, "lr": 0.1, "batch_size": 32, "device": "cpu"}


def line(n_outputs=1):
    """A builder of the network, as `fit` takes it."""
    return lambda: nn.Sequential(nn.Linear(3, n_outputs))
