"""Members with a known signal, for the tests of blends."""

import numpy as np

from models.ensembling.goal import Goal
from models.metrics import METRICS
from models.tasks import Task


def make(n_members=4, n_rows=600, *, metric="auc", noise=1.0, seed=0, n_test=300):
    """Predictions of two classes whose errors are independent: a mean is better than each.

    Returns:
        Out-of-fold `(M, n, 2)` and test predictions, the goal, and folds `(1, n)`.
    """
    rng = np.random.default_rng(seed)
    signal = 1.5 * rng.normal(size=n_rows + n_test)
    target = (rng.random(n_rows + n_test) < sigmoid(signal)).astype(np.int64)
    second = sigmoid(signal + noise * rng.normal(size=(n_members, n_rows + n_test)))
    members = np.stack([1 - second, second], axis=2)
    goal = Goal(target[:n_rows], Task("binary", 2), METRICS[metric])
    return members[:, :n_rows], members[:, n_rows:], goal, (np.arange(n_rows) % 5)[None]


def noise(n_members, n_rows, *, seed=99):
    """Members that know nothing."""
    second = sigmoid(np.random.default_rng(seed).normal(size=(n_members, n_rows)))
    return np.stack([1 - second, second], axis=2)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))
